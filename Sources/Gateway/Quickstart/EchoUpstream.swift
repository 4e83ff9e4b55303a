import EntityModel
import NIOCore
import NIOHTTP1
import NIOPosix

/// A small upstream that answers every request with what it received, as JSON.
///
/// For the quickstart and the demo only; it listens on the loopback interface.
public final class EchoUpstream: Sendable {
  private let channel: any Channel

  /// The port it listens on.
  public var port: Int { channel.localAddress?.port ?? 0 }

  private init(channel: any Channel) { self.channel = channel }

  /// - Parameter port: 0 takes any free one.
  public static func start(port: Int, group: any EventLoopGroup) async throws -> EchoUpstream {
    let channel = try await ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
          try channel.pipeline.syncOperations.addHandler(EchoHandler())
        }
      }
      .bind(host: "127.0.0.1", port: port).get()
    return EchoUpstream(channel: channel)
  }

  public func stop() async { try? await channel.close().get() }
}

private final class EchoHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  /// What is echoed of a body at most; the rest is read and dropped.
  private static let bodyLimit = 1 << 20
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let received):
      head = received
      body.removeAll(keepingCapacity: true)
    case .body(let bytes):
      if body.count + bytes.readableBytes <= Self.bodyLimit { body.append(contentsOf: bytes.readableBytesView) }
    case .end:
      guard let head else { return }
      respond(to: head, context: context)
    }
  }

  private func respond(to head: HTTPRequestHead, context: ChannelHandlerContext) {
    var headers: [String: JSONValue] = [:]
    for (name, value) in head.headers {
      let name = name.lowercased()
      if let earlier = headers[name]?.string {
        headers[name] = .string(earlier + ", " + value)
      } else {
        headers[name] = .string(value)
      }
    }
    let answer: JSONValue = [
      "method": .string(head.method.rawValue), "uri": .string(head.uri), "headers": .object(headers),
      "body": .string(String(decoding: body, as: UTF8.self)),
    ]
    var bytes = context.channel.allocator.buffer(capacity: 512)
    bytes.writeBytes(answer.serialized())
    bytes.writeString("\n")
    let responseHeaders: HTTPHeaders = [
      "content-type": "application/json", "content-length": String(bytes.readableBytes),
    ]
    context.write(
      wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: responseHeaders))), promise: nil)
    if head.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil) }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}
