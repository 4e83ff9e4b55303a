/// How much the code of one streamed plugin may use; 0 stands for no limit.
///
/// The operator sets them, for all plugins and for single ones; a plugin cannot.
public struct LuaQuota: Sendable, Hashable {
  /// CPU milliseconds of one phase call, all parts between its waits together.
  public var cpuMilliseconds = 50
  /// CPU milliseconds for running a handler's chunk when it is loaded.
  public var loadMilliseconds = 500
  /// Bytes that one plugin version may hold in the state of one event loop, garbage not yet collected included.
  public var pluginMemory = 128 << 20
  /// Bytes that the calls of one request may add to that.
  public var requestMemory = 64 << 20
  /// Coroutines that one phase call may make.
  public var coroutines = 1000
  /// Bytes of a string that `string.rep` makes.
  public var stringSize = 16 << 20
  /// Steps of one call of `string.find`, `match`, `gmatch` or `gsub`.
  public var patternSteps = 20_000_000

  public init() {}
}

/// What the operator has set for one streamed plugin.
public struct LuaAllowance: Sendable, Hashable {
  public var quota: LuaQuota
  /// The compiler works on the plugin's code, and nothing limits its CPU time: machine code of a loop cannot be
  /// stopped.
  public var isTrusted: Bool

  public init(quota: LuaQuota, isTrusted: Bool = false) {
    self.quota = quota
    self.isTrusted = isTrusted
  }
}

/// A limit that ended a call of a plugin.
public enum LuaLimit: String, Sendable, CaseIterable {
  case cpuTime = "cpu_time"
  case coroutines
  case requestMemory = "request_memory"
  case pluginMemory = "plugin_memory"
  case stateMemory = "state_memory"
}
