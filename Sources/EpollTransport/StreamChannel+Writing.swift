import CEpoll
import Glibc
import NIOCore

extension StreamChannel {
  /// Adds to what the next flush writes. For the direct handler.
  public func enqueue(_ bytes: ByteBuffer) { enqueue(bytes, nil) }

  func enqueue(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
    if let refusal = refusalToWrite {
      promise?.fail(refusal)
      return
    }
    pending.append(bytes, promise)
    updateWritability()
  }

  private var refusalToWrite: (any Error)? {
    if phase == .closed { return ChannelError.ioOnClosedChannel }
    return outputIsClosed ? ChannelError.outputClosed : writeFailure
  }

  /// Sends what the socket takes at once, out of the caller's memory, unless earlier bytes wait. For the direct
  /// handler, which is not called back from here; it enqueues and flushes what is left in `bytes`.
  public func sendAtOnce(_ bytes: inout ByteBuffer) {
    guard phase == .active, pending.isEmpty, hasRoom, !outputIsClosed, writeFailure == nil else { return }
    let count = bytes.readableBytes
    let taken = bytes.withUnsafeReadableBytes { slu_send(descriptor, $0.baseAddress, UInt($0.count)) }
    if taken == count {
      bytes.moveReaderIndex(forwardBy: count)
    } else if taken >= 0 {
      hasRoom = false
      bytes.moveReaderIndex(forwardBy: taken)
    } else if taken == -Int(EAGAIN) {
      hasRoom = false
    } else {
      bytes.moveReaderIndex(forwardBy: count)
      writingFailed(CInt(-taken))
    }
  }

  /// Writes what was enqueued.
  public func flush0() {
    pending.markFlushed()
    if phase == .active, hasRoom, !isWriting, pending.hasFlushed { writePending() }
  }

  func writePending() {
    if isWriting { return }
    isWriting = true
    var completed: [EventLoopPromise<Void>] = []
    while pending.hasFlushed, hasRoom {
      let (offered, taken) = pending.send(to: descriptor, loop.vectors)
      if taken < 0 {
        guard taken == -Int(EAGAIN) else {
          isWriting = false
          return writingFailed(CInt(-taken))
        }
        hasRoom = false
        break
      }
      if taken < offered { hasRoom = false }
      pending.consume(taken, &completed)
      if !completed.isEmpty {
        for promise in completed { promise.succeed() }
        completed.removeAll()
        guard phase == .active else {
          isWriting = false
          return
        }
      }
    }
    isWriting = false
    if pending.hasFlushed { pending.settle() }
    updateWritability()
    if outputClosing.isRequested, pending.isEmpty, phase == .active {
      let promise = outputClosing.promise
      outputClosing = (nil, false)
      shutOutput(promise)
    }
  }

  /// The peer takes nothing any more. It may have said why: that is read before the channel closes, but not here, in
  /// the middle of the writer's work.
  private func writingFailed(_ code: CInt) {
    let error = IOError(errnoCode: code, reason: "send")
    writeFailure = error
    hasRoom = false
    loop.continueLater(self)
    for write in pending.removeAll() { write.fail(error) }
  }
}
