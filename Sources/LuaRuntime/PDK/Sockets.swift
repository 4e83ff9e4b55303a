import NIOCore
import NIOPosix
import PluginKit

/// What `ngx.socket` is made of: client sockets that wait without blocking. Source: Kong fact, pdk §7.
enum SocketNamespace {
  static let functions: [PDKFunction] = [
    .controlling(
      "socket.connect", .any, level: .internal, arguments: "host, port, timeout", "Opens a connection.",
      { (call) throws(LuaFault) in
        guard let host = call.string(0), let port = call.number(1), let state = call.host.runningState else {
          throw LuaFault("no request found")
        }
        let timeout = timeout(call, 2)
        return .wait(
          LuaWait { _, eventLoop, completion in
            let socket = LuaSocket(eventLoop)
            socket.connect(host: host, port: Int(port), timeout: timeout) { failure in
              completion { call in
                if let failure { return call.returnsFailure(failure) }
                let number = (state.sockets.keys.max() ?? 0) + 1
                state.sockets[number] = socket
                call.returns(number)
              }
            }
          })
      }),
    .controlling(
      "socket.send", .any, level: .internal, arguments: "number, data, timeout", wants: .tables, "Sends bytes.",
      { (call) throws(LuaFault) in
        guard let socket = socket(call) else { return closed(call) }
        var bytes: [UInt8] = []
        try append(call.value(1), to: &bytes)
        let buffer = ByteBuffer(bytes: bytes)
        return .wait(
          LuaWait { _, _, completion in
            socket.send(buffer) { failure in
              completion { call in
                if let failure { call.returnsFailure(failure) } else { call.returns(buffer.readableBytes) }
              }
            }
          })
      }),
    .controlling(
      "socket.receive", .any, level: .internal, arguments: "number, kind, count, timeout", "Receives bytes.",
      { (call) throws(LuaFault) in
        guard let socket = socket(call) else { return closed(call) }
        let count = call.number(2).flatMap { Int(exactly: $0.rounded(.down)) } ?? 0
        let kind: LuaSocket.Amount =
          switch call.string(1) {
          case "n": .bytes(count)
          case "y": .any(max(1, count))
          case "a": .all
          default: .line
          }
        let timeout = timeout(call, 3)
        return .wait(
          LuaWait { _, _, completion in
            socket.receive(kind, timeout: timeout) { bytes, failure in
              completion { call in
                guard let failure else { return call.returns(bytes) }
                call.returnsFailure(failure)
                call.returns(bytes)
              }
            }
          })
      }),
    PDKFunction("socket.close", .any, level: .internal, arguments: "number", "Closes a connection.") {
      (call) throws(LuaFault) in
      guard let number = call.number(0).flatMap({ Int(exactly: $0) }) else { return }
      call.host.runningState?.sockets.removeValue(forKey: number)?.close()
    },
  ]

  private static func socket(_ call: LuaCall) -> LuaSocket? {
    call.number(0).flatMap { Int(exactly: $0) }.flatMap { call.host.runningState?.sockets[$0] }
  }

  private static func closed(_ call: LuaCall) -> LuaOutcome {
    call.returnsFailure("closed")
    return .returned
  }

  private static func timeout(_ call: LuaCall, _ index: Int) -> TimeAmount {
    let milliseconds = call.number(index) ?? 60_000
    return .milliseconds(Int64(milliseconds > 0 ? min(milliseconds, 1e9) : 60_000))
  }

  private static func append(_ value: LuaValue, to bytes: inout [UInt8]) throws(LuaFault) {
    switch value {
    case .table: for item in value.list { try append(item, to: &bytes) }
    case .nil, .null, .other: throw LuaFault("bad argument #1 to 'send' (string, number or table expected)")
    default: bytes += value.scalarBytes ?? []
    }
  }
}

/// One client socket of a plugin. Confined to its event loop; one operation at a time, as a coroutine waits for it.
final class LuaSocket: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  enum Amount {
    case bytes(Int)
    case any(Int)
    /// Up to a line feed, which is left out, as are carriage returns.
    case line
    case all
  }

  /// Bytes that one `receive` may collect.
  private static let limit = 64 << 20

  private let eventLoop: any EventLoop
  private var channel: (any Channel)?
  private var received = ByteBuffer()
  private var isClosed = false
  private var waiting: (amount: Amount, completion: (ByteBuffer, String?) -> Void)?
  private var deadline: Scheduled<Void>?

  init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func connect(host: String, port: Int, timeout: TimeAmount, _ completion: @escaping (String?) -> Void) {
    guard let bootstrap = ClientBootstrap(validatingGroup: eventLoop) else {
      return completion("this event loop has no network")
    }
    // Everything below happens on the one event loop.
    nonisolated(unsafe) let socket = self
    nonisolated(unsafe) let completion = completion
    bootstrap.connectTimeout(timeout)
      .channelOption(.autoRead, value: false)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(socket) }
      }
      .connect(host: host, port: port)
      .whenComplete { result in
        switch result {
        case .success(let channel):
          socket.channel = channel
          completion(nil)
        case .failure(let error): completion(Self.sentence(for: error, host: host))
        }
      }
  }

  func send(_ bytes: ByteBuffer, _ completion: @escaping (String?) -> Void) {
    guard let channel, !isClosed else { return completion("closed") }
    nonisolated(unsafe) let completion = completion
    channel.writeAndFlush(bytes).whenComplete { result in
      switch result {
      case .success: completion(nil)
      case .failure: completion("closed")
      }
    }
  }

  /// Gives the bytes; with a failure those that had come.
  func receive(_ amount: Amount, timeout: TimeAmount, _ completion: @escaping (ByteBuffer, String?) -> Void) {
    waiting = (amount, completion)
    if settle() { return }
    nonisolated(unsafe) let socket = self
    deadline = eventLoop.scheduleTask(in: timeout) { socket.end("timeout") }
    channel?.read()
  }

  func close() {
    isClosed = true
    channel?.close(promise: nil)
    channel = nil
  }

  // MARK: Events

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var chunk = unwrapInboundIn(data)
    received.writeBuffer(&chunk)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if waiting != nil, !settle() { context.read() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    isClosed = true
    _ = settle()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

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
    case .all:
      if isClosed { return finish(takeAll(), nil) }
    }
    if isClosed { return finish(takeAll(), "closed") }
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

  private static func sentence(for error: any Error, host: String) -> String {
    if let error = error as? NIOConnectionError {
      if error.connectionErrors.isEmpty { return "\(host) could not be resolved" }
      return error.connectionErrors.map { sentence(for: $0.error, host: host) }[0]
    }
    if let error = error as? ChannelError, case .connectTimeout = error { return "timeout" }
    guard let error = error as? IOError else { return "\(error)" }
    return switch error.errnoCode {
    case ECONNREFUSED: "connection refused"
    case ETIMEDOUT: "timeout"
    case EHOSTUNREACH: "no route to host"
    case ENETUNREACH: "network is unreachable"
    default: "connection failed"
    }
  }
}
