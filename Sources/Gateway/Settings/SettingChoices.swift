/// What a node does (Kong fact, hybrid §1).
public enum NodeRole: String, SettingChoice {
  case traditional
  case controlPlane = "control_plane"
  case dataPlane = "data_plane"
}

/// The least severe message that is logged, in nginx's words.
public enum LogLevel: String, SettingChoice {
  case debug, info, notice, warn, error, crit, alert, emerg
}

/// Where entities are kept.
public enum DatabaseKind: String, SettingChoice {
  case sqlite, off

  static let refused = [
    "postgres": "PostgreSQL comes in a later version; use sqlite, or off for a declarative file",
    "cassandra": "Cassandra is not supported, as in Kong since 3.4",
  ]
}

/// How data planes and the control plane know each other.
public enum ClusterTLSMode: String, SettingChoice {
  case shared

  static let refused = [
    "pki": "verification by a certificate authority comes in a later version; use shared",
    "pki_check_cn": "verification by a certificate authority comes in a later version; use shared",
  ]
}

/// Revocation checks of data-plane certificates.
public enum ClusterOCSPMode: String, SettingChoice {
  case off

  static let refused = [
    "on": "revocation checks come in a later version", "optional": "revocation checks come in a later version",
  ]
}

/// The language of routes.
public enum RouterFlavor: String, SettingChoice {
  case traditionalCompatible = "traditional_compatible"

  static let refused = [
    "expressions": "expression routes come in a later version; use traditional_compatible",
    "traditional": "the router of before 3.0 is not provided; traditional_compatible takes the same routes",
  ]
}

/// What Lua code from the configuration may do (Kong fact, pdk §8).
public enum UntrustedLua: String, SettingChoice {
  case off, strict, lax, sandbox, on
}

/// The type of an error when the request names none.
public enum ErrorContentType: String, SettingChoice {
  case plain = "text/plain"
  case html = "text/html"
  case json = "application/json"
  case xml = "application/xml"
}

/// Access control of the Admin API. Other values than `off` are refused, for a program that ignored them would leave
/// open what its operator believes closed.
public enum AdminAccessControl: String, SettingChoice {
  case off

  static let refused = Dictionary(
    uniqueKeysWithValues: ["on", "entity", "both"].map {
      ($0, "access control of the Admin API comes in a later version; keep admin_listen on a private address")
    })
}

/// A header that responses carry on request of the `headers` setting.
public enum ResponseHeaderToken: String, Sendable, CaseIterable {
  case server = "Server"
  case via = "Via"
  case proxyLatency = "X-Kong-Proxy-Latency"
  case responseLatency = "X-Kong-Response-Latency"
  case upstreamLatency = "X-Kong-Upstream-Latency"
  case adminLatency = "X-Kong-Admin-Latency"
  case totalLatency = "X-Kong-Total-Latency"
  case thirdPartyLatency = "X-Kong-Third-Party-Latency"
  case clientLatency = "X-Kong-Client-Latency"
  case upstreamStatus = "X-Kong-Upstream-Status"
  case requestID = "X-Kong-Request-Id"
}

/// The `headers` setting: the headers it asks for, groups resolved.
public struct ResponseHeaderSet: Sendable, Hashable {
  public let tokens: Set<ResponseHeaderToken>
  let texts: [String]

  public func contains(_ token: ResponseHeaderToken) -> Bool { tokens.contains(token) }
}

extension SettingKind<ResponseHeaderSet> {
  private static var groups: [String: [ResponseHeaderToken]] {
    let latency: [ResponseHeaderToken] = [.proxyLatency, .responseLatency, .adminLatency, .upstreamLatency]
    return [
      "server_tokens": [.server, .via], "latency_tokens": latency,
      "advanced_latency_tokens": latency + [.totalLatency, .thirdPartyLatency, .clientLatency],
    ]
  }

  static let responseHeaders = SettingKind(
    "`off`, or a comma-separated list of "
      + (groups.keys.sorted() + ResponseHeaderToken.allCases.map(\.rawValue)).map { "`\($0)`" }
      .joined(separator: ", "),
    json: { .array($0.texts.map { .string($0) }) }
  ) { text throws(SettingValueError) -> ResponseHeaderSet in
    let items = SettingText.items(text)
    if items == ["off"] { return ResponseHeaderSet(tokens: [], texts: items) }
    var tokens: Set<ResponseHeaderToken> = []
    for item in items {
      let word = item.lowercased()
      if let group = groups[word] {
        tokens.formUnion(group)
      } else if let token = ResponseHeaderToken.allCases.first(where: { $0.rawValue.lowercased() == word }) {
        tokens.insert(token)
      } else {
        throw SettingValueError("has the unknown entry \"\(item)\"")
      }
    }
    return ResponseHeaderSet(tokens: tokens, texts: items)
  }

  static let upstreamHeaders = SettingKind(
    "`X-Kong-Request-Id` or `off`", json: { .array($0.texts.map { .string($0) }) }
  ) { text throws(SettingValueError) -> ResponseHeaderSet in
    let items = SettingText.items(text)
    if items == ["off"] { return ResponseHeaderSet(tokens: [], texts: items) }
    guard items.allSatisfy({ $0.lowercased() == "x-kong-request-id" }) else {
      throw SettingValueError("has an unknown entry")
    }
    return ResponseHeaderSet(tokens: [.requestID], texts: items)
  }
}
