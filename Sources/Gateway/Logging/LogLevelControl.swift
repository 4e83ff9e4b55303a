import Logging
import Synchronization

/// The level of the error log, which the Admin API may change while the process runs.
final class LogLevelControl: Sendable {
  private let configured: Logger.Level
  private let current: Mutex<(level: Logger.Level, change: UInt64)>

  init(_ level: Logger.Level) {
    configured = level
    current = Mutex((level, 0))
  }

  var level: Logger.Level { current.withLock { $0.level } }

  /// Changes the level; after `timeout` seconds the configured one holds again unless it was changed once more.
  func set(_ level: Logger.Level, timeout: Int?) {
    let change = current.withLock { current in
      current = (level, current.change + 1)
      return current.change
    }
    guard let timeout, timeout > 0 else { return }
    Task {
      try? await Task.sleep(for: .seconds(timeout))
      current.withLock { current in
        if current.change == change { current.level = configured }
      }
    }
  }
}
