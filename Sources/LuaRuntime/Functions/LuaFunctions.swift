import CLuaBridge
import EntityModel
import PluginKit

/// Lua texts as configuration: each phase runs its texts in order.
///
/// A text that returns a function is run once on each event loop; from then on the returned function runs in its place,
/// so that its upvalues live across requests. Source: Kong fact, bundled-16 §12.
struct LuaFunctions: PluginImplementation {
  let settings: LuaSettings

  func makeExecutor(for instance: PluginInstance) throws(PluginCompileError) -> any PluginExecutor {
    LuaFunctionExecutor(instance, settings)
  }
}

/// The texts of one instance. What belongs to one loop lies in that loop's `LuaHost`.
final class LuaFunctionExecutor: PluginExecutor {
  let phases: PhaseSet
  private let instance: PluginInstance
  private let settings: LuaSettings
  private let key = nextExecutorKey()
  private let life = LuaLife()
  /// The texts by the name of their phase; phases without any are left out.
  private let texts: [String: JSONValue]

  init(_ instance: PluginInstance, _ settings: LuaSettings) {
    self.instance = instance
    self.settings = settings
    texts = Dictionary(
      uniqueKeysWithValues: LuaBundledPlugins.phases.compactMap { phase in
        guard let texts = instance.config[phase.name], texts.array?.isEmpty == false else { return nil }
        return (phase.name, texts)
      })
    phases = PhaseSet(texts.keys.compactMap { Phase(name: $0) })
  }

  func prepare(on loop: LoopServices) throws(PluginCompileError) {
    // Kong takes such a configuration and fails when it runs.
    guard settings.sandbox != .off else { return }
    let host = try LuaHost.host(on: loop, settings: settings)
    if host.instance(key) != nil { return }
    let tenant = LuaTenant(plugin: instance.pluginName, version: instance.pluginVersion, on: host)
    let table = try host.load(functions: texts, tenant)
    let handler = LuaHandler(table: table, tenant, on: host)
    host.keep(LuaInstance(life, handler, configuration: luaNoReference, host: host), key: key)
  }

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    if let outcome = runLoaded(phase, context) { return outcome }
    do throws(PluginCompileError) {
      guard settings.sandbox != .off else {
        throw PluginCompileError(plugin: instance.pluginName, reason: LuaHost.sandboxIsOff)
      }
      try prepare(on: context.loop)
    } catch {
      settings.logSink.write(.err, line: "[kong] \(error)", requestID: context.requestID)
      return .failed
    }
    return runLoaded(phase, context) ?? .failed
  }

  /// Nil if the texts are not loaded on this loop.
  private func runLoaded(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome? {
    guard let host = context.loop.scriptHost as? LuaHost, let loaded = host.instance(key) else { return nil }
    let function = loaded.handler.functions[Int(phase.rawValue)]
    guard function != luaNoReference else { return .finished }
    return host.run(
      function, handler: luaNoReference, configuration: luaNoReference, key: key, plugin: instance.pluginName, phase,
      context)
  }
}
