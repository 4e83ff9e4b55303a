import CLuaBridge
import EntityModel
import PluginKit
import Synchronization

/// What makes two handlers the same: loaded once per event loop.
struct LuaSourceIdentity: Hashable, Sendable {
  let name: String
  let version: String
  let source: String
}

/// A streamed plugin: Lua text of a handler, run in the phases that it has.
///
/// Source: Kong fact, plugin-entity §4 and §8.
public struct LuaPlugin: PluginImplementation {
  let name: String
  let version: String
  let source: String
  let phases: PhaseSet
  let settings: LuaSettings
  /// Says where a configuration may refer to secrets.
  let schema: PluginSchema?

  /// - Parameters:
  ///   - source: Text of the handler chunk, which returns the handler's table.
  ///   - phases: The phases that the handler has, as found when it was stored.
  public init(
    name: String, version: String, source: String, phases: PhaseSet, settings: LuaSettings, schema: PluginSchema? = nil
  ) {
    self.name = name
    self.version = version
    self.source = source
    self.phases = phases
    self.settings = settings
    self.schema = schema
  }

  var identity: LuaSourceIdentity { LuaSourceIdentity(name: name, version: version, source: source) }

  public func makeExecutor(for instance: PluginInstance) throws(PluginCompileError) -> any PluginExecutor {
    LuaExecutor(self, instance)
  }
}

/// Numbers executors, so that a loop finds what it keeps for each.
private let lastExecutorKey = Atomic<Int>(0)

func nextExecutorKey() -> Int { lastExecutorKey.add(1, ordering: .relaxed).newValue }

/// A configured streamed plugin. What belongs to one loop (handler, configuration table) lies in that loop's `LuaHost`.
final class LuaExecutor: PluginExecutor {
  let plugin: LuaPlugin
  let instance: PluginInstance
  let key = nextExecutorKey()
  private let life = LuaLife()

  init(_ plugin: LuaPlugin, _ instance: PluginInstance) {
    self.plugin = plugin
    self.instance = instance
  }

  var phases: PhaseSet { plugin.phases }

  func prepare(on loop: LoopServices) throws(PluginCompileError) {
    let host = try LuaHost.host(on: loop, settings: plugin.settings)
    if host.instance(key) != nil { return }
    let handler = try host.handler(for: plugin)
    let configuration = try host.keep(configurationOf: instance, schema: plugin.schema)
    host.keep(LuaInstance(life, handler, configuration: configuration, host: host), key: key)
  }

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    guard let host = context.loop.scriptHost as? LuaHost, let loaded = host.instance(key) else {
      do throws(PluginCompileError) {
        try prepare(on: context.loop)
      } catch {
        plugin.settings.logSink.write(.err, line: "[kong] \(error)", requestID: context.requestID)
        (context.loop.scriptHost as? LuaHost)?.giveUpIfFull(nil, on: context.loop)
        return .failed
      }
      guard let host = context.loop.scriptHost as? LuaHost, let loaded = host.instance(key) else { return .failed }
      return run(loaded, on: host, phase, context)
    }
    return run(loaded, on: host, phase, context)
  }

  private func run(_ loaded: LuaInstance, on host: LuaHost, _ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    let function = loaded.handler.functions[Int(phase.rawValue)]
    guard function != luaNoReference else { return .finished }
    return host.run(
      function, handler: loaded.handler.table, configuration: loaded.configuration, key: key, plugin: plugin.name,
      phase, context)
  }
}

/// The handler table of one source in one state.
final class LuaHandler {
  private let raw: UnsafeMutablePointer<slu_host>
  let tenant: LuaTenant
  let table: Int32
  /// For those who refer to the handler weakly; see `LuaLife`.
  let life = LuaLife()
  /// Reference of the function of each phase, by raw value.
  let functions: [Int32]

  init(_ plugin: LuaPlugin, on host: LuaHost) throws(PluginCompileError) {
    raw = host.raw
    tenant = LuaTenant(plugin: plugin.name, version: plugin.version, on: host)
    let chunk = try host.load(chunk: plugin.source, named: "@\(plugin.name)/handler.lua", tenant)
    defer { host.release(chunk) }
    let argument = host.keep(text: "kong.plugins.\(plugin.name).handler")
    defer { host.release(argument) }
    let table = try host.evaluate(chunk, argument: argument, tenant)
    guard table != luaNoReference else {
      throw PluginCompileError(plugin: plugin.name, reason: "the handler does not return a table")
    }
    self.table = table
    functions = Phase.allCases.map { host.function($0.name, of: table) }
  }

  /// - Parameters:
  ///   - table: Reference of a table with functions by name; released with this.
  ///   - names: Names of the functions in their order, those of the phases unless said otherwise.
  init(table: Int32, _ tenant: LuaTenant, names: [String] = Phase.allCases.map(\.name), on host: LuaHost) {
    raw = host.raw
    self.tenant = tenant
    self.table = table
    functions = names.map { host.function($0, of: table) }
  }

  deinit {
    // Runs at the latest while the host ends, before its state is closed.
    slu_host_release(raw, table)
    for function in functions { slu_host_release(raw, function) }
  }
}

/// A configured plugin in one state. The configuration is one Lua table for all requests of the loop, as in Kong.
final class LuaInstance {
  private let raw: UnsafeMutablePointer<slu_host>
  private weak var life: LuaLife?
  let handler: LuaHandler
  let configuration: Int32

  /// - Parameter life: of the executor that the instance belongs to.
  init(_ life: LuaLife, _ handler: LuaHandler, configuration: Int32, host: LuaHost) {
    self.life = life
    self.handler = handler
    self.configuration = configuration
    raw = host.raw
  }

  deinit { slu_host_release(raw, configuration) }

  /// Whether a snapshot still holds the executor.
  var isWanted: Bool { life != nil }
}

/// Lives as long as what holds it, an executor or a handler. Weak references are to this instead of to that: every retain
/// of an object with weak references is several times as expensive.
final class LuaLife: Sendable {}
