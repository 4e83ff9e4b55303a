import NIOCore
import PluginKit

/// Where requests for one peer of a service go, worked out once: address, pool and Host field.
///
/// Confined to its event loop.
final class UpstreamDestination {
  /// Address literal.
  let address: String
  let port: Int
  /// What the `Host` field says unless a plugin or the route wants another.
  let host: String
  /// `Host` and `Connection` of an ordinary request, as they are sent.
  let hostFields: [UInt8]
  /// Whether `host` can stand in a head.
  let isHostSafe: Bool
  let tls: UpstreamTLS?
  private let loop: ProxyLoop
  private let identity: UpstreamIdentity
  @exclusivity(unchecked) private var lastPool: UpstreamPool
  /// When the address must be looked up again.
  private let expiry: NIODeadline

  init(
    loop: ProxyLoop, address: String, port: Int, host: String, tls: UpstreamTLS?, expiry: NIODeadline
  ) {
    self.loop = loop
    self.address = address
    self.port = port
    self.host = host
    self.tls = tls
    self.expiry = expiry
    isHostSafe = UpstreamRequestHead.isSafe(host: host)
    hostFields = Array("Host: \(host)\r\nConnection: keep-alive\r\n".utf8)
    identity = UpstreamIdentity(
      address: address, port: port, tlsIdentity: tls?.identity,
      serverName: tls == nil ? nil : Self.hostName(of: host))
    lastPool = loop.pool(for: identity)
  }

  var isCurrent: Bool { expiry > loop.now }

  /// The pool of its connections; one that the loop has dropped for want of idle ones comes back.
  var pool: UpstreamPool {
    if !lastPool.isListed {
      if let other = loop.pools[identity] { lastPool = other } else { lastPool.list() }
    }
    return lastPool
  }

  private static func hostName(of host: String) -> String {
    guard !host.hasPrefix("["), let colon = host.lastIndex(of: ":") else { return host }
    return String(host[..<colon])
  }
}

/// The destinations of the services of one loop's snapshot.
final class UpstreamDestinations {
  private struct Key: Hashable {
    let service: ObjectIdentifier
    /// Index of the peer in its balancer, -1 without one.
    let peer: Int
  }

  @exclusivity(unchecked) private var found: [Key: (service: ServiceRuntime, destination: UpstreamDestination)] = [:]
  /// The one asked for last: most loops serve few services at a time.
  @exclusivity(unchecked) private var last: (service: ServiceRuntime, peer: Int, destination: UpstreamDestination)?

  /// Nil when it is not known yet, or not any more.
  func find(_ service: ServiceRuntime, peer: Int) -> UpstreamDestination? {
    if let last, last.service === service, last.peer == peer {
      return last.destination.isCurrent ? last.destination : nil
    }
    guard let entry = found[Key(service: ObjectIdentifier(service), peer: peer)], entry.destination.isCurrent else {
      return nil
    }
    last = (service, peer, entry.destination)
    return entry.destination
  }

  func keep(_ destination: UpstreamDestination, of service: ServiceRuntime, peer: Int) {
    found[Key(service: ObjectIdentifier(service), peer: peer)] = (service, destination)
    last = (service, peer, destination)
  }

  /// Requests of an older snapshot may still keep some; those go with the next change.
  func removeAll() {
    found.removeAll()
    last = nil
  }
}
