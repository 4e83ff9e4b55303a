import NIOCore
import NIOPosix
import NIOSSL

/// One request over a TLS connection of its own, by a client that verifies nothing.
enum TLSExchange {
  /// What the client received until the server closed.
  ///
  /// - Throws: when the handshake fails.
  static func get(
    _ path: String = "/", port: Int, serverName: String? = "a.test", certificates: [String] = [], key: String? = nil
  ) async throws -> String {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .none
    configuration.certificateChain = try certificates.map {
      .certificate(try NIOSSLCertificate(bytes: Array($0.utf8), format: .pem))
    }
    configuration.privateKey = try key.map { .privateKey(try NIOSSLPrivateKey(bytes: Array($0.utf8), format: .pem)) }
    let context = try NIOSSLContext(configuration: configuration)
    let request = "GET \(path) HTTP/1.1\r\nHost: \(serverName ?? "none.test")\r\nConnection: close\r\n\r\n"
    let received = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: String.self)
    let channel = try await ClientBootstrap(group: received.futureResult.eventLoop)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandlers(
            NIOSSLClientHandler(context: context, serverHostname: serverName), Collector(request, received))
        }
      }
      .connectTimeout(.seconds(10))
      .connect(host: "127.0.0.1", port: port).get()
    _ = channel
    return try await received.futureResult.get()
  }

  private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let request: String
    private let received: EventLoopPromise<String>
    private var text = ""
    private var failure: (any Error)?

    init(_ request: String, _ received: EventLoopPromise<String>) {
      self.request = request
      self.received = received
    }

    func channelActive(context: ChannelHandlerContext) {
      context.writeAndFlush(NIOAny(ByteBuffer(string: request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { text += String(buffer: unwrapInboundIn(data)) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      if failure == nil { failure = error }
      context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
      if text.isEmpty {
        received.fail(failure ?? ChannelError.eof)
      } else {
        received.succeed(text)
      }
    }
  }
}
