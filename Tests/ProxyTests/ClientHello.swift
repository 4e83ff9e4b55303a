import NIOCore
import NIOEmbedded
import NIOPosix
import NIOSSL

/// A client that says hello and no more.
enum ClientHello {
  /// The connection after the hello has been sent.
  static func send(serverName: String, port: Int) async throws -> any Channel {
    let hello = try bytes(serverName: serverName)
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connect(host: "127.0.0.1", port: port).get()
    try await channel.writeAndFlush(hello)
    return channel
  }

  private static func bytes(serverName: String) throws -> ByteBuffer {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .none
    let channel = EmbeddedChannel()
    try channel.pipeline.syncOperations.addHandler(
      NIOSSLClientHandler(context: NIOSSLContext(configuration: configuration), serverHostname: serverName))
    channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    let hello = try channel.readOutbound(as: ByteBuffer.self) ?? ByteBuffer()
    _ = try? channel.finish(acceptAlreadyClosed: true)
    return hello
  }
}
