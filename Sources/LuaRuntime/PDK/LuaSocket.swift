import EpollTransport
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// One client socket of a plugin. Confined to its event loop; one operation at a time, as a coroutine waits for it.
final class LuaSocket: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  enum Amount {
    case bytes(Int)
    case any(Int)
    /// Up to a line feed, which is left out, as are carriage returns.
    case line
    case all
    /// Up to these bytes, which are left out.
    case until([UInt8])
  }

  /// Bytes that one `receive` may collect.
  private static let limit = 64 << 20

  private let eventLoop: any EventLoop
  private var channel: (any Channel)?
  private var received = ByteBuffer()
  private var isClosed = false
  private var waiting: (amount: Amount, completion: (ByteBuffer, String?) -> Void)?
  private var deadline: Scheduled<Void>?
  private var handshake: ((String?) -> Void)?
  /// What has gone wrong on the connection, for whoever uses it next.
  private var failure: String?
  private(set) var isTLS = false
  /// How often it was taken from a pool.
  var reuseCount = 0
  /// Called when the idle connection is of no use any more.
  var whenUseless: (() -> Void)?

  init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func connect(host: String, port: Int, timeout: TimeAmount, _ completion: @escaping (String?) -> Void) {
    guard let loop = eventLoop as? EpollEventLoop else {
      return completion("this event loop has no network")
    }
    let deadline = NIODeadline.now() + timeout
    if let address = try? SocketAddress(ipAddress: host, port: port) {
      return connect(to: [address][...], host: host, on: loop, by: deadline, completion)
    }
    // Everything below happens on the one event loop.
    NIOThreadPool.singleton.runIfActive(eventLoop: loop) { NameLookup.addresses(of: host) }
      .assumeIsolated()
      .whenComplete { result in
        let found = ((try? result.get()) ?? []).compactMap { try? SocketAddress(ipAddress: $0, port: port) }
        self.connect(to: found[...], host: host, on: loop, by: deadline, completion)
      }
  }

  /// Tries one address after the other; the failure of the first one is told.
  private func connect(
    to addresses: ArraySlice<SocketAddress>, host: String, on loop: EpollEventLoop, by deadline: NIODeadline,
    after failure: String? = nil, _ completion: @escaping (String?) -> Void
  ) {
    guard let address = addresses.first else { return completion(failure ?? "\(host) could not be resolved") }
    let time = deadline - .now()
    guard time > .zero else { return completion("timeout") }
    var options = StreamOptions()
    options.autoRead = false
    loop.connect(to: address, timeout: time, options: options) { channel in
      try channel.pipeline.syncOperations.addHandler(self)
    }.assumeIsolated().whenComplete { result in
      switch result {
      case .success(let channel):
        // An address that failed has told the socket that it is closed.
        self.isClosed = false
        self.channel = channel
        completion(nil)
      case .failure(let error):
        self.connect(
          to: addresses.dropFirst(), host: host, on: loop, by: deadline,
          after: failure ?? Self.sentence(for: error, host: host), completion)
      }
    }
  }

  /// Goes over to TLS; at once if the connection has done so already.
  func secure(
    _ context: NIOSSLContext, serverName: String?, timeout: TimeAmount, _ completion: @escaping (String?) -> Void
  ) {
    if isTLS { return completion(nil) }
    guard let channel, !isClosed else { return completion("closed") }
    do {
      // A certificate is held against names only, so that an address goes without.
      let name = serverName.flatMap { (try? SocketAddress(ipAddress: $0, port: 0)) == nil ? $0 : nil }
      let handler = try NIOSSLClientHandler(context: context, serverHostname: name)
      handshake = completion
      // Sound: called on the channel's event loop, which is the one that asks.
      nonisolated(unsafe) let socket = self
      deadline = eventLoop.scheduleTask(in: timeout) { socket.endHandshake("timeout") }
      try channel.pipeline.syncOperations.addHandler(handler, position: .first)
      channel.setOption(.autoRead, value: true).whenFailure { _ in }
    } catch {
      endHandshake(Self.sentence(for: error, host: serverName ?? ""))
    }
  }

  private func endHandshake(_ failure: String?) {
    guard let completion = handshake else { return }
    handshake = nil
    deadline?.cancel()
    deadline = nil
    if failure == nil {
      isTLS = true
      channel?.setOption(.autoRead, value: false).whenFailure { _ in }
    } else {
      close()
    }
    completion(failure)
  }

  func send(_ bytes: ByteBuffer, timeout: TimeAmount, _ completion: @escaping (String?) -> Void) {
    guard let channel, !isClosed else { return completion("closed") }
    var completion: ((String?) -> Void)? = completion
    func finish(_ failure: String?) {
      let waiting = completion
      completion = nil
      waiting?(failure)
    }
    // Sound: called on the channel's event loop, which is the one that asks.
    nonisolated(unsafe) let end = finish
    let deadline = eventLoop.scheduleTask(in: timeout) { end("timeout") }
    channel.writeAndFlush(bytes).whenComplete { result in
      deadline.cancel()
      switch result {
      case .success: end(nil)
      case .failure: end("closed")
      }
    }
  }

  /// Gives the bytes; with a failure those that had come.
  func receive(_ amount: Amount, timeout: TimeAmount, _ completion: @escaping (ByteBuffer, String?) -> Void) {
    waiting = (amount, completion)
    if settle() { return }
    // Sound: called on the channel's event loop, which is the one that asks.
    nonisolated(unsafe) let socket = self
    deadline = eventLoop.scheduleTask(in: timeout) { socket.end("timeout") }
    channel?.read()
  }

  func close() {
    isClosed = true
    channel?.close(promise: nil)
    channel = nil
  }

  /// Why the connection cannot be kept for later; nil if it can.
  var refusalToKeep: String? {
    if isClosed || channel == nil { return failure ?? "closed" }
    return received.readableBytes > 0 ? "unread data in buffer" : nil
  }

  /// Listens for the end of an idle connection.
  func rest() { channel?.read() }

  // MARK: Events

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var chunk = unwrapInboundIn(data)
    received.writeBuffer(&chunk)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if waiting != nil, !settle() { context.read() }
    if received.readableBytes > 0 { whenUseless?() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    isClosed = true
    endHandshake(failure ?? "closed")
    _ = settle()
    whenUseless?()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted = event as? TLSUserEvent { endHandshake(nil) }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A peer that ends TLS without saying so has closed the connection, not more.
    if case .uncleanShutdown = error as? NIOSSLError {} else {
      failure = Self.sentence(for: error, host: "")
      endHandshake(failure)
    }
    context.close(promise: nil)
  }

  /// Ends the waiting operation if it can end.
  private func settle() -> Bool {
    guard let waiting else { return true }
    switch waiting.amount {
    case .bytes(let count):
      if let bytes = received.readSlice(length: count) { return finish(bytes, nil) }
    case .any(let count):
      if received.readableBytes > 0, let bytes = received.readSlice(length: min(count, received.readableBytes)) {
        return finish(bytes, nil)
      }
    case .line:
      if let end = received.readableBytesView.firstIndex(of: UInt8(ascii: "\n")),
        let line = received.readSlice(length: end - received.readerIndex)
      {
        received.moveReaderIndex(forwardBy: 1)
        return finish(ByteBuffer(bytes: line.readableBytesView.filter { $0 != UInt8(ascii: "\r") }), nil)
      }
    case .until(let mark):
      if let range = received.readableBytesView.firstRange(of: mark),
        let bytes = received.readSlice(length: range.lowerBound - received.readerIndex)
      {
        received.moveReaderIndex(forwardBy: mark.count)
        return finish(bytes, nil)
      }
    case .all:
      if isClosed { return finish(takeAll(), nil) }
    }
    if isClosed { return finish(takeAll(), failure ?? "closed") }
    if received.readableBytes > Self.limit { return finish(takeAll(), "too many bytes") }
    return false
  }

  private func takeAll() -> ByteBuffer {
    let bytes = received
    received = ByteBuffer()
    return bytes
  }

  private func end(_ failure: String) {
    guard waiting != nil else { return }
    _ = finish(takeAll(), failure)
  }

  private func finish(_ bytes: ByteBuffer, _ failure: String?) -> Bool {
    deadline?.cancel()
    deadline = nil
    let completion = waiting?.completion
    waiting = nil
    completion?(bytes, failure)
    return true
  }

  static func sentence(for error: any Error, host: String) -> String {
    if let error = error as? ChannelError, case .connectTimeout = error { return "timeout" }
    if case .handshakeFailed(let reason) = error as? NIOSSLError {
      return "\(reason)".contains("CERTIFICATE_VERIFY_FAILED") ? "certificate verify failed" : "handshake failed"
    }
    if error is NIOSSLExtraError { return "certificate host mismatch" }
    guard let error = error as? IOError else { return "\(error)" }
    return switch error.errnoCode {
    case ECONNREFUSED: "connection refused"
    case ETIMEDOUT: "timeout"
    case EHOSTUNREACH: "no route to host"
    case ENETUNREACH: "network is unreachable"
    case ECONNRESET: "connection reset by peer"
    default: "connection failed"
    }
  }
}
