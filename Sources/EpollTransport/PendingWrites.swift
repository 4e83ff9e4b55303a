import CEpoll
import NIOCore

/// What was written to a channel and the socket has not taken yet.
struct PendingWrites {
  private struct Entry {
    var bytes: ByteBuffer
    let promise: EventLoopPromise<Void>?
  }

  /// Buffers that one system call takes.
  static let vectorLimit = 64

  private var entries = CircularBuffer<Entry>()
  /// Entries from the front that may go out.
  private var flushedCount = 0
  /// Bytes of all entries.
  private(set) var byteCount = 0

  var isEmpty: Bool { entries.isEmpty }
  var hasFlushed: Bool { flushedCount > 0 }

  mutating func append(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
    byteCount += bytes.readableBytes
    entries.append(Entry(bytes: bytes, promise: promise))
  }

  mutating func markFlushed() { flushedCount = entries.count }

  /// Offers flushed bytes to the socket, once.
  ///
  /// - Returns: how many were offered; how many were taken, or the negated errno.
  mutating func send(to descriptor: CInt, _ vectors: UnsafeMutablePointer<iovec>) -> (offered: Int, taken: Int) {
    if flushedCount == 1 {
      return entries[entries.startIndex].bytes.withUnsafeReadableBytes { bytes in
        (bytes.count, bytes.isEmpty ? 0 : slu_send(descriptor, bytes.baseAddress, UInt(bytes.count)))
      }
    }
    var offered = 0
    var count = 0
    for entry in entries.prefix(min(flushedCount, Self.vectorLimit)) where entry.bytes.readableBytes > 0 {
      // The pointers are used below only, and until then the entries hold the storage.
      entry.bytes.withUnsafeReadableBytesWithStorageManagement { bytes, _ in
        vectors[count] = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
      }
      count += 1
      offered += entry.bytes.readableBytes
    }
    if count == 0 { return (0, 0) }
    return (offered, slu_send_vector(descriptor, vectors, UInt(count)))
  }

  /// Forgets `count` bytes that were taken; adds the promises of the writes that are whole to `completed`.
  mutating func consume(_ count: Int, _ completed: inout [EventLoopPromise<Void>]) {
    var left = count
    byteCount -= count
    while flushedCount > 0 {
      let size = entries[entries.startIndex].bytes.readableBytes
      if size > left {
        entries[entries.startIndex].bytes.moveReaderIndex(forwardBy: left)
        return
      }
      left -= size
      let entry = entries.removeFirst()
      flushedCount -= 1
      if let promise = entry.promise { completed.append(promise) }
    }
  }

  /// Copies small pieces of large buffers, since they are going to wait: a piece would keep all of its buffer.
  mutating func settle() {
    for index in entries.indices {
      entries[index].bytes = entries[index].bytes.settled
    }
  }

  /// Empties the list.
  mutating func removeAll() -> [EventLoopPromise<Void>] {
    let promises = entries.compactMap(\.promise)
    entries = []
    flushedCount = 0
    byteCount = 0
    return promises
  }

  /// Takes out what was not flushed.
  mutating func removeUnflushed() -> [EventLoopPromise<Void>] {
    var promises: [EventLoopPromise<Void>] = []
    while entries.count > flushedCount {
      let entry = entries.removeLast()
      byteCount -= entry.bytes.readableBytes
      if let promise = entry.promise { promises.append(promise) }
    }
    return promises.reversed()
  }
}
