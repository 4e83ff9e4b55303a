import Crypto
import EntityModel
import PluginKit

/// A header or argument by its name.
struct NamedText: Hashable, Sendable {
  let name: String
  let value: String

  /// The pairs of two lists of a configuration; names without a value are left out.
  static func pairs(_ config: JSONValue, _ names: String, _ values: String) -> [NamedText] {
    zip(config.strings(names), config.strings(values)).map { NamedText(name: $0, value: $1) }
  }
}

/// How the servers of a provider are reached.
struct ProviderTransport: Sendable {
  /// Longest answer that is read, in bytes.
  static let maximumAnswerSize = 1 << 20

  let timeoutMilliseconds: Int64
  let keepsConnections: Bool
  let verifies: Bool
  let proxies: [String: OutboundProxy]
  let directHosts: [String]

  init(_ config: JSONValue) throws(OpenIDConnectProblem) {
    timeoutMilliseconds = max(1, config["timeout"]?.double.flatMap { Int64(exactly: $0.rounded()) } ?? 10000)
    keepsConnections = config["keepalive"]?.bool ?? true
    verifies = config["ssl_verify"]?.bool ?? true
    var proxies: [String: OutboundProxy] = [:]
    for scheme in ["http", "https"] {
      guard let address = config.text("\(scheme)_proxy") else { continue }
      guard let proxy = Self.proxy(address, authorization: config.text("\(scheme)_proxy_authorization")) else {
        throw OpenIDConnectProblem(
          field: "\(scheme)_proxy", sentence: "must be an http address with a host: proxies are reached by http")
      }
      proxies[scheme] = proxy
    }
    self.proxies = proxies
    directHosts = (config.text("no_proxy") ?? "").split(separator: ",").map {
      $0.filter { !$0.isWhitespace }.lowercased()
    }
  }

  private static func proxy(_ address: String, authorization: String?) -> OutboundProxy? {
    guard let host = URLText.host(of: address), address.lowercased().hasPrefix("http://") else { return nil }
    return OutboundProxy(host: host, port: URLText.port(of: address) ?? 80, authorization: authorization)
  }

  func request(_ method: String, _ url: String, headers: [(name: String, value: String)]) -> OutboundRequest {
    var request = OutboundRequest(method: method, url: url, headers: headers)
    request.timeoutMilliseconds = timeoutMilliseconds
    request.connectTimeoutMilliseconds = timeoutMilliseconds
    request.keepaliveMilliseconds = keepsConnections ? 60_000 : 0
    request.maximumResponseSize = Self.maximumAnswerSize
    request.tls.verifies = verifies
    let host = URLText.host(of: url) ?? ""
    if !directHosts.contains(where: { host == $0 || host.hasSuffix($0.hasPrefix(".") ? $0 : "." + $0) }) {
      request.proxy = proxies[url.lowercased().hasPrefix("https:") ? "https" : "http"]
    }
    return request
  }
}

/// What a provider's documents are fetched by; providers of equal settings are one.
struct ProviderSettings: Sendable {
  /// The issuer, or the address of its discovery document, as configured.
  let issuer: String
  /// Nil for a provider without discovery.
  let discoveryURL: String?
  let discoveryHeaders: [NamedText]
  let keySetURL: String?
  let furtherKeySetURLs: [String]
  /// Seconds.
  let lifetime: Double
  let rediscoveryLifetime: Double
  let transport: ProviderTransport
  /// One text for all of it, by which the provider is found.
  let identity: String

  private static let wellKnown = "/.well-known/openid-configuration"

  init(_ config: JSONValue) throws(OpenIDConnectProblem) {
    issuer = config.text("issuer") ?? ""
    if config.flag("using_pseudo_issuer") {
      discoveryURL = nil
    } else if issuer.contains("/.well-known/") {
      discoveryURL = issuer
    } else {
      discoveryURL = (issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer) + Self.wellKnown
    }
    discoveryHeaders = NamedText.pairs(config, "discovery_headers_names", "discovery_headers_values")
    keySetURL = config.text("jwks_endpoint")
    furtherKeySetURLs = config.strings("extra_jwks_uris")
    lifetime = config["cache_ttl"]?.double ?? 3600
    rediscoveryLifetime = config["rediscovery_lifetime"]?.double ?? 30
    transport = try ProviderTransport(config)
    identity = Self.identity(config)
  }

  private static func identity(_ config: JSONValue) -> String {
    let names = [
      "issuer", "using_pseudo_issuer", "discovery_headers_names", "discovery_headers_values", "jwks_endpoint",
      "extra_jwks_uris", "cache_ttl", "rediscovery_lifetime", "timeout", "keepalive", "ssl_verify", "http_proxy",
      "http_proxy_authorization", "https_proxy", "https_proxy_authorization", "no_proxy",
    ]
    let document = JSONValue.object(config.object?.filter { names.contains($0.key) } ?? [:])
    return Base64URL.encoded(SHA256.hash(data: document.serialized()))
  }

  /// The issuer that tokens name where no document says it.
  var issuerWithoutSuffix: String {
    issuer.hasSuffix(Self.wellKnown) ? String(issuer.dropLast(Self.wellKnown.utf8.count)) : issuer
  }
}

/// Parts of absolute addresses.
enum URLText {
  private static func authority(_ url: String) -> Substring? {
    guard let mark = url.range(of: "://") else { return nil }
    let rest = url[mark.upperBound...]
    let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
    let authority = rest[..<end]
    return authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
  }

  /// In lower case, without brackets.
  static func host(of url: String) -> String? {
    guard let authority = authority(url), !authority.isEmpty else { return nil }
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
      return String(authority[authority.index(after: authority.startIndex)..<end]).lowercased()
    }
    let host = authority.prefix { $0 != ":" }.lowercased()
    return host.isEmpty ? nil : host
  }

  static func port(of url: String) -> Int? {
    guard let authority = authority(url), let colon = authority.lastIndex(of: ":"),
      let port = Int(authority[authority.index(after: colon)...]), (1...65535).contains(port)
    else { return nil }
    return port
  }

  static func isHTTP(_ url: String) -> Bool {
    let start = url.prefix(8).lowercased()
    return (start.hasPrefix("http://") || start.hasPrefix("https://")) && host(of: url) != nil
  }

  /// Adds arguments to the query, or to the fragment.
  static func adding(_ arguments: [(String, String)], to url: String, inFragment: Bool = false) -> String {
    guard !arguments.isEmpty else { return url }
    let text = FormText.encoded(arguments)
    let hash = url.firstIndex(of: "#")
    if inFragment {
      guard let hash else { return url + "#" + text }
      return url + (url[hash...].count > 1 ? "&" : "") + text
    }
    let base = hash.map { url[..<$0] } ?? url[...]
    let fragment = hash.map { String(url[$0...]) } ?? ""
    let separator = base.contains("?") ? (base.hasSuffix("?") || base.hasSuffix("&") ? "" : "&") : "?"
    return base + separator + text + fragment
  }
}

/// Arguments as a form body or a query.
enum FormText {
  static func encoded(_ arguments: [(String, String)]) -> String {
    var bytes: [UInt8] = []
    for (index, argument) in arguments.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: "&")) }
      PercentCoding.encode(argument.0, into: &bytes)
      bytes.append(UInt8(ascii: "="))
      PercentCoding.encode(argument.1, into: &bytes)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  static func encoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    PercentCoding.encode(text, into: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}
