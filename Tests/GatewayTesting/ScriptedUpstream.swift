import NIOCore
import NIOPosix
import Synchronization

/// A request as an upstream of a test received it.
public struct ReceivedRequest: Sendable {
  public var head: String
  public var body: [UInt8]
  /// The body came in chunks.
  public var isChunked: Bool
  /// Number of the connection it came on, from 0.
  public var connection: Int

  public init(head: String, body: [UInt8] = [], isChunked: Bool = false, connection: Int = 0) {
    self.head = head
    self.body = body
    self.isChunked = isChunked
    self.connection = connection
  }

  public var text: String { String(decoding: body, as: UTF8.self) }
  public var requestLine: String { head.split(separator: "\r\n").first.map(String.init) ?? "" }

  /// Values of a header, in order.
  public func values(_ name: String) -> [String] {
    head.split(separator: "\r\n").dropFirst().compactMap { line in
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts[0].lowercased() == name.lowercased() else { return nil }
      return String(parts[1].drop { $0 == " " })
    }
  }

  public func header(_ name: String) -> String? { values(name).first }
}

/// What an upstream of a test does once it has a request.
public enum UpstreamAct: Sendable {
  /// Sends bytes and keeps the connection.
  case send(String)
  /// Sends pieces, each in a write of its own.
  case sendPieces([[UInt8]])
  case sendAndClose(String)
  case close
  /// Says nothing.
  case silence
}

/// A real upstream on a port of its own whose answers a test scripts.
public final class ScriptedUpstream: Sendable {
  public let port: Int
  private let channel: any Channel
  private let log: Log

  /// Shared by the connections.
  private final class Log: Sendable {
    let requests = Mutex<[ReceivedRequest]>([])
    let connections = Mutex<Int>(0)
  }

  /// - Parameters:
  ///   - reads: false for an upstream that accepts connections and takes no byte.
  ///   - boundSocket: one of `RefusingSocket` that listens from now on; nil for a port of its own.
  ///   - prepare: adds handlers to each connection that come before the upstream's own, for TLS say.
  ///   - answersAtHead: asked with the head alone; an act other than nil answers before the body has come.
  ///   - answer: asked with each whole request.
  public static func start(
    reads: Bool = true, boundSocket: CInt? = nil, prepare: @escaping @Sendable (any Channel) throws -> Void = { _ in },
    answersAtHead: @escaping @Sendable (String) -> UpstreamAct? = { _ in nil },
    answer: @escaping @Sendable (ReceivedRequest) -> UpstreamAct
  ) async throws -> ScriptedUpstream {
    let log = Log()
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.autoRead, value: reads)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let number = log.connections.withLock { count in
            defer { count += 1 }
            return count
          }
          try prepare(channel)
          try channel.pipeline.syncOperations.addHandler(
            Connection(number: number, log: log, answersAtHead: answersAtHead, answer: answer))
        }
      }
    let channel =
      if let boundSocket {
        try await bootstrap.withBoundSocket(boundSocket).get()
      } else {
        try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
      }
    return ScriptedUpstream(channel: channel, log: log)
  }

  private init(channel: any Channel, log: Log) {
    self.channel = channel
    self.log = log
    port = channel.localAddress?.port ?? 0
  }

  /// Everything received so far, in order.
  public var requests: [ReceivedRequest] { log.requests.withLock { $0 } }
  public var connectionCount: Int { log.connections.withLock { $0 } }

  /// Stops listening; the port is then refused.
  public func stop() async { try? await channel.close().get() }

  private final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let number: Int
    let log: Log
    let answersAtHead: @Sendable (String) -> UpstreamAct?
    let answer: @Sendable (ReceivedRequest) -> UpstreamAct
    var bytes: [UInt8] = []
    var headWasAsked = false
    var answeredAtHead = false

    init(
      number: Int, log: Log, answersAtHead: @escaping @Sendable (String) -> UpstreamAct?,
      answer: @escaping @Sendable (ReceivedRequest) -> UpstreamAct
    ) {
      self.number = number
      self.log = log
      self.answersAtHead = answersAtHead
      self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      bytes += Array(buffer: unwrapInboundIn(data))
      while let request = next(context) {
        log.requests.withLock { $0.append(request) }
        if !answeredAtHead { perform(answer(request), context) }
        headWasAsked = false
        answeredAtHead = false
      }
    }

    private func next(_ context: ChannelHandlerContext) -> ReceivedRequest? {
      guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
      let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
      if !headWasAsked {
        headWasAsked = true
        if let act = answersAtHead(head) {
          answeredAtHead = true
          perform(act, context)
        }
      }
      var request = ReceivedRequest(head: head, body: [], isChunked: false, connection: number)
      if request.header("transfer-encoding") == "chunked" {
        request.isChunked = true
        guard let (body, length) = Self.dechunked(bytes[end.upperBound...]) else { return nil }
        request.body = body
        bytes.removeFirst(end.upperBound + length)
      } else {
        let length = request.header("content-length").flatMap { Int($0) } ?? 0
        guard bytes.count - end.upperBound >= length else { return nil }
        request.body = Array(bytes[end.upperBound..<(end.upperBound + length)])
        bytes.removeFirst(end.upperBound + length)
      }
      return request
    }

    private static func dechunked(_ bytes: ArraySlice<UInt8>) -> (body: [UInt8], length: Int)? {
      var body: [UInt8] = []
      var rest = bytes
      while let line = rest.firstRange(of: [0x0D, 0x0A]) {
        guard let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16) else { return nil }
        rest = rest[line.upperBound...]
        guard rest.count >= size + 2 else { return nil }
        body += rest.prefix(size)
        rest = rest.dropFirst(size + 2)
        if size == 0 { return (body, rest.startIndex - bytes.startIndex) }
      }
      return nil
    }

    private func perform(_ act: UpstreamAct, _ context: ChannelHandlerContext) {
      switch act {
      case .send(let text): context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
      case .sendPieces(let pieces):
        for piece in pieces { context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: piece)), promise: nil) }
      case .sendAndClose(let text):
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)))
          .whenComplete { _ in bound.value.close(promise: nil) }
      case .close: context.close(promise: nil)
      case .silence: break
      }
    }
  }
}
