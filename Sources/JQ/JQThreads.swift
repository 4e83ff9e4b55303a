import CJQ
import Foundation
import Synchronization

/// The threads that jq programs run on.
///
/// Their stacks are deep: libjq walks nested values recursively, and how deep values can nest is bounded by the memory
/// limit alone. They are made when the first program is compiled and never end; a watching thread stops runs whose time
/// is over. One program has at most half of the threads at a time, so that one that does not end leaves room for others.
final class JQThreads: @unchecked Sendable {
  // Sound: everything mutable is used under `condition`.
  static let shared = JQThreads(count: max(8, min(32, 2 * ProcessInfo.processInfo.activeProcessorCount)))

  private struct Job {
    /// The program that is run, nil for other work.
    let owner: ObjectIdentifier?
    let deadline: JQDeadline?
    let work: @Sendable () -> Void
  }

  private let condition = NSCondition()
  private var jobs: [Job] = []
  /// Threads at work, by program.
  private var threadsByOwner: [ObjectIdentifier: Int] = [:]
  private let threadsPerOwner: Int
  private let watch = JQWatch()

  /// Jobs that may wait for a thread; more are refused as too late.
  private static let longestQueue = 10_000
  /// Virtual memory; only what is used is ever backed.
  private static let stackSize = 512 << 20

  private init(count: Int) {
    threadsPerOwner = max(1, count / 2)
    for number in 0..<count {
      let thread = Thread { self.serve() }
      thread.name = "jq-\(number)"
      thread.stackSize = Self.stackSize
      thread.start()
    }
  }

  /// Does some work for a program; the result, or a failure when its time is over.
  func run(
    for owner: AnyObject, milliseconds: Int, _ work: @escaping @Sendable (JQDeadline) -> Result<[UInt8]?, JQError>,
    _ completion: @escaping @Sendable (Result<[UInt8]?, JQError>) -> Void
  ) {
    let deadline = JQDeadline(.now + .milliseconds(milliseconds), completion)
    let job = Job(
      owner: ObjectIdentifier(owner), deadline: deadline, work: { deadline.complete(work(deadline)) })
    guard enqueue(job) else { return deadline.complete(.failure(.timeout)) }
    watch.add(deadline)
  }

  /// Runs something and waits for it, a few seconds at most; nil if it takes longer.
  func runAndWait<Value: Sendable>(_ work: @escaping @Sendable () -> Value) -> Value? {
    let result = Mutex<Value?>(nil)
    let box = SharedBox(result)
    let done = DispatchSemaphore(value: 0)
    let job = Job(
      owner: nil, deadline: nil,
      work: {
        let value = work()
        box.value.withLock { $0 = value }
        done.signal()
      })
    guard enqueue(job), done.wait(timeout: .now() + 10) == .success else { return nil }
    return box.value.withLock { $0 }
  }

  /// Does something that is never refused.
  func perform(_ work: @escaping @Sendable () -> Void) { _ = enqueue(Job(owner: nil, deadline: nil, work: work)) }

  private func enqueue(_ job: Job) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    guard jobs.count < Self.longestQueue || job.deadline == nil else { return false }
    jobs.append(job)
    condition.signal()
    return true
  }

  /// The longest waiting job whose program has threads left.
  private func next() -> Job {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let index = jobs.firstIndex(where: isAllowed) {
        let job = jobs.remove(at: index)
        if let owner = job.owner { threadsByOwner[owner, default: 0] += 1 }
        return job
      }
      condition.wait()
    }
  }

  private func isAllowed(_ job: Job) -> Bool {
    job.owner.map { threadsByOwner[$0, default: 0] < threadsPerOwner } ?? true
  }

  private func ended(_ job: Job) {
    guard let owner = job.owner else { return }
    condition.lock()
    defer { condition.unlock() }
    let others = threadsByOwner[owner, default: 1] - 1
    threadsByOwner[owner] = others == 0 ? nil : others
    if !jobs.isEmpty { condition.signal() }
  }

  private func serve() {
    while true {
      let job = next()
      guard let deadline = job.deadline else {
        job.work()
        continue
      }
      if !deadline.isComplete { job.work() }
      watch.remove(deadline)
      ended(job)
    }
  }
}

/// Holds what cannot be copied, for closures.
private final class SharedBox<Value: ~Copyable & Sendable>: Sendable {
  let value: Value
  init(_ value: consuming Value) { self.value = value }
}

/// When a run must be over, the program that is at work until then, and who waits for it.
final class JQDeadline: @unchecked Sendable {
  // Sound: everything mutable is used under the lock; the handle is set while the program is at work and thus not
  // freed.
  let instant: ContinuousClock.Instant
  private let lock = NSLock()
  private var handle: OpaquePointer?
  private var completion: (@Sendable (Result<[UInt8]?, JQError>) -> Void)?

  /// Time that a program has to stop in before nobody waits for it any more.
  private static let grace = Duration.milliseconds(100)

  init(
    _ instant: ContinuousClock.Instant, _ completion: @escaping @Sendable (Result<[UInt8]?, JQError>) -> Void
  ) {
    self.instant = instant
    self.completion = completion
  }

  var isComplete: Bool { lock.withLock { completion == nil } }

  func begin(_ handle: OpaquePointer) { lock.withLock { self.handle = handle } }

  func end() { lock.withLock { handle = nil } }

  /// Hands over the result, unless that is done.
  func complete(_ result: Result<[UInt8]?, JQError>) {
    let waiting = lock.withLock {
      defer { completion = nil }
      return completion
    }
    waiting?(result)
  }

  /// Stops the program that is at work; a moment later, or if none has begun, gives up waiting for it.
  func expire(at now: ContinuousClock.Instant) {
    let givesUp = lock.withLock {
      if let handle { sluice_jq_stop(handle) }
      return handle == nil || now - instant > Self.grace
    }
    if givesUp { complete(.failure(.timeout)) }
  }
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
    // The work may be over already.
    if !deadline.isComplete {
      running[ObjectIdentifier(deadline)] = deadline
      if running.count == 1 { condition.signal() }
    }
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
      let expired = running.values.filter { $0.instant <= now }
      guard !expired.isEmpty else { continue }
      condition.unlock()
      for deadline in expired { deadline.expire(at: now) }
      condition.lock()
    }
  }
}
