import Foundation
import UnixSignals

/// Waiting for the signals that ask the process to end.
public enum TerminationSignal {
  /// Returns after the first SIGTERM, SIGINT or SIGQUIT, or when the task is cancelled.
  public static func wait() async {
    for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigquit) { return }
  }
}
