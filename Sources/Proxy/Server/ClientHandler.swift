import EpollTransport
import NIOCore
import NIOSSL
import NIOTLS
import PluginKit

/// One HTTP/1.1 connection of a client: the only handler of its channel beside TLS.
///
/// Cuts the received bytes into requests and hands them to its `RequestPipeline`; writes what the pipeline answers.
/// Confined to its event loop.
final class ClientHandler: ChannelDuplexHandler, DirectHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// What happens to the bytes of a request's body.
  enum BodyUse {
    /// They wait; nothing more is read.
    case held
    /// They go to the pipeline.
    case delivered
    /// The response is over; what is left of the body is thrown away.
    case discarded
  }

  private enum State {
    case head
    case request
    case tunnel
    /// Our side is closed; bytes are read and dropped so that the client gets to read the last response.
    case lingering
    case closed
  }

  /// How long a client may take to send the rest of a body that nobody wants.
  private static let lingeringTime = TimeAmount.seconds(5)
  /// Responses up to this many body bytes go out with their head in one piece.
  static let coalescingLimit = 16384

  let loop: ProxyLoop
  @exclusivity(unchecked) private(set) var facts: ConnectionFacts
  @exclusivity(unchecked) private(set) var forwarding: ForwardingFields
  @exclusivity(unchecked) private var context: ChannelHandlerContext?
  /// The channel, where it gives and takes bytes without its pipeline: all but TLS.
  @exclusivity(unchecked) private var direct: StreamChannel?
  @exclusivity(unchecked) private var pipeline: RequestPipeline?
  @exclusivity(unchecked) private var state = State.head
  @exclusivity(unchecked) private var parser: HTTP1RequestParser
  @exclusivity(unchecked) private var decoder = HTTP1BodyDecoder(.none)
  @exclusivity(unchecked) private var inbound: ByteBuffer?
  @exclusivity(unchecked) private var bodyUse = BodyUse.held
  @exclusivity(unchecked) private var bodyEndWasTold = false
  @exclusivity(unchecked) private var isProcessing = false
  @exclusivity(unchecked) private var readIsPending = false
  @exclusivity(unchecked) private var expectsContinue = false
  @exclusivity(unchecked) private var keepsAlive = true
  @exclusivity(unchecked) private(set) var requestCount = 0
  @exclusivity(unchecked) private var timer = LazyTimer()
  /// Bytes to be written with the next flush.
  @exclusivity(unchecked) private var outbound = ByteBuffer()
  /// The bytes of `outbound` have been written; its memory is used again once the channel has let go of it.
  @exclusivity(unchecked) private var outboundIsWritten = false
  @exclusivity(unchecked) private var hasUnflushedWrites = false

  /// Filled by the TLS handshake when plugins have asked for certificates.
  private let presentedCertificates: PresentedCertificates?

  init(loop: ProxyLoop, connection: ConnectionFacts, presentedCertificates: PresentedCertificates? = nil) {
    self.loop = loop
    self.presentedCertificates = presentedCertificates
    facts = connection
    forwarding = ForwardingFields(connection)
    parser = HTTP1RequestParser(
      limits: .init(line: loop.configuration.headLineLimit, head: loop.configuration.headLimit))
  }

  // MARK: Life

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if let channel = context.channel as? StreamChannel, channel.directHandler === self { direct = channel }
    isWritable = context.channel.isWritable
    loop.readClock()
    loop.opened(self)
    arm(loop.configuration.clientHeaderTimeout)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    direct = nil
    timer.cancel()
    loop.closed(self)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if facts.isTLS, case .handshakeCompleted = event as? TLSUserEvent {
      let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
      let version = handler?.tlsVersion.map { TLSVersionName.name(of: $0) }
      facts = facts.with {
        $0.tlsVersion = version
        if let presentedCertificates { $0.clientCertificates = presentedCertificates.der }
      }
    }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if case NIOSSLError.uncleanShutdown = error { return }
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    loop.readClock()
    isWritable = false
    let wasWorking = state == .request || state == .tunnel
    state = .closed
    inbound = nil
    timer.cancel()
    let pipeline = self.pipeline
    self.pipeline = nil
    if wasWorking { pipeline?.clientClosed() }
    loop.closed(self)
    context.fireChannelInactive()
  }

  /// Takes no request after the present one.
  func drain() {
    switch state {
    case .head: if !parser.isInsideHead { abort() }
    case .request: keepsAlive = false
    case .tunnel, .lingering: abort()
    case .closed: break
    }
  }

  /// Closes at once.
  func abort() { context?.close(promise: nil) }

  /// As the channel said last.
  @exclusivity(unchecked) private(set) var isWritable = true

  /// The other end of the tunnel is closed: what was received from it still goes out.
  func closeTunnel() {
    state = .closed
    flush()
    closeWhenWritten(.all)
  }

  // MARK: Timeouts

  private func arm(_ amount: TimeAmount) {
    if timer.move(to: loop.now + amount) { scheduleTimer() }
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
    if state == .request, bodyUse == .delivered, isWritable {
      pipeline?.bodyTimedOut()
    } else {
      abort()
    }
  }

  // MARK: Reading

  private var wantsBytes: Bool {
    switch state {
    case .head, .lingering, .closed: return true
    case .tunnel: return pipeline?.wantsRequestBytes ?? true
    case .request:
      if decoder.isFinished { return (inbound?.readableBytes ?? 0) == 0 }
      switch bodyUse {
      case .held: return false
      case .delivered: return pipeline?.wantsRequestBytes ?? true
      case .discarded: return true
      }
    }
  }

  func read(context: ChannelHandlerContext) {
    if wantsBytes {
      context.read()
    } else {
      readIsPending = true
    }
  }

  func wantsToRead() -> Bool {
    if wantsBytes { return true }
    readIsPending = true
    return false
  }

  /// Goes on after something changed that `wantsBytes` looks at.
  func resumeReading() {
    guard readIsPending, wantsBytes else { return }
    readIsPending = false
    if let direct { direct.read0() } else { context?.read() }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { received(unwrapInboundIn(data)) }

  func received(_ bytes: ByteBuffer) {
    loop.readClock()
    switch state {
    case .lingering, .closed: return
    case .tunnel:
      pipeline?.tunnelBytes(bytes)
      return
    case .head, .request: break
    }
    if inbound == nil || inbound?.readableBytes == 0 {
      inbound = bytes
    } else {
      inbound?.writeImmutableBuffer(bytes)
    }
    process()
    // What waits here keeps its own memory, not that of a whole read.
    if let rest = inbound { inbound = rest.settled }
  }

  /// Nobody comes after this handler.
  func channelReadComplete(context: ChannelHandlerContext) { receivedAll() }

  func receivedAll() {
    pipeline?.clientReadCompleted()
    flush()
  }

  /// Works through the received bytes until more are needed or something else must happen first.
  private func process() {
    if isProcessing { return }
    isProcessing = true
    defer { isProcessing = false }
    while true {
      switch state {
      case .head:
        guard let bytes = inbound, bytes.readableBytes > 0 else { return }
        switch bytes.withUnsafeReadableBytes({ parser.parse($0) }) {
        case .needsMore:
          arm(loop.configuration.clientHeaderTimeout)
          return
        case .refused(let refusal):
          inbound = nil
          return refuse(refusal)
        case .head(let head):
          begin(head, bytes)
        }
      case .request:
        if !pumpBody() { return }
      case .tunnel, .lingering, .closed:
        return
      }
    }
  }

  private func begin(_ head: HTTP1RequestParser.Head, _ bytes: ByteBuffer) {
    state = .request
    timer.clear()
    requestCount += 1
    decoder = HTTP1BodyDecoder(head.body)
    bodyUse = .held
    bodyEndWasTold = false
    expectsContinue = head.expectsContinue && head.body != .none
    keepsAlive =
      head.isKeepAlive && !loop.isDraining && requestCount < loop.configuration.clientKeepaliveRequests
    let pipeline = self.pipeline ?? RequestPipeline(connection: self)
    self.pipeline = pipeline
    bytes.withUnsafeReadableBytes { raw in
      pipeline.prepare(head, fields: parser.fields, bytes: UnsafeRawBufferPointer(rebasing: raw[0..<head.length]))
    }
    inbound?.moveReaderIndex(forwardBy: head.length)
    if inbound?.readableBytes == 0 { inbound = nil }
    parser.reset()
    pipeline.start()
  }

  /// Moves body bytes on.
  ///
  /// - Returns: False when nothing more can be done now.
  private func pumpBody() -> Bool {
    if bodyUse == .held { return false }
    if var bytes = inbound {
      inbound = nil
      while state == .request, bodyUse != .held, let chunk = decoder.next(&bytes) {
        if bodyUse == .delivered { pipeline?.requestBody(chunk) }
      }
      if state != .request { return state == .head }
      if bytes.readableBytes > 0 { inbound = bytes }
    }
    if decoder.isMalformed {
      if bodyUse == .discarded {
        beginLingering()
      } else {
        keepsAlive = false
        bodyUse = .held
        pipeline?.requestBodyMalformed()
      }
      return false
    }
    if decoder.isFinished {
      if bodyUse == .discarded {
        nextRequest()
        return true
      }
      if bodyUse == .delivered, !bodyEndWasTold {
        bodyEndWasTold = true
        timer.clear()
        pipeline?.requestBodyEnded()
        return state == .head
      }
      return false
    }
    if bodyUse == .delivered {
      arm(loop.configuration.clientBodyTimeout)
    }
    resumeReading()
    return false
  }

  // MARK: What the pipeline asks for

  /// Bytes of the body that are still to come are of no known number, or this many.
  var knownBodyRemaining: Int? { decoder.fixedRemaining }

  var bodyIsReceived: Bool { decoder.isFinished }

  /// Starts to deliver the body.
  func deliverBody() {
    guard state == .request else { return }
    bodyUse = .delivered
    if expectsContinue, !decoder.isFinished, (inbound?.readableBytes ?? 0) == 0 {
      expectsContinue = false
      withOutbound { _ = $0.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n") }
      flush()
    }
    expectsContinue = false
    if isProcessing {
      resumeReading()
    } else {
      process()
    }
  }

  func holdBody() { if bodyUse == .delivered { bodyUse = .held } }

  /// Whether the connection can go on after the response: decided when its head is written.
  func decideKeepAlive() -> Bool {
    if loop.isDraining { keepsAlive = false }
    // A client that waits for "100 Continue" may or may not send the body after all: the next request could not be told
    // from it.
    if expectsContinue, !decoder.isFinished { keepsAlive = false }
    return keepsAlive
  }

  func closeAfterResponse() { keepsAlive = false }

  /// The pipeline is done with the request and its response has been written.
  func responseFinished() {
    guard state == .request else { return }
    flush()
    if decoder.isFinished {
      if keepsAlive { nextRequest() } else { closeGracefully(requestIsRead: true) }
    } else if keepsAlive {
      bodyUse = .discarded
      arm(Self.lingeringTime)
    } else {
      closeGracefully(requestIsRead: false)
      return
    }
    if !isProcessing { process() }
    resumeReading()
  }

  private func nextRequest() {
    state = .head
    expectsContinue = false
    if loop.isDraining, (inbound?.readableBytes ?? 0) == 0 { return abort() }
    arm(loop.configuration.clientKeepaliveTimeout)
    resumeReading()
  }

  /// Closes without losing the response: a close with unread bytes would reset the connection.
  private func closeGracefully(requestIsRead: Bool) {
    if requestIsRead, (inbound?.readableBytes ?? 0) == 0 {
      state = .closed
      closeWhenWritten(.all)
    } else {
      beginLingering()
    }
  }

  func beginLingering() {
    state = .lingering
    inbound = nil
    arm(Self.lingeringTime)
    closeWhenWritten(.output)
    resumeReading()
  }

  /// A close would drop what the socket has not taken yet.
  private func closeWhenWritten(_ mode: CloseMode) {
    guard let context else { return }
    let written = context.eventLoop.makePromise(of: Void.self)
    written.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.context?.close(mode: mode, promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
  }

  /// Everything after this point passes unread in both directions.
  func becomeTunnel() {
    guard state == .request else { return }
    state = .tunnel
    timer.clear()
    let early = inbound
    inbound = nil
    flush()
    if let early, early.readableBytes > 0 { pipeline?.tunnelBytes(early) }
    resumeReading()
  }

  // MARK: Writing

  /// Appends to what the next flush writes in one piece.
  ///
  /// - Returns: Number of bytes that `body` added.
  @discardableResult
  func withOutbound(_ body: (inout ByteBuffer) -> Void) -> Int {
    recycleOutbound()
    let before = outbound.readableBytes
    body(&outbound)
    return outbound.readableBytes - before
  }

  private func recycleOutbound() {
    guard outboundIsWritten else { return }
    outboundIsWritten = false
    outbound.clear()
  }

  /// Sends body bytes: small ones join what waits for the flush, large ones go without being copied.
  func write(_ bytes: ByteBuffer) {
    recycleOutbound()
    if outbound.readableBytes + bytes.readableBytes <= Self.coalescingLimit {
      outbound.writeImmutableBuffer(bytes)
    } else {
      writeOutbound()
      enqueue(bytes)
    }
  }

  private func writeOutbound() {
    guard !outboundIsWritten, outbound.readableBytes > 0 else { return }
    enqueue(outbound)
    outboundIsWritten = true
  }

  private func enqueue(_ bytes: ByteBuffer) {
    hasUnflushedWrites = true
    if let direct { direct.enqueue(bytes) } else { context?.write(wrapOutboundOut(bytes), promise: nil) }
  }

  func flush() {
    if !outboundIsWritten, outbound.readableBytes > 0 {
      if let direct, !hasUnflushedWrites { direct.sendAtOnce(&outbound) }
      writeOutbound()
      outboundIsWritten = true
    }
    guard hasUnflushedWrites else { return }
    hasUnflushedWrites = false
    if let direct { direct.flush0() } else { context?.flush() }
    if !isWritable, state == .request || state == .tunnel { arm(loop.configuration.clientSendTimeout) }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    writabilityChanged(to: context.channel.isWritable)
    context.fireChannelWritabilityChanged()
  }

  func writabilityChanged(to isWritable: Bool) {
    self.isWritable = isWritable
    if isWritable {
      if state == .request, bodyUse != .discarded { timer.clear() }
      pipeline?.clientBecameWritable()
    }
  }
}
