import NIOCore
import NIOPosix

/// Collects the access log lines of one loop and writes them in large pieces, off the loop.
///
/// Confined to its loop; the file is shared by all loops and opened for appending, so that a piece is written whole.
/// When the disk cannot keep up, lines beyond the bound are dropped and counted rather than held in memory.
final class AccessLogWriter {
  private let eventLoop: any EventLoop
  private let descriptor: AccessLogFile
  private var pending = ByteBuffer()
  private var isWriting = false
  private var isFlushScheduled = false
  private var whenWritten: EventLoopPromise<Void>?
  private(set) var droppedLines = 0

  static let pieceSize = 65536
  static let bound = 8 << 20

  init(eventLoop: any EventLoop, file: AccessLogFile) {
    self.eventLoop = eventLoop
    descriptor = file
  }

  /// Adds a line; `body` writes it with its newline.
  func line(_ body: (inout ByteWriter) -> Void) {
    guard pending.readableBytes < Self.bound else {
      droppedLines += 1
      return
    }
    pending.write(estimate: 512, body)
    if pending.readableBytes >= Self.pieceSize {
      flush()
    } else if !isFlushScheduled {
      isFlushScheduled = true
      eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in
        self?.isFlushScheduled = false
        self?.flush()
      }
    }
  }

  /// Writes everything; succeeds when it is written.
  func close() -> EventLoopFuture<Void> {
    flush()
    guard isWriting else { return eventLoop.makeSucceededVoidFuture() }
    let promise = whenWritten ?? eventLoop.makePromise(of: Void.self)
    whenWritten = promise
    return promise.futureResult
  }

  /// Starts writing what is there, unless a write is under way.
  func flush() {
    guard !isWriting, pending.readableBytes > 0 else { return }
    isWriting = true
    let piece = pending
    pending = ByteBuffer()
    let descriptor = descriptor
    NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { descriptor.write(piece) }
      .assumeIsolated()
      .whenComplete { [weak self] _ in
        guard let self else { return }
        isWriting = false
        if pending.readableBytes >= Self.pieceSize || whenWritten != nil { flush() }
        if !isWriting, let promise = whenWritten {
          whenWritten = nil
          promise.succeed()
        }
      }
  }
}
