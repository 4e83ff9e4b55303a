import EntityModel
import NIOCore
import PluginKit

/// The document that a policy decides upon. Source: Kong fact, bundled-16 §4.
struct OPAInput: Sendable {
  private let includesService: Bool
  private let includesRoute: Bool
  private let includesConsumer: Bool
  private let includesBody: Bool
  private let includesParsedBody: Bool
  private let includesCaptures: Bool

  init(_ config: JSONValue) {
    includesService = config.flag("include_service_in_opa_input")
    includesRoute = config.flag("include_route_in_opa_input")
    includesConsumer = config.flag("include_consumer_in_opa_input")
    includesBody = config.flag("include_body_in_opa_input")
    includesParsedBody = config.flag("include_parsed_json_body_in_opa_input")
    includesCaptures = config.flag("include_uri_captures_in_opa_input")
  }

  var needsBody: Bool { includesBody || includesParsedBody }

  /// - Parameter body: the whole body, where `needsBody`.
  func document(for context: RequestContext, body: ByteBuffer?) -> JSONValue {
    var http: [String: JSONValue] = [
      "host": .string(context.host), "port": .string(String(context.publishedPort ?? context.localPort)),
      "method": .string(context.method.name), "scheme": .string(context.scheme),
      "path": .string(context.withRawPath { String(decoding: $0, as: UTF8.self) }),
      "querystring": Arguments(queryOf: context).json, "headers": Self.headers(context.requestHeaders),
      "tls": .object(tls(context)),
    ]
    if includesCaptures, let captures = context.uriCaptures {
      http["uri_captures"] = [
        "named": .object(captures.named.mapValues { .string($0) }),
        "unnamed": .array(captures.unnamed.map { $0.map { .string($0) } ?? .null }),
      ]
    }
    if let body {
      if includesBody {
        http["body"] = .string(String(decoding: body.readableBytesView, as: UTF8.self))
        http["body_size"] = .integer(Int64(body.readableBytes))
      }
      if includesParsedBody, case .json? = MediaKind(ofRequest: context.requestHeaders) {
        http["parsed_body"] = try? JSONValue(parsing: body.readableBytesView)
      }
    }
    var input: [String: JSONValue] = ["request": ["http": .object(http)], "client_ip": .string(context.clientIP)]
    if includesService { input["service"] = context.service?.entity }
    if includesRoute { input["route"] = context.route?.entity }
    if includesConsumer { input["consumer"] = context.consumer?.entity }
    return ["input": .object(input)]
  }

  private func tls(_ context: RequestContext) -> [String: JSONValue] {
    guard context.isTLS else { return [:] }
    var members: [String: JSONValue] = ["client_verify": "NONE"]
    members["version"] = context.tlsVersion.map { .string($0) }
    members["cipher"] = context.tlsCipher.map { .string($0) }
    members["server_name"] = context.tlsServerName.map { .string($0) }
    return members
  }

  private static func headers(_ headers: HeaderBlock) -> JSONValue {
    var members: [String: JSONValue] = [:]
    headers.forEach { name, value in
      let name = String(decoding: name, as: UTF8.self).lowercased()
      let value = JSONValue.string(String(decoding: value, as: UTF8.self))
      switch members[name] {
      case nil: members[name] = value
      case .array(let values): members[name] = .array(values + [value])
      case let first?: members[name] = .array([first, value])
      }
    }
    return .object(members)
  }
}
