import NIOCore
import NIOHTTP1
import NIOSSL
import NIOWebSocket

/// What a data plane says of itself in the address of its connection.
struct OutletRequest: Sendable {
  static let path = "/v1/outlet"

  let nodeID: String
  let hostname: String
  let version: String

  init(nodeID: String, hostname: String, version: String) {
    self.nodeID = nodeID
    self.hostname = hostname
    self.version = version
  }

  /// Nil for an address without node id or version.
  init?(uri: String) {
    let parts = uri.split(separator: "?", maxSplits: 1)
    guard parts.first.map(String.init) == Self.path else { return nil }
    var arguments: [String: String] = [:]
    for pair in parts.count > 1 ? parts[1].split(separator: "&") : [] {
      let sides = pair.split(separator: "=", maxSplits: 1)
      guard sides.count == 2, let value = String(sides[1]).removingPercentEscapes else { continue }
      arguments[String(sides[0])] = value
    }
    guard let id = arguments["node_id"], let version = arguments["node_version"], !id.isEmpty, !version.isEmpty,
      [id, version, arguments["node_hostname"] ?? ""].allSatisfy({ text in
        text.utf8.count <= 255 && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
      })
    else { return nil }
    nodeID = id
    self.version = version
    hostname = arguments["node_hostname"] ?? ""
  }

  var uri: String {
    "\(Self.path)?node_id=\(nodeID.percentEscaped)&node_hostname=\(hostname.percentEscaped)"
      + "&node_version=\(version.percentEscaped)"
  }
}

extension String {
  fileprivate var percentEscaped: String {
    var bytes: [UInt8] = []
    for byte in utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        bytes.append(byte)
      default:
        bytes.append(UInt8(ascii: "%"))
        bytes.append(contentsOf: String(byte >> 4, radix: 16, uppercase: true).utf8)
        bytes.append(contentsOf: String(byte & 15, radix: 16, uppercase: true).utf8)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Nil for a broken escape or bytes that are not UTF-8.
  fileprivate var removingPercentEscapes: String? {
    var bytes: [UInt8] = []
    var rest = utf8[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%") {
        guard let pair = String(rest.prefix(2)), pair.utf8.count == 2, let value = UInt8(pair, radix: 16) else {
          return nil
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }
}

/// The layers of a connection below its frames, for either end.
enum OutletPipeline {
  /// What became of a client's request to speak WebSocket.
  enum Outcome: Sendable {
    case connected(Channel)
    case refused(Channel)
  }

  private static func aggregator(maxPayload: Int) -> NIOWebSocketFrameAggregator {
    NIOWebSocketFrameAggregator(
      minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: 1024, maxAccumulatedFrameSize: maxPayload)
  }

  /// Puts TLS, HTTP and WebSocket on an accepted connection. `accept` adds the handler of the frames.
  static func configureServer(
    _ channel: Channel, tls: NIOSSLServerHandler, maxPayload: Int,
    accept: @escaping @Sendable (Channel, OutletRequest) -> EventLoopFuture<Void>
  ) throws {
    let upgrader = NIOTypedWebSocketServerUpgrader<Bool>(
      maxFrameSize: maxPayload,
      shouldUpgrade: { channel, head in
        if OutletRequest(uri: head.uri) != nil { return channel.eventLoop.makeSucceededFuture(HTTPHeaders()) }
        // The head of a refused upgrade reaches no later handler.
        OutletRefusal.answer(head.uri, on: channel)
        return channel.eventLoop.makeSucceededFuture(nil)
      },
      upgradePipelineHandler: { channel, head in
        guard let request = OutletRequest(uri: head.uri) else {
          return channel.eventLoop.makeFailedFuture(ProtocolFailure("no outlet request"))
        }
        return channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(aggregator(maxPayload: maxPayload))
        }.flatMap { accept(channel, request) }.map { true }
      })
    let configuration = NIOTypedHTTPServerUpgradeConfiguration<Bool>(
      upgraders: [upgrader],
      notUpgradingCompletionHandler: { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(OutletRefusal())
          return false
        }
      })
    try channel.pipeline.syncOperations.addHandler(tls)
    let upgrade = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
      configuration: .init(upgradeConfiguration: configuration))
    upgrade.whenFailure { _ in channel.close(promise: nil) }
  }

  /// Puts TLS, HTTP and WebSocket on a new connection to a control plane. `accept` adds the handler of the frames;
  /// `refused` takes the status of an answer that is no upgrade, and its `Retry-After`.
  static func configureClient(
    _ channel: Channel, tls: NIOSSLClientHandler, authority: String, request: OutletRequest, maxPayload: Int,
    accept: @escaping @Sendable (Channel) -> EventLoopFuture<Void>,
    refused: @escaping @Sendable (HTTPResponseStatus, _ retryAfter: String?) -> Void
  ) throws -> EventLoopFuture<Outcome> {
    var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: request.uri)
    head.headers.add(name: "Host", value: authority)
    let upgrader = NIOTypedWebSocketClientUpgrader<Outcome>(
      maxFrameSize: maxPayload,
      upgradePipelineHandler: { channel, _ in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(aggregator(maxPayload: maxPayload))
        }.flatMap { accept(channel) }.map { .connected(channel) }
      })
    let configuration = NIOTypedHTTPClientUpgradeConfiguration<Outcome>(
      upgradeRequestHead: head, upgraders: [upgrader],
      notUpgradingCompletionHandler: { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(UpgradeRefusal(refused: refused))
          return .refused(channel)
        }
      })
    try channel.pipeline.syncOperations.addHandler(tls)
    return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
      configuration: .init(upgradeConfiguration: configuration))
  }
}

/// Answers a trusted peer whose request is no outlet request: 400 for the outlet without its arguments, else 404.
private final class OutletRefusal: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(let request) = unwrapInboundIn(data) else { return }
    Self.answer(request.uri, on: context.channel)
  }

  static func answer(_ uri: String, on channel: any Channel) {
    let isOutlet = uri.split(separator: "?", maxSplits: 1).first.map(String.init) == OutletRequest.path
    let headers: HTTPHeaders = ["Content-Length": "0", "Connection": "close"]
    let head = HTTPResponseHead(version: .http1_1, status: isOutlet ? .badRequest : .notFound, headers: headers)
    channel.write(HTTPServerResponsePart.head(head), promise: nil)
    channel.writeAndFlush(HTTPServerResponsePart.end(nil)).whenComplete { _ in channel.close(promise: nil) }
  }

  func errorCaught(context: ChannelHandlerContext, error: Error) { context.close(promise: nil) }
}

/// Reads the answer of a control plane that did not take the connection.
private final class UpgradeRefusal: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart

  private let refused: @Sendable (HTTPResponseStatus, String?) -> Void

  init(refused: @escaping @Sendable (HTTPResponseStatus, String?) -> Void) { self.refused = refused }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(let head) = unwrapInboundIn(data) else { return }
    refused(head.status, head.headers.first(name: "Retry-After"))
    context.close(promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: Error) { context.close(promise: nil) }
}
