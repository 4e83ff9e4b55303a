import EntityModel
import Logging
import PluginKit

/// `route-by-header`: chooses the upstream by headers of the request. Source: Kong fact, bundled-16 §6.
enum RouteByHeader {
  static let definition = PluginDefinition.bundled(schema, phases: [.access], Implementation())

  static let schema = PluginSchema(
    "route-by-header", protocols: PluginFields.protocolsHTTP, without: [PluginScope.consumerGroup],
    config: PluginFields.config([
      "rules": .array(
        of: .record(
          RecordSchema([
            "condition": FieldSchema.map(.string, .string).asRequired().checked(by: .lengthAtLeast(1))
              .described("Headers that must all have these values."),
            "upstream_name": .string.asRequired().described("Name of the Upstream that takes the request."),
          ]))
      ).asRequired().defaulting(to: .array([])).described("Rules in the order in which they are tried.")
    ]))

  struct Implementation: SnapshotAwarePluginImplementation {
    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      RouteByHeaderExecutor(
        rules: (instance.config["rules"]?.array ?? []).map { rule in
          RouteByHeaderExecutor.Rule(
            conditions: (rule["condition"]?.object ?? [:]).compactMap { name, value in value.string.map { (name, $0) } }
              .sorted { $0.0 < $1.0 },
            upstream: rule["upstream_name"]?.string ?? "")
        }, logger: context.logger)
    }
  }
}

/// The first rule whose headers are all there decides.
struct RouteByHeaderExecutor: PluginExecutor {
  struct Rule: Sendable {
    let conditions: [(name: String, value: String)]
    let upstream: String
  }

  let phases = PhaseSet(.access)
  let rules: [Rule]
  let logger: Logger

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    for rule in rules where !rule.conditions.isEmpty && holds(rule, context.requestHeaders) {
      if let upstreamExists = context.upstreamExists, !upstreamExists(rule.upstream) {
        logger.error("could not find an Upstream named '\(rule.upstream)', request_id: \"\(context.requestID)\"")
        context.refuse(500, nil)
      } else {
        context.upstream.host = rule.upstream
      }
      break
    }
    return .finished
  }

  private func holds(_ rule: Rule, _ headers: HeaderBlock) -> Bool {
    rule.conditions.allSatisfy { name, value in
      guard let index = headers.firstIndex(of: name) else { return false }
      return headers.withValue(at: index) { $0.elementsEqual(value.utf8) }
    }
  }
}
