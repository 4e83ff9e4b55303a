import EntityModel
import NIOCore
import NIOSSL

/// Names of TLS versions as nginx's `$ssl_protocol` has them.
enum TLSVersionName {
  static func name(of version: TLSVersion) -> String {
    switch version {
    case .tlsv1: "TLSv1"
    case .tlsv11: "TLSv1.1"
    case .tlsv12: "TLSv1.2"
    case .tlsv13: "TLSv1.3"
    }
  }
}

/// What is the same for all requests of a client connection.
struct ConnectionFacts {
  var peerIP: String
  var peerPort: Int
  var localIP: String
  var localPort: Int
  var isTLS: Bool
  var serverName: String?
  var tlsVersion: String?
  /// The peer is in `trusted_ips`.
  var isPeerTrusted: Bool
  /// Port map of the listener.
  var publishedPort: Int?

  /// - Parameter serverName: of the TLS handshake; nil without TLS or name.
  init(channel: any Channel, isTLS: Bool, serverName: String?, loop: ProxyLoop) {
    peerIP = channel.remoteAddress?.ipAddress ?? ""
    // A Unix socket has no port.
    peerPort = channel.remoteAddress?.port ?? 0
    localIP = channel.localAddress?.ipAddress ?? ""
    localPort = channel.localAddress?.port ?? 0
    self.isTLS = isTLS
    self.serverName = serverName
    let trusted = loop.services.node.trustedIPs
    isPeerTrusted =
      !trusted.isEmpty && IPAddress(peerIP).map { address in trusted.contains { $0.contains(address) } } ?? false
    publishedPort = loop.configuration.portMaps[localPort]
  }
}
