import Glibc
import NIOCore

extension StreamChannel {
  /// Reads up to this size are copied into memory of their own for handlers of a pipeline, which may keep them.
  private static let ownMemoryLimit = 65536

  /// Asks for the next bytes.
  public func read0() {
    guard phase == .active || phase == .connecting, !inputIsClosed else { return }
    readIsWanted = true
    // What is there is read after this turn: the caller may be in the middle of something.
    if isReadable { loop.continueLater(self) }
  }

  func readNow() {
    readIsWanted = false
    var turns = options.readsPerEvent
    var hasRead = false
    while true {
      let count = loop.receive(descriptor)
      guard count > 0 else {
        if count == -Int(EAGAIN) {
          isReadable = false
          break
        }
        return inputEnds(count, hasRead: hasRead)
      }
      hasRead = true
      let isDrained = count < EpollEventLoop.readSize
      // Of a socket whose peer has closed, the end is still to be read.
      if isDrained, !hasHungUp { isReadable = false }
      deliver(count)
      guard phase == .active, !inputIsClosed else { return }
      turns -= 1
      if !isReadable || (turns <= 0 && !isDrained) { break }
    }
    if hasRead { finishReading() } else { readIsWanted = true }
  }

  private func deliver(_ count: Int) {
    if let directHandler {
      directHandler.received(loop.readBuffer)
    } else if count < Self.ownMemoryLimit {
      events.fireChannelRead(NIOAny(ByteBuffer(bytes: loop.readBuffer.readableBytesView)))
    } else {
      events.fireChannelRead(NIOAny(loop.readBuffer))
    }
  }

  private func finishReading() {
    if let directHandler {
      directHandler.receivedAll()
    } else {
      events.fireChannelReadComplete()
    }
    askForBytes()
  }

  /// - Parameter count: 0 at the end of the input, else the negated errno.
  private func inputEnds(_ count: Int, hasRead: Bool) {
    isReadable = false
    if hasRead {
      if let directHandler { directHandler.receivedAll() } else { events.fireChannelReadComplete() }
      guard phase == .active, !inputIsClosed else { return }
    }
    guard count == 0 else {
      let error = IOError(errnoCode: CInt(-count), reason: "recv")
      events.fireErrorCaught(error)
      return closeAll(error, nil)
    }
    guard options.allowsRemoteHalfClosure else { return closeAll(ChannelError.eof, nil) }
    inputIsClosed = true
    readIsWanted = false
    if outputIsClosed, pending.isEmpty { return closeAll(ChannelError.eof, nil) }
    events.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    if phase == .active, !hasRead { events.fireChannelReadComplete() }
  }

  /// Nothing can be written any more. What the peer had sent before is read, wanted or not, then the channel closes.
  func readToTheEnd(_ error: any Error) {
    var hasRead = false
    while phase == .active, !inputIsClosed {
      let count = loop.receive(descriptor)
      guard count > 0 else { break }
      hasRead = true
      deliver(count)
    }
    if hasRead, phase == .active {
      if let directHandler { directHandler.receivedAll() } else { events.fireChannelReadComplete() }
    }
    guard phase == .active else { return }
    // Of a failed write its promise tells.
    if writeFailure == nil { events.fireErrorCaught(error) }
    if phase == .active { closeAll(error, nil) }
  }
}
