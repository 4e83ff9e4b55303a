import EntityModel
import Logging
import NIOCore
import PluginKit

/// `opa`: asks a policy server whether a request may pass. Source: Kong fact, bundled-16 §4.
enum OPA {
  static let definition = PluginDefinition.bundled(schema, phases: [.access], Implementation())

  static let schema = PluginSchema(
    "opa", protocols: PluginFields.protocolsHTTP, without: [PluginScope.consumer, PluginScope.consumerGroup],
    config: PluginFields.config([
      "opa_protocol": .string.defaulting(to: "http").checked(by: .oneOf(["http", "https"]))
        .described("Scheme of the policy server."),
      "opa_host": CommonFields.host.asRequired().defaulting(to: "localhost")
        .described("Host of the policy server."),
      "opa_port": CommonFields.port.asRequired().defaulting(to: 8181).described("Port of the policy server."),
      "opa_path": CommonFields.path.asRequired().described("Path of the policy that decides."),
      "include_service_in_opa_input": PluginFields.flag(false, "Whether the policy learns the service."),
      "include_route_in_opa_input": PluginFields.flag(false, "Whether the policy learns the route."),
      "include_consumer_in_opa_input": PluginFields.flag(false, "Whether the policy learns the consumer."),
      "include_body_in_opa_input": PluginFields.flag(false, "Whether the policy learns the body, as text."),
      "include_parsed_json_body_in_opa_input": PluginFields.flag(
        false, "Whether the policy learns the content of a JSON body."),
      "include_uri_captures_in_opa_input": PluginFields.flag(
        false, "Whether the policy learns what the groups of the route's path have matched."),
      "ssl_verify": PluginFields.sslVerify("Whether the certificate of an https policy server is verified."),
    ]))

  struct Implementation: SnapshotAwarePluginImplementation {
    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      let config = instance.config
      let host = config.text("opa_host") ?? "localhost"
      let port = config["opa_port"]?.integer ?? 8181
      guard let path = config.text("opa_path"), port > 0 else {
        throw PluginCompileError(
          plugin: instance.pluginName,
          reason: port > 0 ? "config.opa_path is missing" : "config.opa_port: port 0 cannot be connected to")
      }
      let name = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
      let request = OutboundRequest(
        method: "POST", url: "\(config.text("opa_protocol") ?? "http")://\(name):\(port)\(path)",
        headers: [("Content-Type", "application/json")],
        tls: OutboundTLS(verifies: config["ssl_verify"]?.bool ?? true))
      return OPAExecutor(
        request: request, input: OPAInput(config), pluginName: instance.pluginName, logger: context.logger,
        outbound: context.services.outbound)
    }
  }
}

/// Asks the policy server and does as it says.
struct OPAExecutor: PluginExecutor {
  let phases = PhaseSet(.access)
  /// Without body.
  let request: OutboundRequest
  let input: OPAInput
  let pluginName: String
  let logger: Logger
  let outbound: any OutboundHTTPClient

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    if input.needsBody { return BodyReading.withBody(of: context) { ask(context, $0) } }
    return ask(context, nil)
  }

  private func ask(_ context: RequestContext, _ body: ByteBuffer?) -> PhaseOutcome {
    var request = request
    request.body = ByteBuffer(bytes: input.document(for: context, body: body).serialized())
    let loop = context.driver.eventLoop
    // The context does not hold its driver, which a client that leaves lets go of.
    let bound = NIOLoopBound((context: context, driver: context.driver), eventLoop: loop)
    outbound.send(request, on: loop).whenComplete { result in
      let context = bound.value.context
      apply(result, to: context)
      context.resume(.finished)
    }
    return .suspended
  }

  private func apply(_ result: Result<OutboundResponse, any Error>, to context: RequestContext) {
    do {
      let response = try result.get()
      switch try OPADecision(response) {
      case .allow(let headers):
        for (name, value) in headers { context.requestHeaders.set(name, value) }
      case .deny(let answer): context.earlyResponse = answer
      }
    } catch {
      logger.error("plugin '\(pluginName)': \(request.url): \(error)")
      context.earlyResponse = EarlyResponse(
        status: 500, body: ByteBuffer(string: #"{"message":"An unexpected error occurred"}"#),
        headers: [("Content-Type", "application/json; charset=utf-8")])
    }
  }
}
