import EpollTransport
import NIOCore
import NIOSSL
import NIOTLS
import PluginKit

/// One connection to an upstream: the only handler of its channel beside TLS.
///
/// Holds the pipeline of the request it works for directly. Confined to its event loop.
final class UpstreamHandler: ChannelDuplexHandler, DirectHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State {
    case connecting
    case idle
    case awaitingHead
    case body
    case tunnel
    case closed
  }

  private let loop: ProxyLoop
  /// Strong: a pool lives as long as it has connections.
  private let pool: UpstreamPool
  @exclusivity(unchecked) private var context: ChannelHandlerContext?
  /// The channel, where it gives and takes bytes without its pipeline: all but TLS.
  @exclusivity(unchecked) private var direct: StreamChannel?
  @exclusivity(unchecked) private var state = State.connecting
  @exclusivity(unchecked) private var exchange: RequestPipeline?
  @exclusivity(unchecked) private var parser = HTTP1ResponseParser()
  @exclusivity(unchecked) private var decoder = HTTP1BodyDecoder(.none)
  @exclusivity(unchecked) private var head: HTTP1ResponseParser.Head?
  /// Received bytes that are not used up yet.
  @exclusivity(unchecked) private var inbound: ByteBuffer?
  @exclusivity(unchecked) private var outbound = ByteBuffer()
  /// `outbound` has not been handed to the channel yet.
  @exclusivity(unchecked) private var headWaits = false
  @exclusivity(unchecked) private var readIsPending = false
  @exclusivity(unchecked) private var timer = LazyTimer()
  @exclusivity(unchecked) private var timeoutKind = UpstreamFailure.readTimedOut
  @exclusivity(unchecked) private var isRequestComplete = false
  @exclusivity(unchecked) private var sendTimeout = TimeAmount.seconds(60)
  @exclusivity(unchecked) private var readTimeout = TimeAmount.seconds(60)
  @exclusivity(unchecked) private var expectsNoBody = false
  @exclusivity(unchecked) private var allowsUpgrade = false
  @exclusivity(unchecked) private(set) var requestCount = 0

  @exclusivity(unchecked) var awaitsHandshake = false
  @exclusivity(unchecked) private var ready: ((Result<UpstreamHandler, UpstreamFailure>) -> Void)?

  init(loop: ProxyLoop, pool: UpstreamPool) {
    self.loop = loop
    self.pool = pool
  }

  /// As the channel said last.
  @exclusivity(unchecked) private(set) var isWritable = true

  // MARK: Life

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if let channel = context.channel as? StreamChannel, channel.directHandler === self { direct = channel }
    isWritable = context.channel.isWritable
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    direct = nil
    timer.cancel()
  }

  /// Calls `completion` once the connection can carry requests.
  func whenReady(
    until deadline: NIODeadline, _ completion: @escaping (Result<UpstreamHandler, UpstreamFailure>) -> Void
  ) {
    if state == .closed { return completion(.failure(awaitsHandshake ? .tlsFailed : .closed)) }
    if !awaitsHandshake {
      state = .idle
      return completion(.success(self))
    }
    ready = completion
    arm(deadline, .connectTimedOut)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if awaitsHandshake, case .handshakeCompleted = event as? TLSUserEvent {
      awaitsHandshake = false
      timer.clear()
      if let ready {
        self.ready = nil
        state = .idle
        ready(.success(self))
      }
    }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A peer that closes TLS without saying so ends the connection, not more.
    if case NIOSSLError.uncleanShutdown = error { return }
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    loop.readClock()
    isWritable = false
    let wasIdle = state == .idle && exchange == nil
    let wasConnecting = state == .connecting
    let oldState = state
    state = .closed
    timer.cancel()
    if wasConnecting {
      if let ready {
        self.ready = nil
        ready(.failure(awaitsHandshake ? .tlsFailed : .connectFailed))
      }
    } else if wasIdle {
      pool.remove(self)
    } else if let exchange {
      switch oldState {
      case .body where decoder.connectionEnded():
        detach()
        exchange.upstreamEnded()
      case .tunnel:
        detach()
        exchange.upstreamTunnelClosed()
      default:
        detach()
        exchange.upstreamFailed(.closed)
      }
    }
    context.fireChannelInactive()
  }

  /// Closes for good; a request at work is not told.
  func close() {
    detach()
    if state != .closed {
      state = .closed
      timer.cancel()
      context?.close(promise: nil)
    }
  }

  private func detach() {
    exchange = nil
    inbound = nil
    timer.clear()
  }

  // MARK: Timeouts

  private func arm(_ deadline: NIODeadline, _ kind: UpstreamFailure) {
    timeoutKind = kind
    if timer.move(to: deadline) { scheduleTimer() }
  }

  /// The task holds the handler until it fires or is cancelled, at the latest when the handler is removed. A weak
  /// reference would make each retain of the handler several times as expensive.
  private func scheduleTimer() { timer.schedule(on: loop.eventLoop) { [self] in timerFired() } }

  private func timerFired() {
    loop.readClock()
    switch timer.fired(now: loop.now) {
    case .cleared: return
    case .early: return scheduleTimer()
    case .due: break
    }
    if let ready {
      self.ready = nil
      close()
      return ready(.failure(.connectTimedOut))
    }
    if let exchange {
      let kind = timeoutKind
      close()
      exchange.upstreamFailed(kind)
    } else {
      pool.remove(self)
      close()
    }
  }

  // MARK: Sending

  /// Takes the connection for one request.
  func begin(_ exchange: RequestPipeline, target: UpstreamTarget, expectsNoBody: Bool, allowsUpgrade: Bool) {
    self.exchange = exchange
    self.expectsNoBody = expectsNoBody
    self.allowsUpgrade = allowsUpgrade
    sendTimeout = .milliseconds(target.sendTimeoutMilliseconds)
    readTimeout = .milliseconds(target.readTimeoutMilliseconds)
    requestCount += 1
    isRequestComplete = false
    state = .awaitingHead
    parser.reset()
    head = nil
    timer.clear()
  }

  func write(_ bytes: ByteBuffer) {
    enqueueHead()
    enqueue(bytes)
  }

  /// Writes what `body` makes, in memory that is used again for the next request.
  func writeHead(_ body: (inout ByteBuffer) -> Void) {
    outbound.clear()
    body(&outbound)
    headWaits = true
  }

  private func enqueueHead() {
    guard headWaits else { return }
    headWaits = false
    enqueue(outbound)
  }

  private func enqueue(_ bytes: ByteBuffer) {
    if let direct { direct.enqueue(bytes) } else { context?.write(wrapOutboundOut(bytes), promise: nil) }
  }

  func flush() {
    if let direct {
      if headWaits { direct.sendAtOnce(&outbound) }
      if outbound.readableBytes > 0 { enqueueHead() }
      headWaits = false
      direct.flush0()
    } else {
      enqueueHead()
      context?.flush()
    }
    if exchange != nil, !isRequestComplete, !isWritable {
      arm(loop.now + sendTimeout, .sendTimedOut)
    }
  }

  /// The whole request has been written.
  func requestIsComplete() {
    isRequestComplete = true
    if state == .awaitingHead || state == .body { arm(loop.now + readTimeout, .readTimedOut) }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    writabilityChanged(to: context.channel.isWritable)
    context.fireChannelWritabilityChanged()
  }

  func writabilityChanged(to isWritable: Bool) {
    self.isWritable = isWritable
    if isWritable {
      if let exchange {
        if !isRequestComplete { timer.clear() }
        exchange.upstreamBecameWritable()
      }
    }
  }

  // MARK: Receiving

  func read(context: ChannelHandlerContext) { if wantsToRead() { context.read() } }

  /// Reads only while the client takes what is read.
  func wantsToRead() -> Bool {
    guard let exchange, state == .body || state == .tunnel, !exchange.wantsUpstreamBytes else { return true }
    readIsPending = true
    timer.clear()
    return false
  }

  func resumeReading() {
    guard readIsPending else { return }
    readIsPending = false
    if isRequestComplete, state == .body { arm(loop.now + readTimeout, .readTimedOut) }
    if let direct { direct.read0() } else { context?.read() }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { received(unwrapInboundIn(data)) }

  func received(_ bytes: ByteBuffer) {
    loop.readClock()
    guard exchange != nil else {
      // An answer to no question: nothing on this connection can be trusted any more.
      if state == .idle { pool.remove(self) }
      close()
      return
    }
    if state == .tunnel {
      exchange?.upstreamTunnelBytes(bytes)
      return
    }
    if inbound == nil || inbound?.readableBytes == 0 {
      inbound = bytes
    } else {
      inbound?.writeImmutableBuffer(bytes)
    }
    process()
    // What waits here keeps its own memory, not that of a whole read.
    if let rest = inbound { inbound = rest.settled }
    if exchange != nil, isRequestComplete, !readIsPending { arm(loop.now + readTimeout, .readTimedOut) }
  }

  /// Nobody comes after this handler.
  func channelReadComplete(context: ChannelHandlerContext) { receivedAll() }

  func receivedAll() { exchange?.upstreamReadCompleted() }

  private func process() {
    while state == .awaitingHead, let bytes = inbound {
      switch bytes.withUnsafeReadableBytes({ parser.parse($0) }) {
      case .needsMore: return
      case .malformed: return fail(.malformedResponse)
      case .head(let head):
        if !receive(head) { return }
      }
    }
    guard state == .body, var bytes = inbound else { return }
    // The local copy is the only one, so that slices of it are taken without copying.
    inbound = nil
    while let chunk = decoder.next(&bytes) {
      exchange?.upstreamBody(chunk)
      if state != .body { return }
    }
    if decoder.isMalformed { return fail(.malformedResponse) }
    if decoder.isFinished { return finish(hasLeftover: bytes.readableBytes > 0) }
    if bytes.readableBytes > 0 { inbound = bytes }
  }

  /// - Returns: False when there is nothing more to parse here.
  private func receive(_ head: HTTP1ResponseParser.Head) -> Bool {
    guard let exchange, var bytes = inbound else { return false }
    if head.status < 200, head.status != 101 {
      bytes.moveReaderIndex(forwardBy: head.length)
      inbound = bytes
      parser.reset()
      return true
    }
    var headers = exchange.takeSpareHeaders()
    bytes.withUnsafeReadableBytes { raw in
      headers.reset(copying: UnsafeRawBufferPointer(rebasing: raw[0..<head.length]), fields: parser.fields)
    }
    bytes.moveReaderIndex(forwardBy: head.length)
    inbound = bytes
    parser.reset()
    self.head = head
    if head.status == 101 {
      guard allowsUpgrade else {
        fail(.malformedResponse)
        return false
      }
      state = .tunnel
      timer.clear()
      exchange.upstreamUpgraded(head, headers)
      if bytes.readableBytes > 0 {
        inbound = nil
        exchange.upstreamTunnelBytes(bytes)
      }
      return false
    }
    let hasBody = !expectsNoBody && !StatusLine.isBodyless(head.status)
    decoder = HTTP1BodyDecoder(hasBody ? head.body : .none)
    state = .body
    exchange.upstreamHead(head, headers, hasBody: hasBody && head.body != .fixed(0))
    return true
  }

  private func fail(_ failure: UpstreamFailure) {
    let exchange = exchange
    close()
    exchange?.upstreamFailed(failure)
  }

  /// The response is whole: back to the pool if nothing is left over in either direction, closed otherwise.
  private func finish(hasLeftover: Bool) {
    guard let exchange else { return }
    let reusable =
      !hasLeftover && isRequestComplete && head?.isKeepAlive == true && !loop.isDraining
      && requestCount < loop.configuration.upstreamKeepaliveRequests
    if reusable, loop.configuration.upstreamKeepalivePoolSize > 0 {
      detach()
      state = .idle
      resumeReading()
      arm(loop.now + loop.configuration.upstreamKeepaliveIdleTimeout, .readTimedOut)
      pool.put(self)
    } else {
      close()
    }
    exchange.upstreamEnded()
  }
}
