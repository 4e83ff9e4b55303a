import NIOCore
import NIOPosix

/// One UDP socket of a plugin, connected to its peer. Confined to its event loop.
final class LuaDatagramSocket: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>

  /// Datagrams that wait to be received; more are dropped, as the system would.
  private static let limit = 64

  private let eventLoop: any EventLoop
  private var channel: (any Channel)?
  private var received: [ByteBuffer] = []
  private var waiting: ((ByteBuffer?, String?) -> Void)?
  private var deadline: Scheduled<Void>?
  private var failure: String?

  init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func connect(host: String, port: Int, _ completion: @escaping (String?) -> Void) {
    guard let bootstrap = DatagramBootstrap(validatingGroup: eventLoop) else {
      return completion("this event loop has no network")
    }
    // Everything below happens on the one event loop.
    nonisolated(unsafe) let socket = self
    nonisolated(unsafe) let completion = completion
    bootstrap
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(socket) }
      }
      .connect(host: host, port: port)
      .whenComplete { result in
        switch result {
        case .success(let channel):
          socket.channel = channel
          completion(nil)
        case .failure(let error): completion(LuaSocket.sentence(for: error, host: host))
        }
      }
  }

  func send(_ bytes: ByteBuffer, _ completion: @escaping (String?) -> Void) {
    guard let channel, let remote = channel.remoteAddress else { return completion("closed") }
    // Sound: called on the channel's event loop, which is the one that asks.
    nonisolated(unsafe) let completion = completion
    channel.writeAndFlush(AddressedEnvelope(remoteAddress: remote, data: bytes)).whenComplete { result in
      switch result {
      case .success: completion(nil)
      case .failure(let error): completion(LuaSocket.sentence(for: error, host: ""))
      }
    }
  }

  func receive(timeout: TimeAmount, _ completion: @escaping (ByteBuffer?, String?) -> Void) {
    if !received.isEmpty { return completion(received.removeFirst(), nil) }
    if let failure {
      self.failure = nil
      return completion(nil, failure)
    }
    waiting = completion
    // Sound: called on the channel's event loop, which is the one that asks.
    nonisolated(unsafe) let socket = self
    deadline = eventLoop.scheduleTask(in: timeout) { socket.finish(nil, "timeout") }
  }

  func close() {
    channel?.close(promise: nil)
    channel = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data).data
    if waiting != nil { return finish(bytes, nil) }
    if received.count < Self.limit { received.append(bytes) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    let sentence = LuaSocket.sentence(for: error, host: "")
    if waiting != nil { finish(nil, sentence) } else { failure = sentence }
  }

  private func finish(_ bytes: ByteBuffer?, _ failure: String?) {
    deadline?.cancel()
    deadline = nil
    let completion = waiting
    waiting = nil
    completion?(bytes, failure)
  }
}
