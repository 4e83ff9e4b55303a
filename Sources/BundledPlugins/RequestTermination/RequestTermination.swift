import EntityModel
import Foundation
import NIOCore
import PluginKit

/// `request-termination`: answers requests itself.
enum RequestTermination {
  static let definition = PluginDefinition.bundled(schema, phases: [.access], Implementation())

  static let schema = PluginSchema(
    "request-termination", protocols: PluginFields.protocolsHTTP,
    config: PluginFields.config([
      "status_code": .integer.asRequired().defaulting(to: 503).checked(by: .between(100, 599))
        .described("Status of the answer."),
      "message": .string.described("Sentence of an answer in the form of the gateway's errors."),
      "content_type": .string.described("Content type of the body."),
      "body": .string.described("Body of the answer, as it is sent."),
      "echo": PluginFields.flag(false, "Whether the answer shows the request and what it matched."),
      "trigger": CommonFields.headerName.described(
        "Header or query argument without which requests are not answered here."),
    ]).checked(by: .custom("exclusive_fields", exclusive)))

  private static func exclusive(_ config: JSONValue) -> String? {
    let hasBody = config.text("body") != nil
    let hasType = config.text("content_type") != nil
    if config.text("message") != nil, hasBody || hasType { return "message cannot be used with content_type or body" }
    if hasType, !hasBody { return "content_type requires a body" }
    if config.flag("echo"), hasType || hasBody { return "echo cannot be used with content_type and body" }
    return nil
  }

  struct Implementation: PluginImplementation {
    func makeExecutor(for instance: PluginInstance) throws(PluginCompileError) -> any PluginExecutor {
      let config = instance.config
      let status = Int(config["status_code"]?.integer ?? 503)
      guard status >= 200 else {
        throw PluginCompileError(
          plugin: instance.pluginName,
          reason: "config.status_code: \(status) is the status of an interim response; choose one from 200 to 599")
      }
      return RequestTerminationExecutor(
        status: status, message: config.text("message"),
        content: config.text("body").map { body in
          (ByteBuffer(string: body), config.text("content_type"))
        }, echoes: config.flag("echo"), trigger: config.text("trigger"))
    }
  }
}

struct RequestTerminationExecutor: PluginExecutor {
  let phases = PhaseSet(.access)
  let status: Int
  let message: String?
  /// A body without type is sent without one.
  let content: (body: ByteBuffer, type: String?)?
  let echoes: Bool
  let trigger: String?

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    if let trigger, context.requestHeaders.firstIndex(of: trigger) == nil,
      Arguments(queryOf: context)[trigger] == nil
    {
      return .finished
    }
    if echoes {
      return BodyReading.withBody(of: context) { body in
        context.earlyResponse = EarlyResponse(
          status: status, body: ByteBuffer(bytes: echo(context, body).serialized()),
          headers: [("Content-Type", "application/json; charset=utf-8")])
        return .finished
      }
    }
    if let content {
      context.earlyResponse = EarlyResponse(
        status: status, body: content.body, headers: content.type.map { [("Content-Type", $0)] } ?? [])
    } else {
      context.earlyResponse = plainAnswer
    }
    return .finished
  }

  /// The message in JSON, whatever the client accepts.
  private var plainAnswer: EarlyResponse {
    if status == 204 || status == 304 { return EarlyResponse(status: status) }
    let text = message ?? Self.defaultMessages[status]
    let document: JSONValue = text.map { ["message": .string($0)] } ?? [:]
    return EarlyResponse(
      status: status, body: ByteBuffer(bytes: document.serialized()),
      headers: [("Content-Type", "application/json; charset=utf-8")])
  }

  private static let defaultMessages = [
    401: "Unauthorized", 404: "Not found", 405: "Method not allowed", 500: "An unexpected error occurred",
    502: "Bad Gateway", 503: "Service unavailable",
  ]

  private func echo(_ context: RequestContext, _ body: ByteBuffer) -> JSONValue {
    let arguments = Arguments(queryOf: context)
    var request: [String: JSONValue] = [
      "scheme": .string(context.scheme), "host": .string(context.host),
      "port": .integer(Int64(context.publishedPort ?? context.localPort)), "method": .string(context.method.name),
      "path": .string(context.withRawPath { String(decoding: $0, as: UTF8.self) }),
      "headers": .object(Self.object(of: context.requestHeaders)), "query": arguments.json,
      "raw_body": .string(String(decoding: body.readableBytesView, as: UTF8.self)),
    ]
    switch MediaKind(ofRequest: context.requestHeaders) {
    case .json: request["body"] = try? JSONValue(parsing: body.readableBytesView)
    case .form: request["body"] = Arguments(form: body.readableBytesView).json
    default: break
    }
    if let captures = context.uriCaptures {
      request["uri_captures"] = [
        "named": .object(captures.named.mapValues { .string($0) }),
        "unnamed": .array(captures.unnamed.map { $0.map { .string($0) } ?? .null }),
      ]
    }
    return .object([
      "message": (message ?? Self.defaultMessages[status]).map { .string($0) } ?? .null,
      "kong": [
        "node_id": .string(context.loop.node.id), "hostname": .string(context.loop.node.hostname),
        "worker_pid": .integer(Int64(ProcessInfo.processInfo.processIdentifier)),
      ],
      "request": .object(request),
      "matched_route": context.route?.entity ?? .null,
      "matched_service": context.service?.entity ?? .null,
    ])
  }

  private static func object(of headers: HeaderBlock) -> [String: JSONValue] {
    var values: [String: [JSONValue]] = [:]
    headers.forEach { name, value in
      values[String(decoding: name, as: UTF8.self).lowercased(), default: []]
        .append(.string(String(decoding: value, as: UTF8.self)))
    }
    return values.mapValues { $0.count == 1 ? $0[0] : .array($0) }
  }
}
