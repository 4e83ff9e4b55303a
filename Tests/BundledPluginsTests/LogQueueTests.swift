import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import BundledPlugins

/// The queue with a clock of its own and a server that is a closure.
@Suite("log queue")
struct LogQueueTests {
  private final class Rig {
    let loop = EmbeddedEventLoop()
    /// Batches as the server got them, failed attempts too.
    var batches: [[String]] = []
    /// What the server does with the next attempts; success when it runs out.
    var answers: [Result<Void, LogDeliveryError>] = []
    /// Attempts that are not answered by themselves.
    var pending: [EventLoopPromise<Void>] = []
    var holdsAnswers = false
    var isEmptied = false
    var parameters = LogQueueParameters()
    private(set) lazy var queue = LogQueue(
      plugin: "http-log", delivery: delivery, logger: log.logger, on: loop
    ) { [unowned self] in isEmptied = true }
    let log = RecordingLog()

    var delivery: LogDelivery {
      let bound = NIOLoopBound(self, eventLoop: loop)
      return LogDelivery(label: "http://log:80/") { entries, loop in
        let rig = bound.value
        rig.batches.append(entries.map { String(buffer: $0) })
        let promise = loop.makePromise(of: Void.self)
        if rig.holdsAnswers {
          rig.pending.append(promise)
        } else {
          let answer = rig.answers.isEmpty ? .success(()) : rig.answers.removeFirst()
          promise.completeWith(answer.mapError { $0 })
        }
        return promise.futureResult
      }
    }

    func log(_ texts: String...) {
      for text in texts {
        queue.enqueue(ByteBuffer(string: text), parameters, delivery, log.logger)
      }
    }

    func fail(_ times: Int) {
      answers += Array(repeating: .failure(LogDeliveryError(description: "refused")), count: times)
    }

    deinit { try? loop.syncShutdownGracefully() }
  }

  @Test("with a batch size of one each entry is sent alone, in order, after the request that logged it")
  func singles() {
    let rig = Rig()
    rig.log("a", "b")
    #expect(rig.batches.isEmpty)
    rig.loop.run()
    #expect(rig.batches == [["a"], ["b"]])
    #expect(rig.isEmptied)
  }

  @Test("a batch is sent when it is full, or when the coalescing delay is over")
  func batches() {
    let rig = Rig()
    rig.parameters.maxBatchSize = 3
    rig.log("a", "b")
    rig.loop.advanceTime(by: .milliseconds(999))
    #expect(rig.batches.isEmpty)
    rig.loop.advanceTime(by: .milliseconds(1))
    #expect(rig.batches == [["a", "b"]])
    rig.log("c", "d", "e", "f")
    rig.loop.run()
    #expect(rig.batches == [["a", "b"], ["c", "d", "e"]])
    rig.loop.advanceTime(by: .seconds(1))
    #expect(rig.batches.last == ["f"])
  }

  @Test("retries wait twice as long each time, at most max_retry_delay, and nothing overtakes a failing batch")
  func retries() {
    let rig = Rig()
    rig.parameters.initialRetryDelay = .milliseconds(100)
    rig.parameters.maxRetryDelay = .milliseconds(300)
    rig.fail(4)
    rig.log("a", "b")
    var waits: [Int64] = []
    var waited: Int64 = 0
    rig.loop.run()
    while rig.batches.count < 5, waited < 10_000 {
      let before = rig.batches.count
      rig.loop.advanceTime(by: .milliseconds(50))
      waited += 50
      if rig.batches.count > before {
        waits.append(waited)
        waited = 0
      }
    }
    #expect(waits == [100, 200, 300, 300])
    #expect(rig.batches == [["a"], ["a"], ["a"], ["a"], ["a"], ["b"]])
  }

  @Test("after max_retry_time the batch is given up with a line in the log, and the next one has its own time")
  func givingUp() {
    let rig = Rig()
    rig.parameters.maxRetryTime = .seconds(1)
    rig.parameters.initialRetryDelay = .milliseconds(600)
    rig.fail(3)
    rig.log("a", "b")
    rig.loop.advanceTime(by: .seconds(3))
    #expect(rig.batches == [["a"], ["a"], ["a"], ["b"]])
    #expect(rig.log.errors == [
      "[http-log] http://log:80/: could not send entries: refused; max_retry_time exceeded, 1 queue entries were lost"
    ])
  }

  @Test("a full queue drops its oldest entries, says so once, and sends the newest when the server is back")
  func bound() {
    let rig = Rig()
    rig.parameters.maxEntries = 5
    rig.parameters.maxBatchSize = 2
    rig.parameters.maxCoalescingDelay = .zero
    rig.fail(1)
    rig.log("1", "2", "3")
    rig.loop.run()
    rig.log("4", "5", "6", "7", "8")
    #expect(rig.queue.count == 5)
    #expect(rig.log.errors.count == 1)
    rig.loop.advanceTime(by: .seconds(1))
    #expect(rig.batches == [["1", "2"], ["4", "5"], ["6", "7"], ["8"]])
    #expect(rig.queue.count == 0)
  }

  @Test("an entry that is dropped while it is on its way does not take a newer one with it")
  func droppedOnTheWay() {
    let rig = Rig()
    rig.parameters.maxEntries = 2
    rig.holdsAnswers = true
    rig.log("1", "2")
    rig.loop.run()
    rig.log("3")
    rig.pending.removeFirst().succeed()
    rig.holdsAnswers = false
    rig.loop.run()
    #expect(rig.batches == [["1"], ["2"], ["3"]])
  }

  @Test("the bytes that wait are bounded too, and an entry beyond the bound is refused")
  func byteBound() {
    let rig = Rig()
    rig.parameters.maxBytes = 10
    rig.fail(1)
    rig.log("aaaa", "bbbb", "cccc", "01234567890")
    #expect(rig.log.errors.count == 2)
    rig.loop.advanceTime(by: .seconds(1))
    #expect(rig.batches == [["bbbb"], ["bbbb"], ["cccc"]])
  }

  @Test("at four fifths of the bound the log is warned, once")
  func warning() {
    let rig = Rig()
    rig.parameters.maxEntries = 10
    rig.holdsAnswers = true
    for _ in 0..<9 { rig.log("x") }
    #expect(rig.log.warnings == ["[http-log] http://log:80/: queue at 80% capacity"])
    rig.loop.run()
    while !rig.pending.isEmpty {
      rig.pending.removeFirst().succeed()
      rig.loop.run()
    }
    #expect(rig.queue.count == 0)
  }

  @Test("with unlimited concurrency entries do not wait for one another, and each is retried")
  func concurrency() {
    let rig = Rig()
    rig.parameters.isConcurrent = true
    rig.parameters.maxBatchSize = 10
    rig.holdsAnswers = true
    rig.log("a", "b", "c")
    rig.loop.run()
    #expect(rig.batches == [["a"], ["b"], ["c"]])
    rig.holdsAnswers = false
    rig.pending.removeFirst().fail(LogDeliveryError(description: "refused"))
    rig.pending.forEach { $0.succeed() }
    rig.loop.advanceTime(by: .milliseconds(10))
    #expect(rig.batches.last == ["a"])
    #expect(rig.queue.count == 0)
  }

  @Test("new parameters hold for entries that wait already")
  func reconfiguration() {
    let rig = Rig()
    rig.parameters.maxBatchSize = 10
    rig.parameters.maxCoalescingDelay = .seconds(100)
    rig.log("a", "b")
    rig.loop.run()
    rig.parameters.maxBatchSize = 2
    rig.log("c")
    rig.loop.run()
    #expect(rig.batches == [["a", "b"]])
    #expect(rig.queue.count == 1)
  }

  @Test("the end does not wait for more entries, and tells what was lost at the deadline")
  func end() throws {
    let rig = Rig()
    rig.parameters.maxBatchSize = 10
    rig.parameters.maxCoalescingDelay = .seconds(100)
    rig.log("a", "b")
    let sent = rig.queue.finish(by: rig.loop.now + .seconds(5))
    rig.loop.run()
    #expect(rig.batches == [["a", "b"]])
    try sent.wait()

    let other = Rig()
    other.fail(100_000)
    other.log("a", "b")
    let lost = other.queue.finish(by: other.loop.now + .seconds(5))
    other.loop.advanceTime(by: .seconds(5))
    try lost.wait()
    #expect(other.log.errors == ["[http-log] http://log:80/: the gateway ends, 2 queue entries were lost"])
  }
}
