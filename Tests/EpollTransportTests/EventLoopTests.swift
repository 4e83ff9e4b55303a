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
    let records = (0..<8).map { _ in Record() }
    await withTaskGroup(of: Void.self) { group in
      for record in records {
        group.addTask {
          for number in 0..<1000 {
            loop.execute {
              loop.preconditionInEventLoop()
              record.add("\(number)")
            }
          }
        }
      }
    }
    try await loop.submit {}.get()
    #expect(records.allSatisfy { $0.all == (0..<1000).map { "\($0)" } })
  }

  @Test("a task that adds a task does not keep timers and sockets waiting")
  func fairness() async throws {
    let loop = try Loops.next()
    let server = try await TestServer.start(on: loop) { try $0.add(Echo()) }
    let record = Record()
    let timer = loop.scheduleTask(in: .milliseconds(5)) { record.add("stop") }
    @Sendable func again() {
      if record.all.isEmpty { loop.execute { again() } }
    }
    loop.execute { again() }
    let connection = try SocketConnection(port: server.port)
    try connection.send("hello")
    #expect(try connection.receive() == Array("hello".utf8))
    try await timer.futureResult.get()
    #expect(record.contains("stop"))
    try await server.stop()
  }

  @Test("the end of a group closes connections and fails timers; tasks that come later are dropped")
  func end() async throws {
    let group = try EpollEventLoopGroup(numberOfThreads: 2)
    let loop = group.nextLoop()
    let record = Record()
    let server = try await TestServer.start(on: loop) { try $0.add(Recorder(record)) }
    let connection = try SocketConnection(port: server.port)
    #expect(await eventually { record.contains("active") })
    let timer = loop.scheduleTask(in: .hours(1)) {}
    timer.futureResult.whenFailure { error in
      if case EventLoopError.shutdown = error { record.add("timer failed") }
    }
    try await group.shutdownGracefully()
    #expect(try connection.receive().isEmpty)
    #expect(record.contains("inactive"))
    #expect(record.contains("timer failed"))
    // Too late, and without harm.
    loop.execute { record.add("late") }
    #expect(!record.contains("late"))
    try await group.shutdownGracefully()
  }
}
