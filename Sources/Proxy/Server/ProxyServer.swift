import Logging
import NIOCore
import NIOPosix
import PluginKit
import Routing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The proxy: its listeners, its event loops and the configuration they run.
///
/// Each loop has listening sockets of its own on every address (`SO_REUSEPORT`), so that a connection is accepted,
/// worked on and closed by one loop. Where the system refuses that option one loop accepts for all and NIO hands the
/// connections out.
public final class ProxyServer: Sendable {
  /// A bound listener.
  public struct BoundListener: Sendable, Hashable {
    public let listener: ProxyConfiguration.Listener
    /// The port that was bound, also when the listener asked for any.
    public let port: Int
  }

  private let configuration: ProxyConfiguration
  private let logger: Logger
  private let loops: [BoundLoop]
  private let channels: ListeningChannels

  /// A loop's state with the key to it.
  private struct BoundLoop: Sendable {
    let eventLoop: any EventLoop
    let state: NIOLoopBound<ProxyLoop>
    let statistics: LoopStatistics
  }

  /// Makes the loops; nothing listens yet. The configuration is empty until the first `swap`.
  ///
  /// - Throws: when the access log cannot be opened.
  public init(
    configuration: ProxyConfiguration, node: NodeInfo, group: MultiThreadedEventLoopGroup, logger: Logger
  ) async throws {
    self.configuration = configuration
    self.logger = logger
    channels = ListeningChannels()
    let file = try AccessLogFile.open(configuration.accessLog)
    let snapshot = try RuntimeSnapshot.empty()
    var loops: [BoundLoop] = []
    for (index, eventLoop) in Array(group.makeIterator()).enumerated() {
      let statistics = LoopStatistics()
      let state = try await eventLoop.submit {
        NIOLoopBound(
          ProxyLoop(
            eventLoop: eventLoop, index: index, node: node, configuration: configuration, snapshot: snapshot,
            statistics: statistics, accessLog: file.map { AccessLogWriter(eventLoop: eventLoop, file: $0) },
            logger: logger), eventLoop: eventLoop)
      }.get()
      loops.append(BoundLoop(eventLoop: eventLoop, state: state, statistics: statistics))
    }
    self.loops = loops
  }

  /// Counters, one element a loop.
  public var statistics: [LoopStatistics.Values] { loops.map(\.statistics.values) }

  // MARK: Listening

  /// Binds every listener on every loop.
  ///
  /// - Throws: when an address cannot be bound; nothing listens then.
  @discardableResult
  public func start() async throws -> [BoundListener] {
    var bound: [BoundListener] = []
    do {
      for listener in configuration.listeners {
        var port = listener.port
        for (index, loop) in loops.enumerated() {
          do {
            let channel = try await bind(listener, port: port, on: loop, sharesPort: loops.count > 1, spreads: false)
            channels.append(channel)
            port = channel.localAddress?.port ?? port
          } catch let error as IOError where index == 0 && Self.isUnsupportedOption(error) {
            logger.warning("SO_REUSEPORT is not available: one loop accepts connections for all")
            let channel = try await bind(listener, port: port, on: loop, sharesPort: false, spreads: true)
            channels.append(channel)
            port = channel.localAddress?.port ?? port
            break
          }
        }
        bound.append(BoundListener(listener: listener, port: port))
      }
    } catch {
      await closeListeners()
      throw error
    }
    return bound
  }

  private static let reusePort = NIOBSDSocket.Option(rawValue: SO_REUSEPORT)

  private static func isUnsupportedOption(_ error: IOError) -> Bool {
    error.errnoCode == ENOPROTOOPT || error.errnoCode == EOPNOTSUPP
  }

  private func bind(
    _ listener: ProxyConfiguration.Listener, port: Int, on loop: BoundLoop, sharesPort: Bool, spreads: Bool
  ) async throws -> any Channel {
    let loops = Dictionary(uniqueKeysWithValues: self.loops.map { (ObjectIdentifier($0.eventLoop), $0.state) })
    let group: any EventLoopGroup = loop.eventLoop
    let children: any EventLoopGroup = spreads ? self.loops[0].eventLoop : loop.eventLoop
    var bootstrap = ServerBootstrap(group: group, childGroup: children)
      .serverChannelOption(.backlog, value: listener.backlog)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    if sharesPort { bootstrap = bootstrap.serverChannelOption(.socketOption(Self.reusePort), value: 1) }
    bootstrap =
      bootstrap
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.recvAllocator, value: ReadSizes.allocator)
      .childChannelOption(.maxMessagesPerRead, value: ReadSizes.readsPerEvent)
      .childChannelOption(.writeBufferWaterMark, value: ReadSizes.waterMark)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard let loop = loops[ObjectIdentifier(channel.eventLoop)]?.value else {
            throw ChannelError.inappropriateOperationForState
          }
          try Self.setUp(channel, listener, loop)
        }
      }
    return try await bootstrap.bind(host: listener.host, port: port).get()
  }

  private static func setUp(_ channel: any Channel, _ listener: ProxyConfiguration.Listener, _ loop: ProxyLoop) throws {
    let pipeline = channel.pipeline.syncOperations
    guard listener.isTLS else {
      let facts = ConnectionFacts(channel: channel, isTLS: false, serverName: nil, loop: loop)
      return try pipeline.addHandler(ClientHandler(loop: loop, connection: facts))
    }
    try TLSAcceptor(channel: channel, loop: loop).begin()
  }

  // MARK: Configuration

  /// Makes every loop run `snapshot` for the requests that come from now on.
  ///
  /// First every loop prepares the executors, then every loop swaps: if one cannot prepare, the old snapshot stays on
  /// all. Requests at work keep the snapshot they began with.
  /// - Throws: `SnapshotCompileError` naming each instance that cannot run.
  public func swap(to snapshot: RuntimeSnapshot) async throws {
    for loop in loops {
      let state = loop.state
      try await loop.eventLoop.submit { try snapshot.prepare(on: state.value.services) }.get()
    }
    for loop in loops {
      let state = loop.state
      try await loop.eventLoop.submit {
        state.value.snapshot = snapshot
        state.value.services.entities = snapshot.entities
      }.get()
    }
  }

  /// Runs `body` with the services of each loop, on the loop: for what the composition root has to set up there.
  public func forEachLoop(_ body: @escaping @Sendable (LoopServices) throws -> Void) async throws {
    for loop in loops {
      let state = loop.state
      try await loop.eventLoop.submit { try body(state.value.services) }.get()
    }
  }

  // MARK: End

  /// Stops listening, lets requests at work finish for at most `timeout`, then closes what is left.
  public func drain(timeout: TimeAmount) async {
    await closeListeners()
    await withTaskGroup(of: Void.self) { group in
      for loop in loops {
        let state = loop.state
        let eventLoop = loop.eventLoop
        group.addTask {
          let drained = eventLoop.flatSubmit { state.value.drain() }
          let deadline = eventLoop.scheduleTask(in: timeout) {}
          drained.whenComplete { _ in deadline.cancel() }
          _ = try? await deadline.futureResult.get()
          try? await eventLoop.flatSubmit { state.value.shutDown() }.get()
        }
      }
    }
  }

  private func closeListeners() async {
    for channel in channels.removeAll() { try? await channel.close().get() }
  }
}
