import CLuaBridge
import EntityModel
import PluginKit

/// Lua texts in the configuration of plugins written in Swift: each runs as a phase of its plugin does, with the same
/// sandbox and bounds.
public struct LuaScriptRuntime: PluginScriptRuntime {
  private let settings: LuaSettings

  public init(settings: LuaSettings) { self.settings = settings }

  public func scripts(_ texts: [String], _ style: PluginScriptStyle, plugin: String) -> any PluginScripts {
    LuaScripts(texts, style, plugin: plugin, settings)
  }
}

/// The texts of one instance. What belongs to one loop lies in that loop's `LuaHost`.
private final class LuaScripts: PluginScripts {
  private let texts: [String]
  private let style: PluginScriptStyle
  private let plugin: String
  private let settings: LuaSettings
  private let key = nextExecutorKey()
  private let life = LuaLife()
  /// Of the plugins that have such texts, all of them bundled.
  private static let version = "3.15.0"

  init(_ texts: [String], _ style: PluginScriptStyle, plugin: String, _ settings: LuaSettings) {
    self.texts = texts
    self.style = style
    self.plugin = plugin
    self.settings = settings
  }

  func prepare(on loop: LoopServices) throws(PluginCompileError) {
    // Kong takes such a configuration and fails when it runs.
    guard settings.sandbox != .off else { return }
    let host = try LuaHost.host(on: loop, settings: settings)
    if host.instance(key) != nil { return }
    let tenant = LuaTenant(plugin: plugin, version: Self.version, on: host)
    let table = try host.load(scripts: texts, returnFunctions: style == .function, tenant)
    let handler = LuaHandler(table: table, tenant, names: (1...max(1, texts.count)).map { "script\($0)" }, on: host)
    host.keep(LuaInstance(life, handler, configuration: luaNoReference, host: host), key: key)
  }

  func run(
    _ index: Int, with argument: JSONValue?, in context: RequestContext
  ) throws(PluginScriptError) -> JSONValue? {
    guard settings.sandbox != .off else { throw PluginScriptError(LuaHost.sandboxIsOff) }
    do throws(PluginCompileError) {
      try prepare(on: context.loop)
    } catch {
      throw PluginScriptError(error.reason)
    }
    guard let host = context.loop.scriptHost as? LuaHost, let loaded = host.instance(key),
      loaded.handler.functions.indices.contains(index)
    else { throw PluginScriptError("not enough memory") }
    host.exchange = LuaScriptExchange(argument: argument)
    let outcome = host.run(
      loaded.handler.functions[index], handler: luaNoReference, configuration: luaNoReference, key: key, plugin: plugin,
      context.phase, context)
    let exchange = host.exchange
    host.exchange = LuaScriptExchange()
    guard case .finished = outcome else { throw PluginScriptError("the Lua text has failed") }
    switch exchange.result {
    case nil: throw PluginScriptError("the Lua text has ended early")
    case .nil: return nil
    case let value?:
      guard let json = value.json else {
        throw PluginScriptError("the Lua text has returned a value that is no JSON (\(value.typeName))")
      }
      return json
    }
  }
}

/// The value that a text is given, and the one that it returns.
struct LuaScriptExchange {
  var argument: JSONValue?
  /// Nil until the text has returned.
  var result: LuaValue?
}

/// How the runtime's own Lua code reaches the exchange.
enum ScriptNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("script.argument", .any, level: .internal, "The value that a text is called with.") {
      (call) throws(LuaFault) in
      write(call.host.exchange.argument ?? .null, to: call)
    },
    PDKFunction("script.result", .any, level: .internal, wants: .tables, "Takes what a text returns.") {
      (call) throws(LuaFault) in
      call.host.exchange.result = call.value(0)
    },
  ]

  /// As the JSON library decodes it: nulls stay, and lists stay lists when they are empty.
  private static func write(_ value: JSONValue, to call: LuaCall) {
    switch value {
    case .array(let elements):
      call.beginList(elements.count, isArray: true)
      for element in elements { write(element, to: call) }
    case .object(let members):
      call.beginTable(members.count)
      for (name, member) in members {
        call.returns(name)
        write(member, to: call)
      }
    default: call.returns(value, keepingNulls: true)
    }
  }
}
