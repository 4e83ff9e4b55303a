import Logging
import PluginKit

/// How much a streamed plugin may do: Kong's `untrusted_lua`.
///
/// Source: Kong fact, pdk §8.
public enum SandboxMode: String, Sendable, CaseIterable {
  /// Loading is refused.
  case off
  /// The allow-list without file or network.
  case strict
  /// Strict, and network, cache and upstream setters.
  case lax
  /// Kong's older mode: everything of `kong` and `ngx`, and the modules and globals that the operator lists.
  case sandbox
  /// No restriction of the environment beyond what the runtime itself needs.
  case on
}

/// What the Lua runtime may use, for every state of the process.
public struct LuaSettings: Sendable {
  public var sandbox: SandboxMode
  /// Bytes that one event loop's Lua state may hold.
  public var memoryLimit: Int
  /// What every plugin may use that has no allowance of its own.
  public var quota: LuaQuota
  /// What the operator has set for single plugins, by name.
  public var allowances: [String: LuaAllowance]
  public var meter: LuaMeter
  /// Nil on a gateway that serves.
  public var trace: LuaTrace?
  /// Bytes of a request body that plugins get without naming a limit (`client_body_buffer_size`).
  public var bodyBufferSize: Int
  public var logSink: any LuaLogSink
  /// Modules that `require` gives, and global names that there are, in the mode `sandbox`.
  public var sandboxModules: [String] = []
  public var sandboxGlobals: [String] = []
  /// The share of traces that are kept, 0 to 1; nil while tracing is off.
  public var tracingSamplingRate: Double?
  /// Whether traces begin with a span of the request itself, and have one for each attempt to reach an upstream.
  public var tracesRequests = false
  public var tracesBalancer = false
  public var socketTLS = LuaSocketTLS()
  public var listLimits = LuaListLimits()

  public init(
    sandbox: SandboxMode = .strict, memoryLimit: Int = 256 << 20, quota: LuaQuota = LuaQuota(),
    allowances: [String: LuaAllowance] = [:], meter: LuaMeter = LuaMeter(), bodyBufferSize: Int = 8192,
    logSink: any LuaLogSink = LoggerLuaLogSink(Logger(label: "lua"))
  ) {
    self.sandbox = sandbox
    self.memoryLimit = memoryLimit
    self.quota = quota
    self.allowances = allowances
    self.meter = meter
    self.bodyBufferSize = bodyBufferSize
    self.logSink = logSink
  }
}

/// How many members plugins read of a list when they name no number themselves, 1 to 1000: `lua_max_*`.
public struct LuaListLimits: Sendable, Hashable {
  public var requestHeaders = 100
  public var responseHeaders = 100
  public var queryArguments = 100
  public var formArguments = 100

  public init() {}
}

extension LuaSettings {
  /// What a plugin may use.
  func allowance(of plugin: String) -> LuaAllowance { allowances[plugin] ?? LuaAllowance(quota: quota) }

  /// Whether states need the compiler: some plugin is trusted. With the sandbox off, code that plugins load at run time
  /// could not be told from trusted code, so that the compiler stays off.
  var needsCompiler: Bool { sandbox != .on && allowances.values.contains(where: \.isTrusted) }
}

/// Levels of `kong.log` and `ngx.log`, most severe first; raw values are nginx's.
public enum LuaLogLevel: Int, Sendable, CaseIterable, Comparable {
  case emerg = 1, alert, crit, err, warn, notice, info, debug

  public var name: String { "\(self)" }

  public static func < (left: LuaLogLevel, right: LuaLogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// Where lines written by plugins, and errors of plugins, go.
public protocol LuaLogSink: Sendable {
  /// Whether lines of that level are kept; others are not even made.
  func isEnabled(_ level: LuaLogLevel) -> Bool

  /// Takes one line. Called on the event loop; must not block.
  /// - Parameter line: Without time and level, for example `[kong] handler.lua:3 [replaceme] replaced 2 words`.
  func write(_ level: LuaLogLevel, line: String, requestID: String?)
}

/// Lines of plugins as lines of a `Logger`.
public struct LoggerLuaLogSink: LuaLogSink {
  private let logger: Logger

  public init(_ logger: Logger) { self.logger = logger }

  public func isEnabled(_ level: LuaLogLevel) -> Bool { logger.logLevel <= Self.level(level) }

  public func write(_ level: LuaLogLevel, line: String, requestID: String?) {
    logger.log(
      level: Self.level(level), "\(line)", metadata: requestID.map { ["request_id": .string($0)] })
  }

  private static func level(_ level: LuaLogLevel) -> Logger.Level {
    switch level {
    case .emerg, .alert, .crit: .critical
    case .err: .error
    case .warn: .warning
    case .notice: .notice
    case .info: .info
    case .debug: .debug
    }
  }
}
