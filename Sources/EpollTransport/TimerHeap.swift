import NIOCore

/// A task that is to run at a time. Confined to its loop once it is scheduled.
///
/// Sound: made on any thread, then handed to the loop, which alone touches it.
final class LoopTimer: @unchecked Sendable {
  let deadline: NIODeadline
  /// Tells apart timers of the same deadline: they run in the order in which they were scheduled.
  fileprivate(set) var sequence: UInt64 = 0
  fileprivate var index = -1
  let run: @Sendable () -> Void
  let fail: @Sendable (any Error) -> Void

  init(deadline: NIODeadline, run: @escaping @Sendable () -> Void, fail: @escaping @Sendable (any Error) -> Void) {
    self.deadline = deadline
    self.run = run
    self.fail = fail
  }

  fileprivate func isBefore(_ other: LoopTimer) -> Bool {
    deadline < other.deadline || (deadline == other.deadline && sequence < other.sequence)
  }
}

/// Timers by deadline: a binary heap whose members know their place, so that a cancelled one goes at once.
struct TimerHeap {
  private var timers: [LoopTimer] = []
  private var lastSequence: UInt64 = 0

  /// When the first one is due.
  var firstDeadline: NIODeadline? { timers.first?.deadline }

  mutating func insert(_ timer: LoopTimer) {
    lastSequence += 1
    timer.sequence = lastSequence
    timer.index = timers.count
    timers.append(timer)
    rise(timer.index)
  }

  /// Takes out the first one if it is due.
  mutating func popDue(at time: NIODeadline) -> LoopTimer? {
    guard let first = timers.first, first.deadline <= time else { return nil }
    remove(first)
    return first
  }

  /// Does nothing to one that is not there any more.
  mutating func remove(_ timer: LoopTimer) {
    let index = timer.index
    guard index >= 0, index < timers.count, timers[index] === timer else { return }
    timer.index = -1
    let last = timers.removeLast()
    guard last !== timer else { return }
    timers[index] = last
    last.index = index
    rise(index)
    sink(last.index)
  }

  mutating func removeAll() -> [LoopTimer] {
    defer { timers = [] }
    for timer in timers { timer.index = -1 }
    return timers
  }

  private mutating func rise(_ start: Int) {
    var index = start
    while index > 0 {
      let parent = (index - 1) / 2
      guard timers[index].isBefore(timers[parent]) else { return }
      exchange(index, parent)
      index = parent
    }
  }

  private mutating func sink(_ start: Int) {
    var index = start
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2] where child < timers.count && timers[child].isBefore(timers[least]) {
        least = child
      }
      guard least != index else { return }
      exchange(index, least)
      index = least
    }
  }

  private mutating func exchange(_ one: Int, _ other: Int) {
    timers.swapAt(one, other)
    timers[one].index = one
    timers[other].index = other
  }
}
