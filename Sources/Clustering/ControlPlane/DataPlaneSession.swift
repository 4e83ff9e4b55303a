import Foundation
import Logging
import NIOCore
import NIOWebSocket

/// The control plane's end of one data plane's connection (Kong fact, hybrid §3). Confined to its event loop.
///
/// The first frame says what the data plane is; from then on configurations go out, one at a time and always the
/// latest, and pings with the hash that runs come in.
final class DataPlaneSession: ChannelInboundHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundOut = WebSocketFrame

  private let core: ControlPlaneCore
  private let request: OutletRequest
  private let logger: Logger
  private var context: ChannelHandlerContext?
  private var info: BasicInfo?
  private var record: DataPlaneRecord
  private var deadline: Scheduled<Void>?
  private var isPushing = false
  private var lastSent: UInt64?
  /// The last message that was sent, for a data plane that takes differences.
  private var lastMessage: SegmentedMessage?

  init(core: ControlPlaneCore, request: OutletRequest, remoteAddress: SocketAddress?) {
    self.core = core
    self.request = request
    var logger = core.logger
    logger[metadataKey: "data_plane"] = "\(request.nodeID)"
    logger[metadataKey: "hostname"] = "\(request.hostname)"
    self.logger = logger
    record = DataPlaneRecord(
      id: request.nodeID, ip: remoteAddress?.ipAddress ?? "", hostname: request.hostname, version: request.version,
      configHash: Reconfigure.emptyHash, lastSeen: core.now, updatedAt: core.now, syncStatus: .unknown,
      certificateExpiry: Int64(core.configuration.identity.expiry.timeIntervalSince1970))
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    core.add(self)
    expect(within: core.configuration.timings.handshake, "the data plane sent no basic info")
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  func channelInactive(context: ChannelHandlerContext) {
    if self.context != nil { logger.info("data plane disconnected") }
    end()
    context.fireChannelInactive()
  }

  private func end() {
    deadline?.cancel()
    deadline = nil
    context = nil
    core.remove(self)
  }

  func errorCaught(context: ChannelHandlerContext, error: Error) {
    logger.warning("connection of the data plane failed: \(error)")
    context.close(promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    switch frame.opcode {
    case .binary, .text:
      if info == nil {
        begin(frame.unmaskedData)
      } else {
        logger.debug("a message of the data plane is ignored, for none is expected")
      }
    case .ping: ping(frame.unmaskedData)
    case .connectionClose: close(code: .normalClosure)
    default: break
    }
  }

  private func begin(_ data: ByteBuffer) {
    do throws(ProtocolFailure) {
      let info = try BasicInfo(parsing: data.readableBytesView)
      record.labels = info.labels
      let verdict = CompatibilityCheck.version(ofDataPlane: request.version, controlPlane: core.configuration.version)
      guard verdict.status == .normal else {
        save(verdict)
        logger.error("unable to send updated configuration to data plane: \(verdict.reason ?? "")")
        close(code: .policyViolation)
        return
      }
      self.info = info
      save(Verdict(status: .unknown))
      expectPing()
      logger.info("data plane connected, version \(request.version)")
      core.purge()
      pushIfNeeded()
    } catch {
      logger.error("\(error)")
      close(code: .protocolError)
    }
  }

  private func ping(_ data: ByteBuffer) {
    let hash = String(decoding: data.readableBytesView, as: UTF8.self)
    guard info != nil else {
      logger.error("the data plane sent a ping before its basic info")
      close(code: .protocolError)
      return
    }
    guard data.readableBytes == 32, hash.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      logger.error("received a ping frame from the data plane with an invalid hash")
      close(code: .protocolError)
      return
    }
    record.configHash = hash
    record.lastSeen = core.now
    save(nil)
    expectPing()
    send(.pong, ByteBuffer(), promise: nil)
  }

  /// Sends the current configuration unless this data plane has it, cannot have it, or is still receiving another one.
  func pushIfNeeded() {
    guard let info, context != nil, !isPushing, let publication = core.current, lastSent != publication.number
    else { return }
    let withheld = publication.withheld(version: request.version, takesStreamedPlugins: info.takesStreamedPlugins)
    let verdict = CompatibilityCheck.plugins(
      configured: publication.configuredBundledPlugins, ours: core.configuration.plugins, theirs: info.plugins)
    let isNew = record.withheld != withheld
    record.withheld = withheld
    guard verdict.status == .normal else {
      lastSent = publication.number
      if record.syncReason != verdict.reason {
        logger.warning("unable to send updated configuration to data plane: \(verdict.reason ?? "")")
      }
      save(verdict)
      return
    }
    if let part = withheld.first {
      let reason = withheld.map { "\($0.entity) (\($0.names.joined(separator: ", "))): \($0.reason)" }
        .joined(separator: "; ")
      if isNew { logger.warning("the data plane gets no \(part.entity) nor their instances: \(reason)") }
      save(Verdict(status: .pluginSetIncompatible, reason: reason))
    } else {
      save(verdict)
    }
    isPushing = true
    core.message(of: publication, withheld: withheld).assumeIsolated().whenComplete { result in
      self.push(result, of: publication)
    }
  }

  private func push(_ result: Result<SegmentedMessage, any Error>, of publication: Publication) {
    func finish() {
      isPushing = false
      pushIfNeeded()
    }
    guard let context else { return }
    if publication.number != core.current?.number { return finish() }
    lastSent = publication.number
    switch result {
    case .failure(let error):
      logger.error("unable to make the configuration for the data plane: \(error)")
      finish()
    case .success(let message) where message.byteCount > core.configuration.maxPayload:
      let reason =
        "the configuration has \(message.byteCount) bytes compressed, more than cluster_max_payload "
        + "(\(core.configuration.maxPayload))"
      logger.error("unable to send updated configuration to data plane: \(reason)")
      save(Verdict(status: record.syncStatus, reason: reason))
      finish()
    case .success(let message):
      let promise = context.eventLoop.makePromise(of: Void.self)
      promise.futureResult.assumeIsolated().whenComplete { _ in finish() }
      core.frame(of: message, from: lastMessage).assumeIsolated().whenComplete { result in
        guard case .success(let frame) = result else { return promise.succeed() }
        self.send(.binary, frame, promise: promise)
        self.logger.debug("configuration sent to the data plane, \(frame.readableBytes) bytes")
      }
      if info?.takesDifferences == true, message.hasIndex { lastMessage = message } else { lastMessage = nil }
    }
  }

  private func save(_ verdict: Verdict?) {
    if let verdict {
      record.updatedAt = core.now
      record.syncStatus = verdict.status
      record.syncReason = verdict.reason
    }
    core.directory.save(record)
  }

  private func send(_ opcode: WebSocketOpcode, _ data: ByteBuffer, promise: EventLoopPromise<Void>?) {
    guard let context else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, data: data)), promise: promise)
  }

  func close(code: WebSocketErrorCode) {
    guard let context else { return }
    var data = ByteBuffer()
    data.write(webSocketErrorCode: code)
    let channel = context.channel
    let promise = context.eventLoop.makePromise(of: Void.self)
    promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
    send(.connectionClose, data, promise: promise)
  }

  private func expectPing() {
    expect(within: core.configuration.timings.liveness, "did not receive PING frame from data plane")
  }

  private func expect(within time: TimeAmount, _ complaint: String) {
    deadline?.cancel()
    deadline = context?.eventLoop.assumeIsolated().scheduleTask(in: time) {
      self.logger.error("\(complaint) within \(time.nanoseconds / 1_000_000_000) seconds")
      self.context?.close(promise: nil)
    }
  }
}
