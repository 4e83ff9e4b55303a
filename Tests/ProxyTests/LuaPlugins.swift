import EntityModel
import LuaRuntime
import PluginKit
import Synchronization

/// Lines that plugins wrote.
final class PluginLines: LuaLogSink {
  private let lines = Mutex<[String]>([])

  func isEnabled(_ level: LuaLogLevel) -> Bool { true }

  func write(_ level: LuaLogLevel, line: String, requestID: String?) {
    lines.withLock { $0.append("\(level.name) \(line)") }
  }

  var all: [String] { lines.withLock { $0 } }
}

/// Streamed plugins for a proxy.
struct LuaPlugins {
  let log = PluginLines()
  var settings: LuaSettings

  init(_ sandbox: SandboxMode = .lax, change: (inout LuaSettings) -> Void = { _ in }) {
    settings = LuaSettings(sandbox: sandbox, logSink: log)
    change(&settings)
  }

  /// A plugin from the functions of its handler, by their phases.
  func plugin(_ name: String, priority: Int = 1000, _ functions: [Phase: String]) -> PluginDefinition {
    var source = "local H = {PRIORITY = \(priority), VERSION = \"1.0\"}\n"
    // In order, so that lines have the same numbers each time.
    for (phase, body) in functions.sorted(by: { $0.key.rawValue < $1.key.rawValue }) { source += "function H:\(phase.name)(conf)\n\(body)\nend\n" }
    return PluginDefinition(
      description: PluginDescription(
        name: name, origin: .streamed, priority: priority, version: "1.0",
        schema: PluginSchema(name: name, fields: [])),
      phases: PhaseSet(functions.keys),
      implementation: LuaPlugin(
        name: name, version: "1.0", source: source + "return H", phases: PhaseSet(functions.keys), settings: settings))
  }

  static func instance(_ name: String, config: JSONValue = [:], route: String? = nil) -> EntityFields {
    var entity: EntityFields = ["id": .string("instance-\(name)"), "name": .string(name), "config": config]
    if let route { entity["route"] = ["id": .string(route)] }
    return entity
  }
}
