import Logging
import NIOCore
import NIOWebSocket

/// The data plane's end of a connection. Confined to its event loop.
final class ControlPlaneSession: ChannelInboundHandler, ChannelOutboundHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundIn = WebSocketFrame
  typealias OutboundOut = WebSocketFrame

  /// Outbound event: say what this node is. Nothing can be written while the upgrade to WebSocket is under way, hence
  /// not when the handler is added.
  struct Begin: Sendable {}

  /// Outbound event: report the running hash now.
  struct ReportHash: Sendable {}

  private let info: [UInt8]
  private let timings: ClusterTimings
  private let logger: Logger
  private let hash: @Sendable () -> String
  private let received: @Sendable (ReceivedMessage) -> Void
  private let maxPayload: Int
  /// The last message, from which the next one may be a difference.
  private var last: SegmentedMessage?
  private var context: ChannelHandlerContext?
  private var hasBegun = false
  private var deadline: Scheduled<Void>?
  private var nextPing: Scheduled<Void>?

  /// - Parameters:
  ///   - hash: the hash to report.
  ///   - received: takes each configuration.
  ///   - maxPayload: the most bytes of one.
  init(
    info: [UInt8], timings: ClusterTimings, maxPayload: Int, logger: Logger, hash: @escaping @Sendable () -> String,
    received: @escaping @Sendable (ReceivedMessage) -> Void
  ) {
    self.info = info
    self.timings = timings
    self.maxPayload = maxPayload
    self.logger = logger
    self.hash = hash
    self.received = received
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    expectFrame()
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  private func end() {
    deadline?.cancel()
    nextPing?.cancel()
    context = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    expectFrame()
    let frame = unwrapInboundIn(data)
    switch frame.opcode {
    case .binary: take(Array(frame.unmaskedData.readableBytesView), context)
    case .ping: send(.pong, frame.unmaskedData)
    case .connectionClose:
      logger.info("the control plane closes the connection")
      context.close(promise: nil)
    default: break
    }
  }

  private func take(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
    guard MessageDifference.isDifference(bytes) else {
      let message = ReceivedMessage(bytes)
      if case .segmented(let segmented) = message { last = segmented } else { last = nil }
      return received(message)
    }
    do throws(ProtocolFailure) {
      let message = try MessageDifference.message(bytes, from: last, limit: maxPayload)
      last = message
      received(.segmented(message))
    } catch {
      // The first message of the next connection is whole.
      logger.error("the configuration of the control plane cannot be put together, connecting anew: \(error)")
      context.close(promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: Error) {
    logger.warning("connection to the control plane failed: \(error)")
    context.close(promise: nil)
  }

  func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
    switch event {
    case is Begin:
      hasBegun = true
      send(.binary, ByteBuffer(bytes: info))
      ping()
      promise?.succeed()
    case is ReportHash:
      // A report before the beginning is part of the beginning.
      if hasBegun { ping() }
      promise?.succeed()
    default: context.triggerUserOutboundEvent(event, promise: promise)
    }
  }

  private func ping() {
    guard let context else { return }
    send(.ping, ByteBuffer(string: hash()))
    nextPing?.cancel()
    nextPing = context.eventLoop.assumeIsolated().scheduleTask(in: timings.pingInterval) { self.ping() }
  }

  private func send(_ opcode: WebSocketOpcode, _ data: ByteBuffer) {
    guard let context else { return }
    let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
    context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
  }

  private func expectFrame() {
    deadline?.cancel()
    deadline = context?.eventLoop.assumeIsolated().scheduleTask(in: timings.liveness) {
      self.logger.error("did not receive any frame from the control plane in time")
      self.context?.close(promise: nil)
    }
  }
}
