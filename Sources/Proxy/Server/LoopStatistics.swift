import Synchronization

/// Counters of one event loop: written by the loop alone, read from anywhere.
public final class LoopStatistics: Sendable {
  private let acceptedCount = Atomic<Int>(0)
  private let activeCount = Atomic<Int>(0)
  private let handlingCount = Atomic<Int>(0)
  private let writingCount = Atomic<Int>(0)
  private let requestCount = Atomic<Int>(0)

  init() {}

  /// What the counters say at one moment. Names are those of nginx's status page.
  public struct Values: Sendable, Hashable {
    /// Connections accepted since the start.
    public var accepted = 0
    /// Connections handled since the start; the same, since none is dropped on the way.
    public var handled = 0
    public var requests = 0
    /// Open client connections.
    public var active = 0
    /// Connections on which a request is being read or worked on.
    public var reading = 0
    /// Connections on which a response is being written.
    public var writing = 0
    /// Idle connections.
    public var waiting = 0

    public init() {}

    /// As plugins get them.
    var asTable: [String: Int] {
      [
        "connections_active": active, "connections_reading": reading, "connections_writing": writing,
        "connections_waiting": waiting, "connections_accepted": accepted, "connections_handled": handled,
        "total_requests": requests,
      ]
    }
  }

  public var values: Values {
    var values = Values()
    values.accepted = acceptedCount.load(ordering: .relaxed)
    values.handled = values.accepted
    values.requests = requestCount.load(ordering: .relaxed)
    values.active = activeCount.load(ordering: .relaxed)
    values.writing = writingCount.load(ordering: .relaxed)
    values.reading = max(handlingCount.load(ordering: .relaxed) - values.writing, 0)
    values.waiting = max(values.active - values.reading - values.writing, 0)
    return values
  }

  // One writer: a load and a store are enough and cost no locked instruction.
  private func add(_ amount: Int, to counter: borrowing Atomic<Int>) {
    counter.store(counter.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
  }

  func connectionOpened() {
    add(1, to: acceptedCount)
    add(1, to: activeCount)
  }

  func connectionClosed() { add(-1, to: activeCount) }

  func requestStarted() {
    add(1, to: requestCount)
    add(1, to: handlingCount)
  }

  func responseStarted() { add(1, to: writingCount) }

  func requestFinished(hadResponse: Bool) {
    add(-1, to: handlingCount)
    if hadResponse { add(-1, to: writingCount) }
  }
}
