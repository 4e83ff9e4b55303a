/// Is told what Lua plugins do, call by call: for `sluice plugin run`. Called on the event loop.
public typealias LuaTrace = @Sendable (LuaTraceEvent) -> Void

public enum LuaTraceEvent: Sendable {
  /// A function of the plugin API was called. Arguments and results as Lua writes them, long ones cut; `failure` is what
  /// it raised.
  case call(phase: String, function: String, arguments: [String], results: [String], failure: String?)
  /// A phase call (or the part of it until it waits) came to its end.
  case ended(plugin: String, phase: String, outcome: Outcome, cpuNanoseconds: UInt64, memoryGrowth: Int)

  public enum Outcome: String, Sendable {
    case finished, exited, waiting, failed
  }
}
