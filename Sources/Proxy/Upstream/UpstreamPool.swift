import EpollTransport
import NIOCore
import NIOSSL

/// Where upstream connections of one pool lead; connections of different identities are never mixed.
///
/// Source: Kong fact, proxy-behaviour §7 "Keepalive pools".
struct UpstreamIdentity: Hashable {
  /// Address literal.
  let address: String
  let port: Int
  /// Nil without TLS; else what distinguishes verification, CAs and client certificate.
  let tlsIdentity: String?
  /// Server name of the TLS handshake.
  let serverName: String?
}

/// The idle connections to one upstream address, of one event loop.
final class UpstreamPool {
  private unowned let loop: ProxyLoop
  let identity: UpstreamIdentity
  @exclusivity(unchecked) private var idle: [UpstreamHandler] = []
  /// The loop knows the pool: connections are looked for here.
  @exclusivity(unchecked) private(set) var isListed = true

  init(loop: ProxyLoop, identity: UpstreamIdentity) {
    self.loop = loop
    self.identity = identity
  }

  var idleCount: Int { idle.count }

  /// Makes the pool known to the loop again.
  func list() {
    loop.pools[identity] = self
    isListed = true
  }

  /// The connection used last, so that surplus ones grow old and close.
  func take() -> UpstreamHandler? { idle.popLast() }

  /// Keeps a connection for later.
  func put(_ connection: UpstreamHandler) {
    // A pool that was forgotten while this connection was at work comes back, unless another has taken its place.
    if !isListed {
      guard loop.pools[identity] == nil else { return connection.close() }
      list()
    }
    if idle.count >= loop.configuration.upstreamKeepalivePoolSize, !idle.isEmpty {
      idle.removeFirst().close()
    }
    idle.append(connection)
  }

  /// Forgets a connection that has closed.
  func remove(_ connection: UpstreamHandler) {
    if let index = idle.lastIndex(where: { $0 === connection }) { idle.remove(at: index) }
    if idle.isEmpty, isListed {
      loop.pools[identity] = nil
      isListed = false
    }
  }

  func closeAll() {
    let connections = idle
    idle.removeAll()
    for connection in connections { connection.close() }
  }

  /// Opens a connection; `completion` is called on the event loop.
  func connect(
    tls: NIOSSLContext?, timeout: TimeAmount, _ completion: @escaping (Result<UpstreamHandler, UpstreamFailure>) -> Void
  ) {
    let address: SocketAddress
    do {
      address = try SocketAddress(ipAddress: identity.address, port: identity.port)
    } catch {
      return completion(.failure(.connectFailed))
    }
    let handler = UpstreamHandler(loop: loop, pool: self)
    let serverName = identity.serverName
    let deadline = loop.now + timeout
    handler.awaitsHandshake = tls != nil
    let connected = loop.eventLoop.connect(to: address, timeout: timeout) { channel in
      if let tls {
        let name = serverName.flatMap { ServerName.isUsable($0) ? $0 : nil }
        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
      } else {
        channel.directHandler = handler
      }
      try channel.pipeline.syncOperations.addHandler(handler)
    }
    connected.assumeIsolated().whenComplete { result in
      switch result {
      case .failure(let error):
        switch error {
        case ChannelError.connectTimeout: completion(.failure(.connectTimedOut))
        default: completion(.failure(.connectFailed))
        }
      case .success:
        handler.whenReady(until: deadline, completion)
      }
    }
  }
}

/// Which names may be sent as server name: NIO refuses addresses.
enum ServerName {
  static func isUsable(_ name: String) -> Bool {
    guard !name.isEmpty, name.utf8.count <= 255, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return false }
    return (try? SocketAddress(ipAddress: name, port: 0)) == nil
  }
}
