/// What a loop watches: a connection or a listening socket.
///
/// Public because its subclasses are; there is nothing here for others.
///
/// Sound: touched on its loop alone, but for what subclasses say is different.
public class EpollSource: @unchecked Sendable {
  /// Slot and generation in the loop's table.
  @exclusivity(unchecked) final var token: UInt64 = 0
  /// Waits in the loop's list of sources that have more to do.
  @exclusivity(unchecked) final var isQueued = false

  init() {}

  /// The system has said something: bits of `epoll_wait`.
  func handle(_ events: UInt32) {}

  /// There was more to do than one turn was to take.
  func continueWork() {}

  /// The loop ends.
  func loopEnds() {}
}
