import Synchronization

/// Counts, for the whole process, the calls of plugins that a limit has ended.
///
/// Safe to use from any thread. Only such ends take the lock; a call that stays within its limits never comes here.
public final class LuaMeter: Sendable {
  /// What is counted apart.
  public struct Key: Sendable, Hashable {
    public let plugin: String
    public let version: String
    /// Kong's name of the phase; `load` while a handler is loaded.
    public let phase: String
    public let limit: LuaLimit
  }

  private let ends = Mutex<[Key: Int]>([:])
  private let states = Mutex<Int>(0)

  public init() {}

  func count(_ key: Key) { ends.withLock { $0[key, default: 0] += 1 } }

  func countReplacedState() { states.withLock { $0 += 1 } }

  /// Ended calls since the start, by plugin, version, phase and limit.
  public var endedCalls: [Key: Int] { ends.withLock { $0 } }

  /// Lua states that were lost and replaced since the start.
  public var replacedStates: Int { states.withLock { $0 } }
}
