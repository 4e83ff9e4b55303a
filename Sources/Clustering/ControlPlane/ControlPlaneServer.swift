import EntityModel
import Foundation
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The control plane's listener for data planes: mutual TLS, `/v1/outlet`, pushes of configurations (Kong fact,
/// hybrid §2 and §3).
///
/// A configuration is pushed 15 ms after it was published, and 50 ms after the one before at the soonest; those that
/// follow until then travel with it. Kong compatibility: Kong waits `db_update_frequency` between two pushes.
public final class ControlPlaneServer: Sendable {
  private let core: NIOLoopBound<ControlPlaneCore>
  private let eventLoop: any EventLoop
  private let configuration: ControlPlaneConfiguration
  private let directory: any DataPlaneDirectory
  private let listeners = Mutex<[any Channel]>([])
  private let connections: ConnectionTable
  private let publications = Mutex<UInt64>(0)

  /// - Parameter group: one of its event loops serves all data planes.
  public init(
    configuration: ControlPlaneConfiguration, directory: any DataPlaneDirectory,
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) async throws {
    self.configuration = configuration
    self.directory = directory
    let eventLoop = group.next()
    self.eventLoop = eventLoop
    connections = ConnectionTable()
    core = try await eventLoop.submit {
      NIOLoopBound(
        ControlPlaneCore(configuration: configuration, directory: directory, eventLoop: eventLoop),
        eventLoop: eventLoop)
    }.get()
  }

  /// Begins to take connections; port 0 takes a free port.
  ///
  /// - Returns: the address that was taken.
  @discardableResult
  public func listen(host: String, port: Int) async throws -> SocketAddress {
    let core = core
    let configuration = configuration
    let connections = connections
    let channel = try await ServerBootstrap(group: eventLoop, childGroup: eventLoop)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          connections.add(channel)
          try Self.configure(channel, core: core, configuration: configuration)
        }
      }
      .bind(host: host, port: port).get()
    listeners.withLock { $0.append(channel) }
    guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
    return address
  }

  /// Publishes a configuration to all data planes, those that connect later included. Returns at once.
  public func publish(_ payload: ControlPlanePayload) {
    let number = publications.withLock { number in
      number += 1
      return number
    }
    let publication = Publication(number: number, payload: payload)
    let core = core
    eventLoop.execute { core.value.publish(publication) }
  }

  /// Rows of the data planes that were seen within the purge delay.
  public func dataPlanes() -> [DataPlaneRecord] {
    let oldest = Int64(Date().timeIntervalSince1970) - configuration.purgeDelay
    return directory.records().filter { $0.lastSeen >= oldest }
  }

  /// Closes the listeners and all connections.
  public func shutdown() async {
    let channels = listeners.withLock { listeners in
      defer { listeners = [] }
      return listeners
    }
    for channel in channels { try? await channel.close() }
    let core = core
    try? await eventLoop.submit { core.value.closeSessions() }.get()
    await connections.closeAll()
  }

  private static func configure(
    _ channel: any Channel, core: NIOLoopBound<ControlPlaneCore>, configuration: ControlPlaneConfiguration
  ) throws {
    let logger = configuration.logger
    let peer = channel.remoteAddress?.ipAddress ?? "unknown address"
    let tls = configuration.identity.makeServerHandler {
      logger.error(
        """
        data plane presented incorrect client certificate during handshake (digest does not match the control plane \
        certificate)
        """, metadata: ["client": "\(peer)"])
    }
    try OutletPipeline.configureServer(
      channel, tls: tls, maxPayload: configuration.maxPayload,
      accept: { channel, request in
        channel.eventLoop.makeCompletedFuture {
          let session = DataPlaneSession(core: core.value, request: request, remoteAddress: channel.remoteAddress)
          channel.pipeline.fireUserInboundEventTriggered(HandshakeWatch.Completed())
          try channel.pipeline.syncOperations.addHandler(session)
        }
      })
    try channel.pipeline.syncOperations.addHandler(
      HandshakeWatch(timeout: configuration.timings.handshake, logger: logger), position: .after(tls))
  }
}

/// Closes connections whose handshake (TLS and the upgrade to WebSocket) fails or takes too long, and says why.
/// Confined to its event loop.
private final class HandshakeWatch: ChannelInboundHandler {
  typealias InboundIn = NIOAny

  /// Inbound event: the connection speaks WebSocket.
  struct Completed: Sendable {}

  private let timeout: TimeAmount
  private let logger: Logger
  private var deadline: Scheduled<Void>?

  init(timeout: TimeAmount, logger: Logger) {
    self.timeout = timeout
    self.logger = logger
  }

  func handlerAdded(context: ChannelHandlerContext) {
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { context.close(promise: nil) }
  }

  func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    context.fireChannelInactive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is Completed {
      deadline?.cancel()
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: Error) {
    if "\(error)".contains("PEER_DID_NOT_RETURN_A_CERTIFICATE") {
      logger.error(
        "data plane failed to present client certificate during handshake",
        metadata: ["client": "\(context.channel.remoteAddress?.ipAddress ?? "unknown address")"])
      context.close(promise: nil)
    } else if error is NIOSSLError {
      logger.debug("TLS on the cluster listener failed: \(error)")
      context.close(promise: nil)
    } else {
      context.fireErrorCaught(error)
    }
  }
}

/// The open connections of a server, to be closed with it.
final class ConnectionTable: Sendable {
  private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

  func add(_ channel: any Channel) {
    let key = ObjectIdentifier(channel)
    channels.withLock { $0[key] = channel }
    channel.closeFuture.whenComplete { [weak self] _ in
      self?.remove(key)
    }
  }

  private func remove(_ key: ObjectIdentifier) { channels.withLock { $0[key] = nil } }

  func closeAll() async {
    let all = channels.withLock { Array($0.values) }
    for channel in all {
      channel.close(promise: nil)
      try? await channel.closeFuture.get()
    }
  }
}
