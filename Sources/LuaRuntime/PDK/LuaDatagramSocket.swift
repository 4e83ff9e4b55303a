import NIOCore
import NIOPosix

/// One UDP socket of a plugin, connected to its peer. Confined to its event loop.
///
/// The channel lives on an event loop of NIO's own sockets, since the proxy's know streams only.
final class LuaDatagramSocket {
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
    // Everything below happens on the one event loop; what the channel's own loop sees is handed over to it.
    nonisolated(unsafe) let socket = self
    nonisolated(unsafe) let completion = completion
    let relay = Relay(eventLoop) { result in socket.arrived(result) }
    DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(relay) }
      }
      .connect(host: host, port: port)
      .hop(to: eventLoop)
      .whenComplete { result in
        switch result {
        case .success(let channel):
          socket.channel = channel
          completion(nil)
        case .failure(let error): completion(Self.connectFailure(error, host: host))
        }
      }
  }

  private static func connectFailure(_ error: any Error, host: String) -> String {
    guard let error = error as? NIOConnectionError else { return LuaSocket.sentence(for: error, host: host) }
    guard let first = error.connectionErrors.first else { return "\(host) could not be resolved" }
    return LuaSocket.sentence(for: first.error, host: host)
  }

  func send(_ bytes: ByteBuffer, _ completion: @escaping (String?) -> Void) {
    guard let channel, let remote = channel.remoteAddress else { return completion("closed") }
    // Sound: called on the event loop that asks.
    nonisolated(unsafe) let completion = completion
    channel.writeAndFlush(AddressedEnvelope(remoteAddress: remote, data: bytes)).hop(to: eventLoop).whenComplete {
      switch $0 {
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
    // Sound: a timer of the event loop that asks.
    nonisolated(unsafe) let socket = self
    deadline = eventLoop.scheduleTask(in: timeout) { socket.finish(nil, "timeout") }
  }

  func close() {
    channel?.close(promise: nil)
    channel = nil
  }

  private func arrived(_ result: Result<ByteBuffer, any Error>) {
    switch result {
    case .success(let bytes):
      if waiting != nil { return finish(bytes, nil) }
      if received.count < Self.limit { received.append(bytes) }
    case .failure(let error):
      let sentence = LuaSocket.sentence(for: error, host: "")
      if waiting != nil { finish(nil, sentence) } else { failure = sentence }
    }
  }

  private func finish(_ bytes: ByteBuffer?, _ failure: String?) {
    deadline?.cancel()
    deadline = nil
    let completion = waiting
    waiting = nil
    completion?(bytes, failure)
  }
}

/// Takes what a channel receives to another event loop.
private final class Relay: ChannelInboundHandler, Sendable {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>

  private let eventLoop: any EventLoop
  private let give: @Sendable (Result<ByteBuffer, any Error>) -> Void

  /// - Parameter give: called on `eventLoop`.
  init(_ eventLoop: any EventLoop, _ give: @escaping @Sendable (Result<ByteBuffer, any Error>) -> Void) {
    self.eventLoop = eventLoop
    self.give = give
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data).data
    eventLoop.execute { [give] in give(.success(bytes)) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    eventLoop.execute { [give] in give(.failure(error)) }
  }
}
