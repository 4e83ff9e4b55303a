import EntityModel

/// Runs Lua that is part of the configuration of plugins written in Swift, in the sandbox of streamed plugins.
public protocol PluginScriptRuntime: Sendable {
  /// Texts of one instance that share nothing but `kong` and `ngx`.
  func scripts(_ texts: [String], _ style: PluginScriptStyle, plugin: String) -> any PluginScripts
}

/// What a text of a configuration is.
public enum PluginScriptStyle: Sendable {
  /// A chunk that runs each time and returns the value.
  case value
  /// A chunk that runs once on each event loop and returns a function of one value.
  case function
}

/// Lua texts that are ready to run. Used on event loops; each has its own Lua state.
public protocol PluginScripts: Sendable {
  /// Loads the texts on a loop. Done at the first run otherwise.
  func prepare(on loop: LoopServices) throws(PluginCompileError)

  /// Runs a text in the phase that the request is in; it cannot wait.
  ///
  /// - Parameters:
  ///   - index: Place of the text.
  ///   - argument: What a function is called with.
  /// - Returns: Nil for Lua's nil.
  /// - Throws: `PluginScriptError`. Lua's own errors are in the log already.
  func run(_ index: Int, with argument: JSONValue?, in context: RequestContext) throws(PluginScriptError) -> JSONValue?
}

/// Why a text has no result.
public struct PluginScriptError: Error, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// For places where nothing runs.
struct AbsentScriptRuntime: PluginScriptRuntime {
  private struct Absent: PluginScripts {
    func prepare(on loop: LoopServices) {}

    func run(
      _ index: Int, with argument: JSONValue?, in context: RequestContext
    ) throws(PluginScriptError) -> JSONValue? {
      throw PluginScriptError("no Lua runs here")
    }
  }

  func scripts(_ texts: [String], _ style: PluginScriptStyle, plugin: String) -> any PluginScripts { Absent() }
}
