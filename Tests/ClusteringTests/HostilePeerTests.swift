import EntityModel
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import NIOWebSocket
import Testing
import Zlib

@testable import Clustering

@Suite("Hybrid mode: strangers and garbage", .timeLimit(.minutes(1)))
struct HostilePeerTests {
  @Test("a stranger's certificate gets nothing, though its name is the cluster's")
  func stranger() async throws {
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let stranger = try ClusterCertificate.generate(days: 1)
    await #expect(throws: (any Error).self) { try await RawPeer.connect(port: plane.port, pair: stranger) }
    await plane.server.shutdown()
  }

  /// A TLS client that trusts anyone and shows the certificate it is given, if any.
  private func answer(port: Int, showing pair: CertificatePair?) async throws -> Int {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .none
    if let pair {
      configuration.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(pair.certificatePEM.utf8))
        .map { .certificate($0) }
      configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(pair.keyPEM.utf8), format: .pem))
    }
    let context = try NIOSSLContext(configuration: configuration)
    let counted = Recorder<Int>()
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let tls = try NIOSSLClientHandler(context: context, serverHostname: "kong_clustering")
          try channel.pipeline.syncOperations.addHandlers([tls, ByteCounter(counted)])
        }
      }
      .connect(host: "127.0.0.1", port: port).get()
    let request = "GET /v1/outlet?node_id=x&node_version=3.15.0.0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"
    channel.writeAndFlush(ByteBuffer(string: request), promise: nil)
    try? await channel.closeFuture.get()
    return counted.elements.reduce(0, +)
  }

  private final class ByteCounter: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    let counted: Recorder<Int>

    init(_ counted: Recorder<Int>) { self.counted = counted }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      counted.record(unwrapInboundIn(data).readableBytes)
    }

    func errorCaught(context: ChannelHandlerContext, error: Error) { context.close(promise: nil) }
  }

  @Test("a wrong or missing client certificate is logged and not answered with a single byte")
  func noAnswer() async throws {
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    #expect(try await answer(port: plane.port, showing: ClusterCertificate.generate(days: 1)) == 0)
    await plane.log.first {
      $0 == "data plane presented incorrect client certificate during handshake "
        + "(digest does not match the control plane certificate)"
    }
    #expect(try await answer(port: plane.port, showing: nil) == 0)
    await plane.log.first { $0 == "data plane failed to present client certificate during handshake" }
    #expect(plane.directory.saves.elements.isEmpty)
    await plane.server.shutdown()
  }

  @Test("a data plane does not follow a control plane with another certificate")
  func foreignControlPlane() async throws {
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let node = try TestDataPlane(port: plane.port, pair: ClusterCertificate.generate(days: 1))
    node.client.start()
    await node.log.first { $0.contains("failed") }
    #expect(node.applied.elements.isEmpty)
    await node.client.shutdown()
    await plane.server.shutdown()
  }

  @Test("other paths are 404, the outlet without its arguments is 400")
  func wrongRequests() async throws {
    let plane = try await TestControlPlane()
    let statuses = Recorder<UInt>()
    let incomplete = OutletRequest(nodeID: "", hostname: "h", version: "3.15.0.0")
    let peer = try await RawPeer.connect(port: plane.port, request: incomplete, statuses: statuses)
    #expect(peer == nil)
    await statuses.first { $0 == 400 }
    await plane.server.shutdown()
  }

  @Test("node names travel escaped, and hostile ones are refused")
  func requestAddress() {
    let request = OutletRequest(nodeID: "a b&c", hostname: "höst/%", version: "3.15.0.0")
    let parsed = OutletRequest(uri: request.uri)
    #expect(parsed?.nodeID == "a b&c" && parsed?.hostname == "höst/%" && parsed?.version == "3.15.0.0")
    for uri in [
      "/v1/outlet", "/v1/outlet?node_id=x", "/v2/outlet?node_id=x&node_version=3.15.0.0",
      "/v1/outlet?node_id=x%0ay&node_version=3.15.0", "/v1/outlet?node_id=%zz&node_version=3.15.0",
      "/v1/outlet?node_id=%ff&node_version=3.15.0", "/v1/outlet?node_id=\(String(repeating: "x", count: 256))&"
        + "node_version=3.15.0", "",
    ] {
      #expect(OutletRequest(uri: uri) == nil, "\(uri)")
    }
  }

  @Test(
    "a control plane closes on a first frame that is no basic info",
    arguments: ["{", "[]", "{\"type\":\"hello\"}", "{\"type\":\"basic_info\"}", "\u{0}\u{1}", ""])
  func badBasicInfo(text: String) async throws {
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let peer = try #require(try await RawPeer.connect(port: plane.port))
    peer.send(.binary, Array(text.utf8))
    try await peer.channel.closeFuture.get()
    #expect(peer.frames.elements.allSatisfy { $0.opcode == .connectionClose })
    #expect(plane.directory.saves.elements.isEmpty)
    await plane.server.shutdown()
  }

  @Test("a control plane closes on pings of the wrong length, oversized and endless frames")
  func badFrames() async throws {
    let plane = try await TestControlPlane(maxPayload: 4096)
    let info = BasicInfo(plugins: ["a": "1.0.0"]).serialized()
    let short = try #require(try await RawPeer.connect(port: plane.port))
    short.send(.binary, info)
    short.send(.ping, Array("abc".utf8))
    try await short.channel.closeFuture.get()
    let large = try #require(try await RawPeer.connect(port: plane.port))
    large.send(.binary, [UInt8](repeating: 0x20, count: 5000))
    try await large.channel.closeFuture.get()
    let endless = try #require(try await RawPeer.connect(port: plane.port))
    endless.send(.binary, [UInt8](repeating: 0x20, count: 4000), isFinal: false)
    endless.send(.continuation, [UInt8](repeating: 0x20, count: 4000), isFinal: false)
    try await endless.channel.closeFuture.get()
    let early = try #require(try await RawPeer.connect(port: plane.port))
    early.send(.ping, Array(ClusterFixtures.hash("a").utf8))
    try await early.channel.closeFuture.get()
    let fine = try #require(try await RawPeer.connect(port: plane.port))
    fine.send(.binary, info)
    fine.send(.ping, Array(ClusterFixtures.hash("a").utf8))
    let pong = await fine.frames.first { $0.opcode == .pong }
    #expect(pong.data.readableBytes == 0)
    await plane.server.shutdown()
  }

  @Test("a data plane outlives every kind of bad configuration and takes the good one after them")
  func badConfigurations() async throws {
    let plane = try await RawControlPlane()
    let node = try TestDataPlane(port: plane.port, maxPayload: 1 << 16)
    node.client.start()
    let peer = await plane.peers.first { _ in true }
    await peer.frames.first { $0.opcode == .ping }
    let bomb = try Gzip.compress([UInt8](repeating: 0x20, count: 8 << 20))
    let cut = Array(try Gzip.compress(Array("{}".utf8)).dropLast(5))
    let deep = try Gzip.compress([UInt8](repeating: UInt8(ascii: "["), count: 100_000))
    let untyped = try Gzip.compress(Array("{\"config_table\":{}}".utf8))
    let badTable = try Gzip.compress(Array("{\"type\":\"reconfigure\",\"config_table\":[]}".utf8))
    let badHash = try Gzip.compress(Array("{\"type\":\"reconfigure\",\"config_table\":{},\"config_hash\":\"x\"}".utf8))
    let cases: [(bytes: [UInt8], complaint: String)] = [
      ([], "ends early"), (Array("garbage".utf8), "not gzip"), (bomb, "larger than"), (cut, "ends early"),
      (deep, "nested deeper"), (untyped, "no configuration"), (badTable, "config_table"), (badHash, "32 characters"),
    ]
    for (bytes, complaint) in cases {
      peer.send(.binary, bytes, masked: false)
      await node.log.first { $0.hasPrefix("unable to update running config") && $0.contains(complaint) }
    }
    #expect(node.applied.elements.isEmpty)
    let good = ClusterFixtures.payload("a")
    let message = try Reconfigure.message(
      configTable: good.configTable, hash: good.hash, hashes: good.hashes, withheld: [], timestamp: 1.5)
    peer.send(.text, Array("nonsense".utf8), masked: false)
    peer.send(.binary, message, masked: false)
    await peer.frames.first { String(buffer: $0.data) == good.hash }
    await node.client.shutdown()
    try await plane.listener.close()
  }

  @Test("a difference that does not fit is not applied: the data plane connects anew and takes the whole")
  func strayDifference() async throws {
    let plane = try await RawControlPlane()
    let node = try TestDataPlane(port: plane.port)
    node.client.start()
    let peer = await plane.peers.first { _ in true }
    await peer.frames.first { $0.opcode == .ping }
    func message(_ letter: Character) throws -> SegmentedMessage {
      let payload = ClusterFixtures.payload(letter)
      return try Reconfigure.segmented(
        payload.table, hash: payload.hash, hashes: [:], withheld: [], timestamp: 1, encoder: SegmentedEncoder())
    }
    let (first, second, third) = (try message("a"), try message("b"), try message("c"))
    peer.send(.binary, first.bytes, masked: false)
    peer.send(.binary, MessageDifference.encode(from: first, to: second), masked: false)
    await peer.frames.first { String(buffer: $0.data) == ClusterFixtures.hash("b") }
    peer.send(.binary, MessageDifference.encode(from: first, to: third), masked: false)
    try? await peer.channel.closeFuture.get()
    let before = ObjectIdentifier(peer.channel)
    let next = await plane.peers.first { ObjectIdentifier($0.channel) != before }
    await next.frames.first { String(buffer: $0.data) == ClusterFixtures.hash("b") }
    next.send(.binary, third.bytes, masked: false)
    await next.frames.first { String(buffer: $0.data) == ClusterFixtures.hash("c") }
    #expect(node.applied.elements.last?.hash == ClusterFixtures.hash("c"))
    await node.client.shutdown()
    try await plane.listener.close()
  }

  @Test("a data plane leaves a control plane whose frame is larger than it takes, and comes back")
  func oversizedFrame() async throws {
    let plane = try await RawControlPlane()
    let node = try TestDataPlane(port: plane.port, maxPayload: 4096)
    node.client.start()
    let peer = await plane.peers.first { _ in true }
    await peer.frames.first { $0.opcode == .ping }
    peer.send(.binary, [UInt8](repeating: 1, count: 10_000), masked: false)
    try? await peer.channel.closeFuture.get()
    let first = ObjectIdentifier(peer.channel)
    await plane.peers.first { ObjectIdentifier($0.channel) != first }
    await node.client.shutdown()
    try await plane.listener.close()
  }
}
