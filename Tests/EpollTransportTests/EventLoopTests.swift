import EpollTransport
import GatewayTesting
import NIOCore
import Synchronization
import Testing

@Suite("Event loops over epoll") struct EventLoopTests {
  @Test("timers run by deadline, those of one deadline in the order in which they were scheduled")
  func timerOrder() async throws {
    let loop = try Loops.next()
    let order = Mutex<[Int]>([])
    let start = NIODeadline.now() + .milliseconds(5)
    let timers = (0..<200).map { number in
      // 40 deadlines, five timers each, scheduled in a mixed order.
      let place = number * 37 % 200
      return loop.scheduleTask(deadline: start + .microseconds(Int64(place / 5) * 100)) {
        order.withLock { $0.append(place / 5 * 1000 + number) }
      }
    }
    for timer in timers { try await timer.futureResult.get() }
    let ran = order.withLock { $0 }
    #expect(ran.count == 200)
    #expect(ran == ran.sorted())
  }

  @Test("a cancelled timer never runs and says so; the others do")
  func cancellation() async throws {
    let loop = try Loops.next()
    let ran = Mutex<Set<Int>>([])
    let timers = (0..<50).map { number in
      loop.scheduleTask(in: .milliseconds(20)) { ran.withLock { _ = $0.insert(number) } }
    }
    for number in stride(from: 0, to: 50, by: 2) { timers[number].cancel() }
    for (number, timer) in timers.enumerated() {
      if number % 2 == 0 {
        await #expect(throws: EventLoopError.cancelled) { try await timer.futureResult.get() }
      } else {
        try await timer.futureResult.get()
      }
    }
    #expect(ran.withLock { $0 } == Set(stride(from: 1, to: 50, by: 2)))
  }

  @Test("a timer that comes before the one the loop waits for is not late for it")
  func earlierTimer() async throws {
    let loop = try Loops.next()
    let far = loop.scheduleTask(in: .hours(1)) {}
    try await loop.submit {}.get()
    let before = NIODeadline.now()
    try await loop.scheduleTask(in: .milliseconds(10)) {}.futureResult.get()
    let time = NIODeadline.now() - before
    #expect(time >= .milliseconds(10))
    #expect(time < .seconds(30))
    far.cancel()
  }

  @Test("tasks of other threads run on the loop, those of one thread in order")
  func crossThread() async throws {
    let loop = try Loops.next()
    let seen = Mutex<[[Int]]>(Array(repeating: [], count: 8))
    await withTaskGroup(of: Void.self) { group in
      for sender in 0..<8 {
        group.addTask {
          for number in 0..<1000 {
            loop.execute {
              loop.preconditionInEventLoop()
              seen.withLock { $0[sender].append(number) }
            }
          }
        }
      }
    }
    try await loop.submit {}.get()
    #expect(seen.withLock { $0 }.allSatisfy { $0 == Array(0..<1000) })
  }

  @Test("a task that adds a task does not keep timers and sockets waiting")
  func fairness() async throws {
    let loop = try Loops.next()
    let stop = Atomic<Bool>(false)
    let timer = loop.scheduleTask(in: .milliseconds(5)) { stop.store(true, ordering: .relaxed) }
    @Sendable func again() {
      if !stop.load(ordering: .relaxed) { loop.execute { again() } }
    }
    loop.execute { again() }
    try await timer.futureResult.get()
    #expect(stop.load(ordering: .relaxed))
  }

  @Test("the end of a group closes connections, fails timers, and answers what comes later")
  func end() async throws {
    let group = try EpollEventLoopGroup(numberOfThreads: 2)
    let loop = group.nextLoop()
    let record = Record()
    let server = try await TestServer.start(on: loop) { try $0.add(Recorder(record)) }
    let connection = try SocketConnection(port: server.port)
    #expect(await eventually { record.contains("active") })
    let timer = loop.scheduleTask(in: .hours(1)) {}
    try await group.shutdownGracefully()
    #expect(try connection.receive().isEmpty)
    #expect(record.contains("inactive"))
    await #expect(throws: EventLoopError.shutdown) { try await timer.futureResult.get() }
    await #expect(throws: EventLoopError.shutdown) {
      try await loop.scheduleTask(in: .milliseconds(1)) {}.futureResult.get()
    }
    try await group.shutdownGracefully()
  }
}
