import EntityModel
import PluginKit

/// `request-size-limiting`: refuses requests whose body is too large.
enum RequestSizeLimiting {
  static let definition = PluginDefinition.bundled(schema, phases: [.access], Implementation())

  static let schema = PluginSchema(
    "request-size-limiting", protocols: PluginFields.protocolsHTTP, without: [PluginScope.consumerGroup],
    config: PluginFields.config([
      "allowed_payload_size": .integer.defaulting(to: 128).described("Largest size of a body, in the unit."),
      "size_unit": .string.asRequired().defaulting(to: "megabytes").checked(
        by: .oneOf(["megabytes", "kilobytes", "bytes"])
      ).described("Unit of the size: a million bytes, a thousand, or one."),
      "require_content_length": PluginFields.flag(false, "Whether requests must say how large their body is."),
    ]))

  struct Implementation: PluginImplementation {
    func makeExecutor(for instance: PluginInstance) throws(PluginCompileError) -> any PluginExecutor {
      let size = instance.config["allowed_payload_size"]?.integer ?? 128
      let unit: Int64 =
        switch instance.config.text("size_unit") {
        case "bytes": 1
        case "kilobytes": 1000
        default: 1_000_000
        }
      let (limit, overflows) = size.multipliedReportingOverflow(by: unit)
      return RequestSizeLimitingExecutor(
        limit: overflows ? .max : limit, requiresLength: instance.config.flag("require_content_length"))
    }
  }
}

struct RequestSizeLimitingExecutor: PluginExecutor {
  let phases = PhaseSet(.access)
  /// In bytes.
  let limit: Int64
  let requiresLength: Bool

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    if let text = context.requestHeaders.first("content-length"), let length = Int64(text) {
      if length > limit { refuse(context) }
      return .finished
    }
    if requiresLength {
      context.refuse(411, "A valid Content-Length header is required")
      return .finished
    }
    // Only a body in chunks does not say its size.
    guard context.requestHeaders.contains("transfer-encoding") else { return .finished }
    return BodyReading.withBody(of: context) { body in
      if Int64(body.readableBytes) > limit { refuse(context) }
      return .finished
    }
  }

  /// A client that waits to be told to send its body is told so.
  private func refuse(_ context: RequestContext) {
    let waits = context.requestHeaders.first("expect")?.lowercased() == "100-continue"
    context.refuse(waits ? 417 : 413, "Request size limit exceeded")
  }
}
