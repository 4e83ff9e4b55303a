import NIOCore

/// The entries of a log queue within their bounds; the oldest gives way to the newest.
struct LogEntries {
  private var waiting = CircularBuffer<ByteBuffer>()
  private(set) var bytes = 0
  /// Entries at the front that an attempt is under way for.
  private(set) var underWay = 0

  var count: Int { waiting.count }
  var isEmpty: Bool { waiting.isEmpty }

  /// What happened when an entry was added.
  struct Addition: Equatable {
    var isTooLong = false
    var droppedForCount = 0
    var droppedForBytes = 0
  }

  /// Adds the newest, and drops as many of the oldest as the bounds ask for.
  mutating func add(_ entry: ByteBuffer, _ bounds: LogQueueParameters) -> Addition {
    var addition = Addition()
    if let maxBytes = bounds.maxBytes, entry.readableBytes > maxBytes {
      addition.isTooLong = true
      return addition
    }
    while count >= bounds.maxEntries {
      dropOldest()
      addition.droppedForCount += 1
    }
    if let maxBytes = bounds.maxBytes {
      while !isEmpty, bytes + entry.readableBytes > maxBytes {
        dropOldest()
        addition.droppedForBytes += 1
      }
    }
    waiting.append(entry)
    bytes += entry.readableBytes
    return addition
  }

  /// The oldest entries, for an attempt. They stay until `finish` is called; those that are dropped in the meantime no
  /// longer belong to the attempt.
  mutating func begin(_ size: Int) -> [ByteBuffer] {
    underWay = min(size, count)
    return Array(waiting.prefix(underWay))
  }

  /// Ends the attempt; its entries go if they were sent or given up. Returns how many went.
  mutating func finish(removing: Bool) -> Int {
    defer { underWay = 0 }
    guard removing else { return 0 }
    let removed = underWay
    for _ in 0..<removed { removeOldest() }
    return removed
  }

  /// Drops everything; returns how many there were.
  mutating func dropAll() -> Int {
    defer { self = LogEntries() }
    return count
  }

  private mutating func dropOldest() {
    removeOldest()
    underWay = max(0, underWay - 1)
  }

  private mutating func removeOldest() {
    if let entry = waiting.popFirst() { bytes -= entry.readableBytes }
  }
}
