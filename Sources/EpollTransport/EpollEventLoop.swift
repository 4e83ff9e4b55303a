import CEpoll
import Dispatch
import NIOCore
import Synchronization

/// An event loop: one thread that waits with epoll and works on what is ready.
///
/// One tick is one `epoll_wait`, the sources that are ready, timers that are due, tasks, and sources that had more to
/// do than their turn. Nothing else goes to the system: sockets are registered once, edge-triggered, for both
/// directions; timers are the timeout of the wait; the loop is woken only by tasks of other threads.
///
/// Sound: everything is confined to the loop's thread, but for the inbox, which has a lock, and constants.
public final class EpollEventLoop: EventLoop, CustomStringConvertible, @unchecked Sendable {
  private struct Slot {
    var source: EpollSource?
    var generation: UInt32 = 1
  }

  /// Tasks of other threads.
  private struct Inbox {
    var tasks: [@Sendable () -> Void] = []
    /// The loop has been woken and has not looked yet.
    var isAnnounced = false
    var isClosed = false
  }

  /// Bytes that one read may bring.
  static let readSize = 262_144
  private static let eventCount = 256
  private static let wakeToken: UInt64 = 0

  public let description: String
  private let epoll: CInt
  private let wakeDescriptor: CInt
  private let inbox = Mutex(Inbox())
  /// Set by the thread itself before anybody else knows the loop.
  nonisolated(unsafe) private var thread: UInt64 = 0
  private let events: UnsafeMutablePointer<epoll_event>
  let vectors: UnsafeMutablePointer<iovec>

  // Confined to the loop, and none of them is being changed while something is called that could come back to it: the
  // checks of exclusive access could never find anything.
  @exclusivity(unchecked) private var slots: [Slot] = [Slot()]
  @exclusivity(unchecked) private var freeSlots: [Int] = []
  @exclusivity(unchecked) private var timers = TimerHeap()
  @exclusivity(unchecked) private var tasks: [@Sendable () -> Void] = []
  @exclusivity(unchecked) private var unfinished: [EpollSource] = []
  @exclusivity(unchecked) private var tickTime = NIODeadline.now()
  @exclusivity(unchecked) private var isStopped = false
  /// What was read last: its memory serves the next read unless somebody has kept it.
  @exclusivity(unchecked) var readBuffer: ByteBuffer
  private var whenStopped: (@Sendable () -> Void)?

  /// Starts the thread.
  ///
  /// - Throws: `IOError` when the system has no descriptors or threads left.
  init(index: Int) throws {
    description = "EpollEventLoop \(index)"
    epoll = try Self.checked(slu_epoll_create(), "epoll_create1")
    do {
      wakeDescriptor = try Self.checked(slu_event_descriptor(), "eventfd")
    } catch {
      slu_close(epoll)
      throw error
    }
    events = .allocate(capacity: Self.eventCount)
    vectors = .allocate(capacity: PendingWrites.vectorLimit)
    readBuffer = ByteBufferAllocator().buffer(capacity: Self.readSize)
    let started = DispatchSemaphore(value: 0)
    do {
      _ = try Self.checked(slu_epoll_add_input(epoll, wakeDescriptor, Self.wakeToken), "epoll_ctl")
      let body = ThreadBody { [self] in
        thread = slu_thread_self()
        started.signal()
        run()
      }
      let argument = Unmanaged.passRetained(body)
      do {
        _ = try Self.checked(
          slu_thread_start(
            { raw in
              if let raw { Unmanaged<ThreadBody>.fromOpaque(raw).takeRetainedValue().run() }
              return nil
            }, argument.toOpaque(), "loop-\(index)"), "pthread_create")
      } catch {
        argument.release()
        throw error
      }
    } catch {
      slu_close(wakeDescriptor)
      slu_close(epoll)
      throw error
    }
    started.wait()
  }

  deinit {
    events.deallocate()
    vectors.deallocate()
  }

  private final class ThreadBody {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  static func checked(_ result: CInt, _ call: String) throws -> CInt {
    guard result >= 0 else { throw IOError(errnoCode: -result, reason: call) }
    return result
  }

  // MARK: EventLoop

  public var inEventLoop: Bool { slu_thread_self() == thread }

  public func execute(_ task: @escaping @Sendable () -> Void) {
    if inEventLoop, !isStopped {
      tasks.append(task)
    } else {
      _ = post(task)
    }
  }

  /// - Returns: False when the loop has ended; the task is dropped then.
  private func post(_ task: @escaping @Sendable () -> Void) -> Bool {
    inbox.withLock { inbox in
      if inbox.isClosed { return false }
      inbox.tasks.append(task)
      if !inbox.isAnnounced {
        inbox.isAnnounced = true
        // With the lock, since the descriptor is closed when the inbox is.
        slu_event_signal(wakeDescriptor)
      }
      return true
    }
  }

  @discardableResult
  public func scheduleTask<T>(
    deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T
  ) -> Scheduled<T> {
    let promise = makePromise(of: T.self)
    let timer = LoopTimer(
      deadline: deadline,
      run: {
        do {
          promise.assumeIsolatedUnsafeUnchecked().succeed(try task())
        } catch {
          promise.fail(error)
        }
      }, fail: { promise.fail($0) })
    if inEventLoop {
      if isStopped { timer.fail(EventLoopError.shutdown) } else { timers.insert(timer) }
    } else if !post({ [self] in timers.insert(timer) }) {
      timer.fail(EventLoopError.shutdown)
    }
    return Scheduled(promise: promise) { [self] in
      if inEventLoop {
        timers.remove(timer)
      } else {
        _ = post { [self] in timers.remove(timer) }
      }
    }
  }

  @discardableResult
  public func scheduleTask<T>(
    in time: TimeAmount, _ task: @escaping @Sendable () throws -> T
  ) -> Scheduled<T> {
    scheduleTask(deadline: .now() + time, task)
  }

  public func preconditionInEventLoop(file: StaticString, line: UInt) {
    precondition(inEventLoop, file: file, line: line)
  }

  public func preconditionNotInEventLoop(file: StaticString, line: UInt) {
    precondition(!inEventLoop, file: file, line: line)
  }

  /// A loop ends with its group only.
  public func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
    queue.async { callback(EventLoopError.unsupportedOperation) }
  }

  // MARK: Sources

  /// Watches a socket from now on.
  func watch(_ source: EpollSource, _ descriptor: CInt, inputOnly: Bool = false) throws {
    let index: Int
    if let free = freeSlots.popLast() {
      index = free
    } else {
      index = slots.count
      slots.append(Slot())
    }
    let token = UInt64(slots[index].generation) << 32 | UInt64(index)
    let result =
      inputOnly ? slu_epoll_add_input(epoll, descriptor, token) : slu_epoll_add_stream(epoll, descriptor, token)
    guard result >= 0 else {
      freeSlots.append(index)
      throw IOError(errnoCode: -result, reason: "epoll_ctl")
    }
    slots[index].source = source
    source.token = token
  }

  /// Forgets a source. Its descriptor is closed next, which takes it out of epoll; events that were fetched already
  /// carry a generation that has passed.
  func forget(_ source: EpollSource) {
    let index = Int(source.token & 0xFFFF_FFFF)
    guard index > 0, slots[index].source === source else { return }
    slots[index].source = nil
    slots[index].generation &+= 1
    freeSlots.append(index)
    source.token = 0
  }

  /// Gives the source another turn before the loop waits again.
  func continueLater(_ source: EpollSource) {
    guard !source.isQueued else { return }
    source.isQueued = true
    unfinished.append(source)
  }

  /// Reads into `readBuffer`.
  ///
  /// - Returns: number of bytes, 0 at the end, or the negated errno.
  func receive(_ descriptor: CInt) -> Int {
    // New memory if somebody has kept the last bytes.
    readBuffer.clear()
    var result = 0
    readBuffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.readSize) { memory in
      result = slu_receive(descriptor, memory.baseAddress, UInt(Self.readSize))
      return max(result, 0)
    }
    return result
  }

  // MARK: The thread

  private func run() {
    while !isStopped { tick() }
    slu_close(epoll)
    inbox.withLock { inbox in
      inbox.isClosed = true
      inbox.tasks = []
      slu_close(wakeDescriptor)
    }
    whenStopped?()
    whenStopped = nil
  }

  private func tick() {
    let count = Int(slu_epoll_wait(epoll, events, CInt(Self.eventCount), timeout()))
    tickTime = .now()
    // Negative after a signal: nothing is ready, the rest goes on.
    if count > 0 {
      for index in 0..<count {
        let token = slu_event_token(events + index)
        if token == Self.wakeToken {
          takeInbox()
          continue
        }
        let slot = Int(token & 0xFFFF_FFFF)
        guard slot < slots.count, slots[slot].generation == UInt32(token >> 32), let source = slots[slot].source else {
          continue
        }
        source.handle(slu_event_bits(events + index))
      }
    }
    if let first = timers.firstDeadline, first <= tickTime {
      while let timer = timers.popDue(at: tickTime) { timer.run() }
    }
    runTasks()
    if !unfinished.isEmpty {
      let sources = unfinished
      unfinished = []
      for source in sources {
        source.isQueued = false
        source.continueWork()
      }
    }
  }

  /// Milliseconds to wait for events, rounded up; -1 is for ever.
  private func timeout() -> CInt {
    if !tasks.isEmpty || !unfinished.isEmpty || isStopped { return 0 }
    guard let first = timers.firstDeadline else { return -1 }
    // The time of the tick is a little old by now, which matters to timers that are near only.
    if first - tickTime < .seconds(1) { tickTime = .now() }
    let nanoseconds = (first - tickTime).nanoseconds
    if nanoseconds <= 0 { return 0 }
    return CInt(min((nanoseconds - 1) / 1_000_000 + 1, 3_600_000))
  }

  private func takeInbox() {
    let taken = inbox.withLock { inbox in
      inbox.isAnnounced = false
      defer { inbox.tasks = [] }
      return inbox.tasks
    }
    tasks.append(contentsOf: taken)
  }

  /// Runs the tasks there are; what they add waits for the next tick.
  private func runTasks() {
    guard !tasks.isEmpty else { return }
    let batch = tasks
    tasks = []
    for task in batch { task() }
  }

  // MARK: End

  /// Closes what the loop watches, runs the tasks that are left and ends the thread; `completion` is called on it.
  func stop(_ completion: @escaping @Sendable () -> Void) {
    let isPosted = post { [self] in
      whenStopped = completion
      for slot in slots { slot.source?.loopEnds() }
      // Tasks may add tasks; who does so for ever is not waited for.
      for _ in 0..<1000 {
        takeInbox()
        if tasks.isEmpty { break }
        runTasks()
      }
      for timer in timers.removeAll() { timer.fail(EventLoopError.shutdown) }
      for _ in 0..<1000 where !tasks.isEmpty { runTasks() }
      isStopped = true
    }
    if !isPosted { completion() }
  }
}
