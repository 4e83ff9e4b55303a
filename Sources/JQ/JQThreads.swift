import CJQ
import Foundation
import Synchronization

/// The threads that jq programs run on.
///
/// Their stacks are deep: libjq walks nested values recursively, and how deep values can nest is bounded by the memory
/// limit alone. They are made when the first program is compiled and never end; a watching thread stops runs whose time
/// is over.
final class JQThreads: @unchecked Sendable {
  // Sound: everything mutable is used under `condition`.
  static let shared = JQThreads(count: max(2, min(8, ProcessInfo.processInfo.activeProcessorCount)))

  private struct Job {
    let deadline: JQDeadline?
    let work: @Sendable () -> Void
    let expired: @Sendable () -> Void
  }

  private let condition = NSCondition()
  private var jobs: [Job] = []
  private var firstJob = 0
  private let watch = JQWatch()

  /// Jobs that may wait for a thread; more are refused as too late.
  private static let longestQueue = 10_000
  /// Virtual memory; only what is used is ever backed.
  private static let stackSize = 512 << 20

  private init(count: Int) {
    for number in 0..<count {
      let thread = Thread { self.serve() }
      thread.name = "jq-\(number)"
      thread.stackSize = Self.stackSize
      thread.start()
    }
  }

  func run(
    milliseconds: Int, _ work: @escaping @Sendable (JQDeadline) -> Void, expired: @escaping @Sendable () -> Void
  ) {
    let deadline = JQDeadline(.now + .milliseconds(milliseconds))
    let job = Job(deadline: deadline, work: { work(deadline) }, expired: expired)
    if !enqueue(job) { expired() }
  }

  /// Runs something and waits for it, a few seconds at most; nil if it takes longer.
  func runAndWait<Value: Sendable>(_ work: @escaping @Sendable () -> Value) -> Value? {
    let result = Mutex<Value?>(nil)
    let box = SharedBox(result)
    let done = DispatchSemaphore(value: 0)
    let job = Job(
      deadline: nil,
      work: {
        let value = work()
        box.value.withLock { $0 = value }
        done.signal()
      }, expired: {})
    guard enqueue(job), done.wait(timeout: .now() + 10) == .success else { return nil }
    return box.value.withLock { $0 }
  }

  private func enqueue(_ job: Job) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    guard jobs.count - firstJob < Self.longestQueue else { return false }
    jobs.append(job)
    condition.signal()
    return true
  }

  private func next() -> Job {
    condition.lock()
    defer { condition.unlock() }
    while firstJob == jobs.count { condition.wait() }
    let job = jobs[firstJob]
    firstJob += 1
    if firstJob == jobs.count || firstJob > 1024 {
      jobs.removeFirst(firstJob)
      firstJob = 0
    }
    return job
  }

  private func serve() {
    while true {
      let job = next()
      guard let deadline = job.deadline else {
        job.work()
        continue
      }
      guard deadline.instant > .now else {
        job.expired()
        continue
      }
      watch.add(deadline)
      job.work()
      watch.remove(deadline)
    }
  }
}

/// Holds what cannot be copied, for closures.
private final class SharedBox<Value: ~Copyable & Sendable>: Sendable {
  let value: Value
  init(_ value: consuming Value) { self.value = value }
}

/// When a run must be over, and the program that is at work until then.
final class JQDeadline: @unchecked Sendable {
  // Sound: the handle is only used under the lock; it is set while the program is at work and thus not freed.
  let instant: ContinuousClock.Instant
  private let lock = NSLock()
  private var handle: OpaquePointer?

  init(_ instant: ContinuousClock.Instant) { self.instant = instant }

  func begin(_ handle: OpaquePointer) { lock.withLock { self.handle = handle } }

  func end() { lock.withLock { handle = nil } }

  /// Stops the program that is at work.
  func expire() { lock.withLock { if let handle { sluice_jq_stop(handle) } } }
}

/// Stops runs whose time is over.
private final class JQWatch: @unchecked Sendable {
  // Sound: everything mutable is used under `condition`.
  private let condition = NSCondition()
  private var running: [ObjectIdentifier: JQDeadline] = [:]

  init() {
    let thread = Thread { self.serve() }
    thread.name = "jq-watch"
    thread.start()
  }

  func add(_ deadline: JQDeadline) {
    condition.lock()
    running[ObjectIdentifier(deadline)] = deadline
    if running.count == 1 { condition.signal() }
    condition.unlock()
  }

  func remove(_ deadline: JQDeadline) {
    condition.lock()
    running[ObjectIdentifier(deadline)] = nil
    condition.unlock()
  }

  /// Looks every few milliseconds while something runs.
  private func serve() {
    condition.lock()
    while true {
      if running.isEmpty {
        condition.wait()
        continue
      }
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.01))
      let now = ContinuousClock.now
      for deadline in running.values where deadline.instant <= now { deadline.expire() }
    }
  }
}
