import EpollTransport
import Logging
import NIOCore
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
/// worked on and closed by one loop. Where the system refuses that option the first loop serves all connections.
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
    let eventLoop: EpollEventLoop
    let state: NIOLoopBound<ProxyLoop>
    let statistics: LoopStatistics
  }

  /// Makes the loops; nothing listens yet. The configuration is empty until the first `swap`.
  ///
  /// - Throws: when the access log cannot be opened.
  public init(
    configuration: ProxyConfiguration, node: NodeInfo, group: EpollEventLoopGroup, logger: Logger
  ) async throws {
    self.configuration = configuration
    self.logger = logger
    channels = ListeningChannels()
    let file = try AccessLogFile.open(configuration.accessLog)
    let snapshot = try RuntimeSnapshot.empty()
    var loops: [BoundLoop] = []
    for (index, eventLoop) in group.loops.enumerated() {
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
            let socket = try await bind(listener, port: port, on: loop, sharesPort: loops.count > 1)
            channels.append(socket)
            port = socket.localAddress.port ?? port
          } catch let error as IOError where index == 0 && Self.isUnsupportedOption(error) {
            logger.warning("SO_REUSEPORT is not available: one event loop serves all connections")
            let socket = try await bind(listener, port: port, on: loop, sharesPort: false)
            channels.append(socket)
            port = socket.localAddress.port ?? port
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

  private static func isUnsupportedOption(_ error: IOError) -> Bool {
    error.errnoCode == ENOPROTOOPT || error.errnoCode == EOPNOTSUPP
  }

  private func bind(
    _ listener: ProxyConfiguration.Listener, port: Int, on loop: BoundLoop, sharesPort: Bool
  ) async throws -> Listener {
    let address = try SocketAddress.makeAddressResolvingHost(listener.host, port: port)
    let eventLoop = loop.eventLoop
    let state = loop.state
    let logger = logger
    return try await eventLoop.submit {
      try eventLoop.listen(
        on: address, backlog: listener.backlog, reusesPort: sharesPort,
        setUp: { try Self.setUp($0, listener, state.value) },
        whenExhausted: { error in
          logger.error("no connection can be accepted at \(listener.host):\(address.port ?? 0) for now: \(error)")
        })
    }.get()
  }

  private static func setUp(
    _ channel: StreamChannel, _ listener: ProxyConfiguration.Listener, _ loop: ProxyLoop
  ) throws {
    let pipeline = channel.pipeline.syncOperations
    guard listener.isTLS else {
      let facts = ConnectionFacts(channel: channel, isTLS: false, serverName: nil, loop: loop)
      let handler = ClientHandler(loop: loop, connection: facts)
      channel.directHandler = handler
      return try pipeline.addHandler(handler)
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
    for listener in channels.removeAll() { try? await listener.close().get() }
  }
}
