import Logging
import Synchronization

/// Keeps what plugins say in the log.
final class RecordingLog: LogHandler, Sendable {
  private let lines = Mutex<[(level: Logger.Level, text: String)]>([])

  func log(event: LogEvent) {
    lines.withLock { $0.append((event.level, event.message.description)) }
  }

  private func texts(_ level: Logger.Level) -> [String] {
    lines.withLock { $0.filter { $0.level == level }.map(\.text) }
  }

  var errors: [String] { texts(.error) }
  var warnings: [String] { texts(.warning) }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { .trace }
    set {}
  }

  var logger: Logger { Logger(label: "test", factory: { _ in self }) }
}
