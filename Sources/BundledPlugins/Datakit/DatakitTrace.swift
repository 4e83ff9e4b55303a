import EntityModel
import PluginKit

/// What happened to the nodes of one request, for a client that asked in debug mode.
///
/// Source: Kong fact, bundled-16 §7; the peer calls the form of the report unstable.
struct DatakitTrace {
  private let startedAt: Double
  private let start = ContinuousClock.now
  private var events: [JSONValue] = []
  private var begins: [Int: Double] = [:]

  /// - Parameter milliseconds: since the epoch.
  init(startedAtMilliseconds milliseconds: Int64) { startedAt = Double(milliseconds) / 1000 }

  /// Whether the request asks for a trace.
  static func isWanted(by headers: HeaderBlock) -> Bool {
    guard let value = headers.first("x-datakit-debug-trace") else { return false }
    return ["true", "yes", "on", "1", "enabled"].contains(value.lowercased())
  }

  private var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }

  mutating func note(_ action: String, _ node: DatakitPlan.Node, _ index: Int, _ values: [(String, DatakitValue)]) {
    let at = elapsed
    var event: [String: JSONValue] = [
      "name": .string(node.name), "type": .string(node.type), "action": .string(action), "at": .number(at),
    ]
    if !values.isEmpty {
      event["values"] = .array(
        values.map { key, value in
          var shown: [String: JSONValue] = ["type": .string(value.kind)]
          if !key.isEmpty { shown["key"] = .string(key) }
          if !value.isNil { shown["value"] = value.json }
          return .object(shown)
        })
    }
    if action == "run" {
      begins[index] = at
    } else if let begin = begins[index] {
      event["duration"] = .number(at - begin)
    }
    events.append(.object(event))
  }

  func report(_ run: DatakitRun) -> JSONValue {
    let at = elapsed
    let nodes = run.plan.nodes.enumerated().map { index, node -> JSONValue in
      var shown: [String: JSONValue] = [
        "name": .string(node.name), "type": .string(node.type), "status": .string(run.states[index].name),
      ]
      if let failure = run.failure, failure.node == index { shown["error"] = .string(failure.reason) }
      return .object(shown)
    }
    return [
      "started_at": .number(startedAt), "ended_at": .number(startedAt + at), "duration": .number(at),
      "status": .string(run.failure == nil ? "PLAN_COMPLETE" : "PLAN_ERROR"), "nodes": .array(nodes),
      "events": .array(events),
    ]
  }
}
