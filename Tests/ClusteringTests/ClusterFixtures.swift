import EntityModel
import Foundation
import Logging
import NIOCore
import NIOPosix
import NIOWebSocket
import Synchronization

@testable import Clustering

/// Keeps what happens, and lets a test wait for something to happen.
final class Recorder<Element: Sendable>: Sendable {
  private struct Waiter {
    let matches: @Sendable (Element) -> Bool
    let continuation: CheckedContinuation<Element, Never>
  }

  private struct State {
    var elements: [Element] = []
    var waiters: [Waiter] = []
  }

  private let state = Mutex(State())

  var elements: [Element] { state.withLock { $0.elements } }

  func record(_ element: Element) {
    let ready = state.withLock { state in
      state.elements.append(element)
      let ready = state.waiters.filter { $0.matches(element) }
      state.waiters.removeAll { $0.matches(element) }
      return ready
    }
    for waiter in ready { waiter.continuation.resume(returning: element) }
  }

  /// The first element so far, or to come, that matches.
  @discardableResult
  func first(where matches: @escaping @Sendable (Element) -> Bool) async -> Element {
    await withCheckedContinuation { continuation in
      let found = state.withLock { state -> Element? in
        if let element = state.elements.first(where: matches) { return element }
        state.waiters.append(Waiter(matches: matches, continuation: continuation))
        return nil
      }
      if let found { continuation.resume(returning: found) }
    }
  }
}

struct RecordingLogHandler: LogHandler {
  let messages: Recorder<String>
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .trace

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) { messages.record("\(event.message)") }
}

final class RecordingDirectory: DataPlaneDirectory {
  let saves = Recorder<DataPlaneRecord>()
  private let rows = InMemoryDataPlaneDirectory()

  func save(_ record: DataPlaneRecord) {
    rows.save(record)
    saves.record(record)
  }

  func records() -> [DataPlaneRecord] { rows.records() }

  func purge(lastSeenBefore time: Int64) { rows.purge(lastSeenBefore: time) }
}

enum ClusterFixtures {
  static let pair: CertificatePair = {
    do { return try ClusterCertificate.generate(days: 1) } catch { preconditionFailure("\(error)") }
  }()

  static func identity(_ pair: CertificatePair = pair) throws -> ClusterIdentity {
    try ClusterIdentity(certificatePEM: pair.certificatePEM, keyPEM: pair.keyPEM)
  }

  static func logger(_ messages: Recorder<String>) -> Logger {
    Logger(label: "test") { _ in RecordingLogHandler(messages: messages) }
  }

  static let plugins = ["key-auth": "3.15.0", "cors": "3.15.0"]

  static func hash(_ letter: Character) -> String { String(repeating: letter, count: 32) }

  /// A configuration with a service, an instance of key-auth, a streamed plugin, a clone, and instances of both.
  static func payload(_ letter: Character, extra: [String: JSONValue] = [:]) -> ControlPlanePayload {
    var table: [String: JSONValue] = [
      "_format_version": "3.0", "_transform": false,
      "services": [["id": "s1", "name": "example", "host": "localhost"]],
      "custom_plugins": [["id": "c1", "name": "replaceme", "schema": "return {}", "handler": "return {}"]],
      "cloned_plugins": [["id": "c2", "name": "key-auth-two", "ref": "key-auth"]],
      "plugins": [
        ["id": "p1", "name": "key-auth"], ["id": "p2", "name": "replaceme"], ["id": "p3", "name": "key-auth-two"],
      ],
    ]
    table.merge(extra) { $1 }
    return ControlPlanePayload(
      configTable: .object(table), hash: hash(letter), hashes: ["config": hash(letter), "routes": hash("0")])
  }

  static func temporaryDirectory() throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("cluster-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }
}

/// A control plane on a free port of the loopback address.
struct TestControlPlane {
  let server: ControlPlaneServer
  let directory = RecordingDirectory()
  let log = Recorder<String>()
  let port: Int

  init(
    port: Int = 0, maxPayload: Int = 1 << 20, version: String = "3.15.0.0",
    timings: ClusterTimings = ClusterTimings()
  ) async throws {
    server = try await ControlPlaneServer(
      configuration: ControlPlaneConfiguration(
        identity: ClusterFixtures.identity(), version: version, plugins: ClusterFixtures.plugins,
        maxPayload: maxPayload, timings: timings, logger: ClusterFixtures.logger(log)),
      directory: directory)
    let address = try await server.listen(host: "127.0.0.1", port: port)
    self.port = address.port ?? 0
  }
}

/// A data plane that keeps what it is given to apply.
struct TestDataPlane {
  let client: DataPlaneClient
  let applied = Recorder<ReceivedConfiguration>()
  let log = Recorder<String>()

  init(
    port: Int, id: String = "dp-1", version: String = "3.15.0.0", streaming: Bool = true,
    plugins: [String: String] = ClusterFixtures.plugins, pair: CertificatePair = ClusterFixtures.pair,
    copy: LastGoodCopy? = nil, maxPayload: Int = 1 << 20, timings: ClusterTimings = ClusterTimings(),
    refusing: Set<String> = []
  ) throws {
    let applied = applied
    client = DataPlaneClient(
      configuration: DataPlaneConfiguration(
        identity: try ClusterFixtures.identity(pair), host: "127.0.0.1", port: port, nodeID: id,
        hostname: "host of \(id)", version: version,
        info: BasicInfo(
          plugins: plugins, processConfiguration: ["custom_plugin_streaming_enabled": .bool(streaming)],
          labels: ["region": "eu"]),
        maxPayload: maxPayload, lastGoodCopy: copy, timings: timings,
        reconnectDelay: ReconnectDelay { _ in .milliseconds(5) }, logger: ClusterFixtures.logger(log))
    ) { configuration in
      applied.record(configuration)
      return refusing.contains(configuration.hash) ? .failure(ApplyFailure("route r1: no path")) : .success(())
    }
  }
}

/// Frames that a raw peer gets.
final class FrameRecorder: ChannelInboundHandler, Sendable {
  typealias InboundIn = WebSocketFrame

  let frames: Recorder<(opcode: WebSocketOpcode, data: ByteBuffer)>

  init(_ frames: Recorder<(opcode: WebSocketOpcode, data: ByteBuffer)>) { self.frames = frames }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    frames.record((frame.opcode, frame.unmaskedData))
  }

  func errorCaught(context: ChannelHandlerContext, error: Error) { context.close(promise: nil) }
}

/// A peer with the right certificate that sends whatever a test wants.
struct RawPeer {
  let channel: any Channel
  let frames: Recorder<(opcode: WebSocketOpcode, data: ByteBuffer)>

  /// Connects to a control plane; nil when the upgrade is refused.
  static func connect(
    port: Int, request: OutletRequest = OutletRequest(nodeID: "raw", hostname: "raw", version: "3.15.0.0"),
    pair: CertificatePair = ClusterFixtures.pair, statuses: Recorder<UInt>? = nil
  ) async throws -> RawPeer? {
    let identity = try ClusterFixtures.identity(pair)
    let frames = Recorder<(opcode: WebSocketOpcode, data: ByteBuffer)>()
    let outcome = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try OutletPipeline.configureClient(
            channel, tls: identity.makeClientHandler(), authority: "localhost", request: request, maxPayload: 1 << 20,
            accept: { channel in
              channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(FrameRecorder(frames))
              }
            }, refused: { status, _ in statuses?.record(status.code) })
        }
      }
    guard case .connected(let channel) = try await outcome.get() else { return nil }
    return RawPeer(channel: channel, frames: frames)
  }

  func send(_ opcode: WebSocketOpcode, _ bytes: [UInt8], isFinal: Bool = true, masked: Bool = true) {
    let frame = WebSocketFrame(
      fin: isFinal, opcode: opcode, maskKey: masked ? .random() : nil, data: ByteBuffer(bytes: bytes))
    channel.writeAndFlush(frame, promise: nil)
  }
}

/// A control plane that sends whatever a test wants to each data plane that connects.
struct RawControlPlane {
  let listener: any Channel
  let peers = Recorder<RawPeer>()

  init() async throws {
    let identity = try ClusterFixtures.identity()
    let peers = peers
    listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try OutletPipeline.configureServer(
            channel, tls: identity.makeServerHandler(rejected: {}), maxPayload: 1 << 20,
            accept: { channel, _ in
              channel.eventLoop.makeCompletedFuture {
                let frames = Recorder<(opcode: WebSocketOpcode, data: ByteBuffer)>()
                try channel.pipeline.syncOperations.addHandler(FrameRecorder(frames))
                peers.record(RawPeer(channel: channel, frames: frames))
              }
            })
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
  }

  var port: Int { listener.localAddress?.port ?? 0 }
}
