import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import PluginKit
import Synchronization

/// The TCP client of the process: connections that are idle wait here for the next bytes to the same server.
public final class SharedTCPClient: OutboundTCPClient {
  /// Idle connections of a loop to a server beyond this number are closed.
  private static let maximumIdle = 16

  private struct Place: Hashable {
    let loop: ObjectIdentifier
    let server: OutboundTCPServer
  }

  private struct State {
    var idle: [Place: [any Channel]] = [:]
    var contexts: [OutboundTLS: NIOSSLContext] = [:]
  }

  private let group: any EventLoopGroup
  private let trustRoots: NIOSSLTrustRoots
  /// Taken a few times for each sending, off the path of requests.
  private let state = Mutex(State())

  /// - Parameters:
  ///   - group: event loops of NIO's own sockets that connections live on.
  ///   - trustRoots: what servers are verified with, where one names nothing else.
  public init(group: any EventLoopGroup, trustRoots: NIOSSLTrustRoots = .default) {
    self.group = group
    self.trustRoots = trustRoots
  }

  public func send(_ bytes: ByteBuffer, to server: OutboundTCPServer, on loop: any EventLoop) -> EventLoopFuture<Void> {
    let own = group.any()
    return own.flatSubmit { self.sendHere(bytes, server, own) }.hop(to: loop)
  }

  private func sendHere(_ bytes: ByteBuffer, _ server: OutboundTCPServer, _ loop: any EventLoop) -> EventLoopFuture<
    Void
  > {
    let place = Place(loop: ObjectIdentifier(loop), server: server)
    if let channel = takeIdle(place) { return write(bytes, on: channel, place, loop) }
    return connect(server, place, loop).flatMap { self.write(bytes, on: $0, place, loop) }
  }

  // MARK: Connections

  /// Connections that wait for bytes.
  var idleCount: Int { state.withLock { $0.idle.values.reduce(0) { $0 + $1.count } } }

  private func takeIdle(_ place: Place) -> (any Channel)? {
    state.withLock { state in
      while let channel = state.idle[place]?.popLast() {
        if channel.isActive { return channel }
      }
      return nil
    }
  }

  private func keep(_ channel: any Channel, _ place: Place, _ loop: any EventLoop) {
    let isKept = state.withLock { state in
      guard channel.isActive, state.idle[place, default: []].count < Self.maximumIdle else { return false }
      state.idle[place, default: []].append(channel)
      return true
    }
    guard isKept else {
      channel.close(promise: nil)
      return
    }
    let handler = try? channel.pipeline.syncOperations.handler(type: IdleConnection.self)
    handler?.closes(channel, in: .milliseconds(place.server.keepaliveMilliseconds), on: loop)
  }

  private func forget(_ channel: any Channel, _ place: Place) {
    state.withLock { state in
      state.idle[place]?.removeAll { $0 === channel }
      if state.idle[place]?.isEmpty == true { state.idle[place] = nil }
    }
  }

  private func connect(
    _ server: OutboundTCPServer, _ place: Place, _ loop: any EventLoop
  ) -> EventLoopFuture<any Channel> {
    let context: NIOSSLContext?
    do {
      context = try server.tls.map { try self.context($0) }
    } catch {
      return loop.makeFailedFuture(OutboundTCPError.tlsFailed("\(error)"))
    }
    let name = server.serverName ?? server.host
    let ready = loop.makePromise(of: Void.self)
    let timeout = TimeAmount.milliseconds(max(1, server.timeoutMilliseconds))
    let deadline = loop.scheduleTask(in: timeout) {
      ready.fail(OutboundTCPError.timeout("connecting to \(server.host):\(server.port)"))
    }
    let connected = ClientBootstrap(group: loop)
      .connectTimeout(timeout)
      .channelOption(.socketOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let context {
            // An address has no place in the handshake's name; the certificate is then held against the address.
            let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : name))
          }
          try channel.pipeline.syncOperations.addHandler(
            IdleConnection(awaitsHandshake: context != nil, ready: ready) { [weak self] in
              self?.forget(channel, place)
            })
        }
      }
      .connect(host: server.host, port: server.port)
    connected.whenFailure { ready.fail(Self.connectFailure($0, server)) }
    ready.futureResult.whenComplete { result in
      deadline.cancel()
      if case .failure = result { connected.whenSuccess { $0.close(promise: nil) } }
    }
    return ready.futureResult.flatMap { connected }
  }

  private func context(_ tls: OutboundTLS) throws -> NIOSSLContext {
    if let known = state.withLock({ $0.contexts[tls] }) { return known }
    let made = try NIOSSLContext(configuration: tls.configuration(trustRoots: trustRoots))
    return state.withLock { state in
      if let known = state.contexts[tls] { return known }
      state.contexts[tls] = made
      return made
    }
  }

  private static func connectFailure(_ error: any Error, _ server: OutboundTCPServer) -> OutboundTCPError {
    let address = "\(server.host):\(server.port)"
    switch error {
    case let known as OutboundTCPError: return known
    case is ChannelError: return .timeout("connecting to \(address)")
    case let error as NIOConnectionError:
      let system = error.connectionErrors.lazy.compactMap { $0.error as? IOError }.first
      let reason = system.map { String(cString: strerror($0.errnoCode)) }
      return .connectionFailed("cannot connect to \(address): \(reason ?? "the name has no address, or none answers")")
    case let error as IOError:
      return .connectionFailed("cannot connect to \(address): \(String(cString: strerror(error.errnoCode)))")
    default: return .connectionFailed("cannot connect to \(address): \(error)")
    }
  }

  // MARK: Writing

  private func write(
    _ bytes: ByteBuffer, on channel: any Channel, _ place: Place, _ loop: any EventLoop
  ) -> EventLoopFuture<Void> {
    let server = place.server
    let done = loop.makePromise(of: Void.self)
    let deadline = loop.scheduleTask(in: .milliseconds(max(1, server.timeoutMilliseconds))) {
      done.fail(OutboundTCPError.timeout("sending to \(server.host):\(server.port)"))
      channel.close(promise: nil)
    }
    channel.writeAndFlush(bytes).whenComplete { result in
      deadline.cancel()
      switch result {
      case .success:
        self.keep(channel, place, loop)
        done.succeed()
      case .failure(let error):
        channel.close(promise: nil)
        done.fail(OutboundTCPError.connectionLost("the connection to \(server.host):\(server.port) was lost: \(error)"))
      }
    }
    return done.futureResult
  }
}

/// Watches a connection: tells when it can be used, and when it is gone. What the server says is not read by anybody.
private final class IdleConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let awaitsHandshake: Bool
  private let ready: EventLoopPromise<Void>
  private let onClose: () -> Void
  private var closing: Scheduled<Void>?

  init(awaitsHandshake: Bool, ready: EventLoopPromise<Void>, onClose: @escaping () -> Void) {
    self.awaitsHandshake = awaitsHandshake
    self.ready = ready
    self.onClose = onClose
  }

  /// Closes the connection after that time; a later call replaces an earlier one.
  func closes(_ channel: any Channel, in time: TimeAmount, on loop: any EventLoop) {
    closing?.cancel()
    closing = loop.scheduleTask(in: time) { channel.close(promise: nil) }
  }

  func channelActive(context: ChannelHandlerContext) {
    if !awaitsHandshake { ready.succeed() }
    context.fireChannelActive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? TLSUserEvent, case .handshakeCompleted = event { ready.succeed() }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError {
      ready.fail(OutboundTCPError.tlsFailed(String(describing: error)))
    }
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    closing?.cancel()
    onClose()
    ready.fail(OutboundTCPError.connectionLost("the server has closed the connection"))
    context.fireChannelInactive()
  }
}
