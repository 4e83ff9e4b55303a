import Logging
import NIOCore

/// Entries on their way to a log server: collected into batches, sent one batch after the other, retried with growing
/// delays, dropped from the old end when there are too many.
///
/// Confined to its event loop. Adding an entry never waits. Source: Kong fact, bundled-16 §15 "Queue algorithm".
final class LogQueue {
  private enum State {
    /// No entries.
    case idle
    /// The next turn of the loop sends.
    case due
    /// More entries are waited for.
    case collecting(Scheduled<Void>)
    case sending
    case waitingToRetry(Scheduled<Void>)
  }

  /// The batch that is sent, over all its attempts.
  private struct Batch {
    let size: Int
    let begunAt: NIODeadline
    var failures = 0
  }

  private let plugin: String
  private let eventLoop: any EventLoop
  private var parameters = LogQueueParameters()
  private var delivery: LogDelivery
  private var logger: Logger
  private var entries = LogEntries()
  private var state = State.idle
  /// Number of the last sending that was planned. One that was planned before it no longer counts: a timer that is
  /// cancelled may be about to fire.
  private var plan = 0
  private var batch: Batch?
  /// Entries under way for themselves alone.
  private var concurrentCount = 0
  private var hasWarned = false
  private var isFull = false
  private var finished: EventLoopPromise<Void>?
  /// Called when nothing is left.
  private let onEmpty: () -> Void

  init(
    plugin: String, delivery: LogDelivery, logger: Logger, on eventLoop: any EventLoop, onEmpty: @escaping () -> Void
  ) {
    self.plugin = plugin
    self.delivery = delivery
    self.logger = logger
    self.eventLoop = eventLoop
    self.onEmpty = onEmpty
  }

  var count: Int { entries.count + concurrentCount }

  /// Takes an entry. What it comes with holds for all entries from now on, also for those that wait.
  func enqueue(_ entry: ByteBuffer, _ parameters: LogQueueParameters, _ delivery: LogDelivery, _ logger: Logger) {
    self.parameters = parameters
    self.delivery = delivery
    self.logger = logger
    if parameters.isConcurrent {
      sendAlone(entry)
      return
    }
    report(entries.add(entry, parameters), of: entry)
    if entries.isEmpty {
      restIfEmpty()
      return
    }
    switch state {
    case .idle: collect()
    case .collecting(let timer) where entries.count >= parameters.maxBatchSize:
      timer.cancel()
      sendSoon()
    default: break
    }
  }

  private func report(_ addition: LogEntries.Addition, of entry: ByteBuffer) {
    if addition.isTooLong {
      error(
        "an entry is longer (\(entry.readableBytes) bytes) than the queue's max_bytes (\(parameters.maxBytes ?? 0)) "
          + "and is lost")
      return
    }
    if addition.droppedForCount > 0, !isFull {
      isFull = true
      error("queue full, dropping old entries until processing is successful again")
    }
    if addition.droppedForBytes > 0 {
      isFull = true
      error("byte capacity exceeded, \(addition.droppedForBytes) queue entries were dropped")
    }
    if entries.count * 5 < parameters.maxEntries * 4 {
      hasWarned = false
    } else if !hasWarned {
      hasWarned = true
      warning("queue at \(entries.count * 100 / parameters.maxEntries)% capacity")
    }
  }

  // MARK: Batches

  private func collect() {
    guard parameters.maxCoalescingDelay > .milliseconds(1), parameters.maxBatchSize > entries.count, finished == nil
    else {
      sendSoon()
      return
    }
    state = .collecting(planSending(in: parameters.maxCoalescingDelay))
  }

  /// In a turn of the loop of its own, so that the request that logs has nothing to do with it.
  private func sendSoon() {
    state = .due
    plan += 1
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.execute { [plan] in bound.value.send(ifPlanned: plan) }
  }

  private func planSending(in delay: TimeAmount) -> Scheduled<Void> {
    plan += 1
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    return eventLoop.scheduleTask(in: delay) { [plan] in bound.value.send(ifPlanned: plan) }
  }

  private func send(ifPlanned number: Int) {
    if number == plan { send() }
  }

  private func send() {
    let batch = self.batch ?? Batch(size: min(parameters.maxBatchSize, entries.count), begunAt: eventLoop.now)
    self.batch = batch
    let sent = entries.begin(batch.size)
    guard !sent.isEmpty else {
      // Given up meanwhile.
      conclude()
      return
    }
    state = .sending
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    delivery.send(sent, eventLoop).hop(to: eventLoop).whenComplete { result in
      bound.value.answered(result)
    }
  }

  private func answered(_ result: Result<Void, any Error>) {
    guard case .sending = state, var batch else { return }
    switch result {
    case .success:
      _ = entries.finish(removing: true)
      if isFull {
        isFull = false
        logger.info("[\(plugin)] \(delivery.label): queue resumed processing")
      }
      conclude()
    case .failure(let reason):
      if eventLoop.now - batch.begunAt > parameters.maxRetryTime {
        let lost = entries.finish(removing: true)
        error("could not send entries: \(reason); max_retry_time exceeded, \(lost) queue entries were lost")
        conclude()
        return
      }
      _ = entries.finish(removing: false)
      batch.failures += 1
      self.batch = batch
      warning("handler could not process entries: \(reason)")
      state = .waitingToRetry(planSending(in: parameters.retryDelay(after: batch.failures)))
    }
  }

  /// After a batch: the next one, or rest.
  private func conclude() {
    batch = nil
    if !entries.isEmpty {
      collect()
      return
    }
    state = .idle
    restIfEmpty()
  }

  private func restIfEmpty() {
    guard count == 0 else { return }
    finished?.succeed()
    onEmpty()
  }

  // MARK: Entries that do not wait for one another

  private func sendAlone(_ entry: ByteBuffer) {
    guard concurrentCount < parameters.maxEntries else {
      if !isFull { error("\(concurrentCount) entries are under way, further ones are lost") }
      isFull = true
      return
    }
    concurrentCount += 1
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.execute { bound.value.sendAlone(entry, failures: 0, begunAt: bound.value.eventLoop.now) }
  }

  private func sendAlone(_ entry: ByteBuffer, failures: Int, begunAt: NIODeadline) {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    delivery.send([entry], eventLoop).hop(to: eventLoop).whenComplete { result in
      bound.value.answeredAlone(entry, failures: failures, begunAt: begunAt, result)
    }
  }

  private func answeredAlone(
    _ entry: ByteBuffer, failures: Int, begunAt: NIODeadline, _ result: Result<Void, any Error>
  ) {
    switch result {
    case .success: isFull = false
    case .failure(let reason):
      if eventLoop.now - begunAt <= parameters.maxRetryTime {
        warning("handler could not process entries: \(reason)")
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: parameters.retryDelay(after: failures + 1)) {
          bound.value.sendAlone(entry, failures: failures + 1, begunAt: begunAt)
        }
        return
      }
      error("could not send entries: \(reason); max_retry_time exceeded, 1 queue entries were lost")
    }
    concurrentCount -= 1
    restIfEmpty()
  }

  // MARK: End

  /// Sends what there is without waiting for more; at the deadline the rest is lost.
  func finish(by deadline: NIODeadline) -> EventLoopFuture<Void> {
    if count == 0 { return eventLoop.makeSucceededVoidFuture() }
    let promise = finished ?? eventLoop.makePromise(of: Void.self)
    guard finished == nil else { return promise.futureResult }
    finished = promise
    if case .collecting(let timer) = state {
      timer.cancel()
      sendSoon()
    }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let end = eventLoop.scheduleTask(deadline: deadline) { bound.value.giveUp() }
    promise.futureResult.whenComplete { _ in end.cancel() }
    return promise.futureResult
  }

  private func giveUp() {
    if case .waitingToRetry(let timer) = state { timer.cancel() }
    if case .collecting(let timer) = state { timer.cancel() }
    plan += 1
    state = .idle
    batch = nil
    let lost = entries.dropAll() + concurrentCount
    if lost > 0 { error("the gateway ends, \(lost) queue entries were lost") }
    finished?.succeed()
    onEmpty()
  }

  // MARK: Parts

  private func error(_ text: String) { logger.error("[\(plugin)] \(delivery.label): \(text)") }
  private func warning(_ text: String) { logger.warning("[\(plugin)] \(delivery.label): \(text)") }
}
