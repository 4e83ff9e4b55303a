import Dispatch
import Foundation

/// Waiting for the signals that ask the process to end.
public enum TerminationSignal {
  /// Returns after the first SIGTERM, SIGINT or SIGQUIT, or when the task is cancelled.
  public static func wait() async {
    let stream = AsyncStream<Void> { continuation in
      let sources = [SIGTERM, SIGINT, SIGQUIT].map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler {
          continuation.yield()
          continuation.finish()
        }
        source.resume()
        return source
      }
      continuation.onTermination = { _ in sources.forEach { $0.cancel() } }
    }
    for await _ in stream { return }
  }
}
