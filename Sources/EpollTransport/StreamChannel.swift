import CEpoll
import Glibc
import NIOCore
import Synchronization

/// A connected or connecting stream socket: TCP or Unix.
///
/// Registered once, edge-triggered, for both directions. What the system said last is kept in `isReadable` and
/// `hasRoom`; system calls are made only when they can succeed: a read that brought less than was asked for has emptied
/// the socket, and a write that was not taken whole waits for the system to say that there is room.
///
/// Sound: confined to its loop, as `ChannelCore` demands, but for constants and the two atomics.
public final class StreamChannel: EpollSource, Channel, @unchecked Sendable {
  enum Phase {
    case created
    case connecting
    case active
    case closed
  }

  public let loop: EpollEventLoop
  public let allocator = ByteBufferAllocator()
  private let remoteAddressStorage = Mutex<SocketAddress?>(nil)
  private let localAddressStorage = Mutex<SocketAddress?>(nil)
  private let closePromise: EventLoopPromise<Void>
  private let isActiveAnywhere = Atomic<Bool>(false)
  private let isWritableAnywhere = Atomic<Bool>(true)
  /// Set once, at the end of the initializer: it needs the channel.
  nonisolated(unsafe) private var ownPipeline: ChannelPipeline?

  // Confined to the loop, and none of them is being changed while a handler is called: the checks of exclusive access
  // could never find anything.
  @exclusivity(unchecked) let descriptor: CInt
  @exclusivity(unchecked) var phase = Phase.created
  @exclusivity(unchecked) var options: StreamOptions
  /// Gets bytes without the pipeline. To be set before the channel is active, when the handler is the only one.
  @exclusivity(unchecked) public var directHandler: (any DirectHandler)?
  @exclusivity(unchecked) var isRegistered = false
  /// There may be bytes or an end to read.
  @exclusivity(unchecked) var isReadable = false
  /// The peer has closed its direction, or everything.
  @exclusivity(unchecked) var hasHungUp = false
  /// Somebody waits for bytes.
  @exclusivity(unchecked) var readIsWanted = false
  @exclusivity(unchecked) var inputIsClosed = false
  /// The socket may take bytes.
  @exclusivity(unchecked) var hasRoom = true
  @exclusivity(unchecked) var isWriting = false
  @exclusivity(unchecked) var outputIsClosed = false
  @exclusivity(unchecked) var pending = PendingWrites()
  @exclusivity(unchecked) private var isWritableHere = true
  /// The output is closed once everything is written.
  @exclusivity(unchecked) var outputClosing: (promise: EventLoopPromise<Void>?, isRequested: Bool) = (nil, false)
  /// Writing has failed: what there is to read is read, then the channel closes.
  @exclusivity(unchecked) var writeFailure: (any Error)?
  var connectTimeout: TimeAmount?
  var connecting: EventLoopPromise<Void>?
  var connectTimer: Scheduled<Void>?

  /// Takes over a descriptor that does not block.
  init(loop: EpollEventLoop, descriptor: CInt, options: StreamOptions) {
    self.loop = loop
    self.descriptor = descriptor
    self.options = options
    closePromise = loop.makePromise(of: Void.self)
    super.init()
    ownPipeline = ChannelPipeline(channel: self)
  }

  // MARK: Channel

  public var eventLoop: any EventLoop { loop }
  public var closeFuture: EventLoopFuture<Void> { closePromise.futureResult }
  public var parent: (any Channel)? { nil }
  public var _channelCore: any ChannelCore { self }
  public var isWritable: Bool { isWritableAnywhere.load(ordering: .relaxed) }
  public var isActive: Bool { isActiveAnywhere.load(ordering: .relaxed) }
  public var localAddress: SocketAddress? { localAddressStorage.withLock { $0 } }
  public var remoteAddress: SocketAddress? { remoteAddressStorage.withLock { $0 } }

  public var pipeline: ChannelPipeline {
    guard let ownPipeline else { preconditionFailure("the channel is not made yet") }
    return ownPipeline
  }

  var events: ChannelPipeline.SynchronousOperations { pipeline.syncOperations }

  // MARK: Life

  /// Starts a connection that was accepted. Its handlers are in place.
  func start() {
    guard phase == .created else { return }
    do {
      try loop.watch(self, descriptor)
    } catch {
      return close0(error: error, mode: .all, promise: nil)
    }
    isRegistered = true
    events.fireChannelRegistered()
    guard phase == .created else { return }
    activate()
  }

  func setAddresses(remote: SocketAddress?, local: SocketAddress?) {
    remoteAddressStorage.withLock { $0 = remote }
    localAddressStorage.withLock { $0 = local }
  }

  private func activate() {
    phase = .active
    isActiveAnywhere.store(true, ordering: .relaxed)
    connectTimer?.cancel()
    connectTimer = nil
    let promise = connecting
    connecting = nil
    promise?.succeed()
    guard phase == .active else { return }
    events.fireChannelActive()
    guard phase == .active else { return }
    if pending.hasFlushed { writePending() }
    askForBytes()
  }

  /// The handlers are asked whether they want to read on.
  func askForBytes() {
    guard phase == .active, options.autoRead, !readIsWanted, !inputIsClosed else { return }
    if let directHandler {
      if directHandler.wantsToRead() { read0() }
    } else {
      events.read()
    }
  }

  override func handle(_ bits: UInt32) {
    if phase == .connecting {
      guard bits & (SLU_WRITABLE | SLU_ERROR | SLU_HANGUP) != 0 else { return }
      connectionIsDecided()
    }
    guard phase == .active else { return }
    if bits & SLU_WRITABLE != 0 {
      hasRoom = true
      if pending.hasFlushed { writePending() }
    }
    if bits & (SLU_READABLE | SLU_READ_HANGUP | SLU_HANGUP | SLU_ERROR) != 0 {
      isReadable = true
      if bits & (SLU_READ_HANGUP | SLU_HANGUP | SLU_ERROR) != 0 { hasHungUp = true }
    }
    guard phase == .active else { return }
    if bits & SLU_ERROR != 0 {
      readToTheEnd(IOError(errnoCode: ECONNRESET, reason: "the peer has reset the connection"))
    } else if isReadable, readIsWanted {
      readNow()
    }
  }

  override func continueWork() {
    guard phase == .active else { return }
    if let writeFailure {
      readToTheEnd(writeFailure)
    } else if isReadable, readIsWanted {
      readNow()
    }
  }

  override func loopEnds() { close0(error: EventLoopError.shutdown, mode: .all, promise: nil) }

  // MARK: Connecting

  func connect(_ address: SocketAddress, _ promise: EventLoopPromise<Void>?) {
    guard phase == .created else {
      promise?.fail(phase == .closed ? ChannelError.ioOnClosedChannel : ChannelError.inappropriateOperationForState)
      return
    }
    let result = address.withSockAddr { slu_connect(descriptor, $0, socklen_t($1)) }
    guard result >= 0 || result == -EINPROGRESS else {
      let error = IOError(errnoCode: -result, reason: "connect")
      promise?.fail(error)
      return close0(error: error, mode: .all, promise: nil)
    }
    phase = .connecting
    connecting = promise
    remoteAddressStorage.withLock { $0 = address }
    do {
      try loop.watch(self, descriptor)
    } catch {
      return close0(error: error, mode: .all, promise: nil)
    }
    if result >= 0 {
      connectionIsDecided()
    } else if let connectTimeout {
      // Cancelled when the connection is decided. Not a weak reference, which would make every retain dearer.
      connectTimer = loop.scheduleTask(in: connectTimeout) { [self] in
        guard phase == .connecting else { return }
        close0(error: ChannelError.connectTimeout(connectTimeout), mode: .all, promise: nil)
      }
    }
  }

  private func connectionIsDecided() {
    let result = slu_pending_error(descriptor)
    guard result >= 0 else {
      return close0(error: IOError(errnoCode: -result, reason: "connect"), mode: .all, promise: nil)
    }
    let local = SocketAddress.local(of: descriptor)
    localAddressStorage.withLock { $0 = local }
    activate()
  }

  // MARK: Closing

  /// Closes the socket; `error` is what writes and a connect that are under way fail with.
  func closeAll(_ error: any Error, _ promise: EventLoopPromise<Void>?) {
    guard phase != .closed else {
      promise?.fail(ChannelError.alreadyClosed)
      return
    }
    let wasActive = phase == .active
    phase = .closed
    isActiveAnywhere.store(false, ordering: .relaxed)
    loop.forget(self)
    slu_close(descriptor)
    connectTimer?.cancel()
    connectTimer = nil
    let connecting = connecting
    self.connecting = nil
    let closing = outputClosing.promise
    outputClosing = (nil, false)
    let writes = pending.removeAll()
    connecting?.fail(error)
    for write in writes { write.fail(error) }
    closing?.fail(error)
    promise?.succeed()
    if wasActive { events.fireChannelInactive() }
    if isRegistered {
      isRegistered = false
      events.fireChannelUnregistered()
    }
    loop.execute { [self] in
      directHandler = nil
      removeHandlers(pipeline: pipeline)
      closePromise.succeed()
    }
  }

  func closeOutput(_ promise: EventLoopPromise<Void>?) {
    guard phase == .active else {
      promise?.fail(phase == .closed ? ChannelError.alreadyClosed : ChannelError.inappropriateOperationForState)
      return
    }
    guard !outputIsClosed else {
      promise?.fail(ChannelError.outputClosed)
      return
    }
    outputIsClosed = true
    for write in pending.removeUnflushed() { write.fail(ChannelError.outputClosed) }
    if pending.isEmpty {
      shutOutput(promise)
    } else {
      outputClosing = (promise, true)
    }
  }

  func shutOutput(_ promise: EventLoopPromise<Void>?) {
    let result = slu_shut_down(descriptor, CInt(SHUT_WR))
    guard result >= 0 else {
      let error = IOError(errnoCode: -result, reason: "shutdown")
      promise?.fail(error)
      return closeAll(error, nil)
    }
    promise?.succeed()
    if inputIsClosed { return closeAll(ChannelError.eof, nil) }
    events.fireUserInboundEventTriggered(ChannelEvent.outputClosed)
  }

  func closeInput(_ promise: EventLoopPromise<Void>?) {
    guard phase == .active else {
      promise?.fail(phase == .closed ? ChannelError.alreadyClosed : ChannelError.inappropriateOperationForState)
      return
    }
    guard !inputIsClosed else {
      promise?.fail(ChannelError.inputClosed)
      return
    }
    inputIsClosed = true
    readIsWanted = false
    _ = slu_shut_down(descriptor, CInt(SHUT_RD))
    promise?.succeed()
    if outputIsClosed, pending.isEmpty { return closeAll(ChannelError.eof, nil) }
    events.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
  }

  // MARK: Water marks

  func updateWritability() {
    if isWritableHere {
      guard pending.byteCount > options.waterMark.high else { return }
    } else {
      guard pending.byteCount < options.waterMark.low else { return }
    }
    isWritableHere.toggle()
    isWritableAnywhere.store(isWritableHere, ordering: .relaxed)
    if let directHandler {
      directHandler.writabilityChanged(to: isWritableHere)
    } else {
      events.fireChannelWritabilityChanged()
    }
  }
}
