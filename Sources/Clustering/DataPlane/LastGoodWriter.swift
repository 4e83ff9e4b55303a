import Dispatch
import Logging
import Synchronization

/// Writes the last-good copy when it has been quiet for a moment, and not for each configuration: a burst of changes
/// costs one write, and none of them waits for the disk.
///
/// Until the newer copy is written the older one lies there, whole. Where there is none yet the first is written at
/// once. Safe to use from any thread; files are written on a queue of its own.
final class LastGoodWriter: Sendable {
  private struct State {
    var pending: ReceivedMessage?
    /// When the oldest configuration that is not written yet came, and the newest.
    var since = DispatchTime.now()
    var latest = DispatchTime.now()
    var isWaiting = false
    var hasCopy: Bool
  }

  private let copy: LastGoodCopy
  private let logger: Logger
  private let quiet: DispatchTimeInterval
  private let longest: DispatchTimeInterval
  private let queue = DispatchQueue(label: "sluice.last-good", qos: .utility)
  private let state: Mutex<State>

  /// - Parameters:
  ///   - quiet: how long no other configuration must have come.
  ///   - longest: how long a configuration may wait for that.
  init(copy: LastGoodCopy, quiet: DispatchTimeInterval, longest: DispatchTimeInterval, logger: Logger) {
    self.copy = copy
    self.quiet = quiet
    self.longest = longest
    self.logger = logger
    state = Mutex(State(hasCopy: copy.exists))
  }

  /// Takes the message of a configuration that runs now. Returns at once.
  func keep(_ message: ReceivedMessage) {
    let isToBeWrittenNow: Bool? = state.withLock { state in
      let now = DispatchTime.now()
      if state.pending == nil { state.since = now }
      state.latest = now
      state.pending = message
      if !state.hasCopy {
        state.hasCopy = true
        return true
      }
      if state.isWaiting { return nil }
      state.isWaiting = true
      return false
    }
    switch isToBeWrittenNow {
    case true?: queue.async { self.write() }
    case false?: wait(until: min(.now() + quiet, .now() + longest))
    case nil: break
    }
  }

  /// Writes what is not written yet, and returns when that is done.
  func flush() async {
    await withCheckedContinuation { continuation in
      queue.async {
        self.write()
        continuation.resume()
      }
    }
  }

  private func wait(until time: DispatchTime) {
    queue.asyncAfter(deadline: time) {
      let next: DispatchTime? = self.state.withLock { state in
        let due = min(state.latest + self.quiet, state.since + self.longest)
        if state.pending != nil, due > .now() { return due }
        state.isWaiting = false
        return nil
      }
      if let next { self.wait(until: next) } else { self.write() }
    }
  }

  private func write() {
    guard
      let message = state.withLock({ state in
        defer { state.pending = nil }
        return state.pending
      })
    else { return }
    do throws(FileFailure) {
      try copy.save(message.bytes)
      logger.debug("the last-good configuration is written")
    } catch {
      logger.error("the last-good configuration cannot be kept: \(error)")
    }
  }
}
