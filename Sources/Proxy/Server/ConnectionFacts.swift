import EntityModel
import NIOCore
import NIOSSL
import PluginKit
import Synchronization

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

/// Numbers the client connections of the process.
private let lastConnectionNumber = Atomic<UInt64>(0)

extension ConnectionFacts {
  /// - Parameter serverName: of the TLS handshake; nil without TLS or name.
  convenience init(channel: any Channel, isTLS: Bool, serverName: String?, loop: ProxyLoop) {
    var description = ConnectionDescription()
    let peer = channel.remoteAddress
    let local = channel.localAddress
    description.peerIP = peer?.ipAddress ?? ""
    // A Unix socket has no port.
    description.peerPort = peer?.port ?? 0
    description.localIP = local?.ipAddress ?? ""
    description.localPort = local?.port ?? 0
    description.isTLS = isTLS
    description.serverName = serverName
    description.number = lastConnectionNumber.add(1, ordering: .relaxed).newValue
    let trusted = loop.services.node.trustedIPs
    description.isPeerTrusted =
      !trusted.isEmpty
      && IPAddress(description.peerIP).map { address in trusted.contains { $0.contains(address) } } ?? false
    description.publishedPort = loop.configuration.portMaps[description.localPort]
    self.init(description)
  }
}

/// The forwarding fields that every request of a connection has unless a trusted peer or the client said more.
struct ForwardingFields {
  /// `X-Real-IP`, `X-Forwarded-For` and `X-Forwarded-Proto`, as they are sent.
  let client: [UInt8]
  /// `X-Forwarded-Port`, as it is sent.
  let port: [UInt8]

  init(_ facts: ConnectionFacts) {
    client = Array(
      """
      X-Real-IP: \(facts.peerIP)\r\nX-Forwarded-For: \(facts.peerIP)\r\n\
      X-Forwarded-Proto: \(facts.isTLS ? "https" : "http")\r\n
      """.utf8)
    port = Array("X-Forwarded-Port: \(facts.publishedPort ?? facts.localPort)\r\n".utf8)
  }
}
