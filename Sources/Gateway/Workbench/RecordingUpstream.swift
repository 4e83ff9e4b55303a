import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An upstream on the loopback interface that keeps the last request and gives every one the same answer.
final class RecordingUpstream: Sendable {
  private let channel: any Channel
  private let record: Record

  /// The last request as lines; its body is the last of them.
  fileprivate final class Record: Sendable {
    let lines = Mutex<[String]?>(nil)
  }

  private init(channel: any Channel, record: Record) {
    self.channel = channel
    self.record = record
  }

  var port: Int { channel.localAddress?.port ?? 0 }

  /// Request line, headers and body of the last request; nil if none came.
  var received: [String]? { record.lines.withLock { $0 } }

  static func start(answering exchange: WorkbenchExchange) async throws -> RecordingUpstream {
    let record = Record()
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
          try channel.pipeline.syncOperations.addHandler(RecordingHandler(record, exchange))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    return RecordingUpstream(channel: channel, record: record)
  }

  func stop() async { try? await channel.close().get() }
}

private final class RecordingHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let record: RecordingUpstream.Record
  private let exchange: WorkbenchExchange
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()

  init(_ record: RecordingUpstream.Record, _ exchange: WorkbenchExchange) {
    self.record = record
    self.exchange = exchange
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let received):
      head = received
      body.clear()
    case .body(let bytes): body.writeImmutableBuffer(bytes)
    case .end:
      guard let head else { return }
      var lines = ["\(head.method.rawValue) \(head.uri)"] + head.headers.map { "\($0.name): \($0.value)" }
      if body.readableBytes > 0 { lines += ["", String(buffer: body)] }
      record.lines.withLock { $0 = lines }
      respond(to: head, context)
    }
  }

  private func respond(to request: HTTPRequestHead, _ context: ChannelHandlerContext) {
    var headers = HTTPHeaders(exchange.upstreamHeaders.map { ($0.name, $0.value) })
    let body = ByteBuffer(string: exchange.upstreamBody)
    headers.replaceOrAdd(name: "content-length", value: String(body.readableBytes))
    let status = HTTPResponseStatus(statusCode: exchange.upstreamStatus)
    context.write(
      wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
    if request.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}
