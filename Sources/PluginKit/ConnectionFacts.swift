/// What is the same for all requests of a client connection.
public struct ConnectionDescription: Sendable {
  public var peerIP = ""
  /// 0 for a Unix socket.
  public var peerPort = 0
  public var localIP = ""
  public var localPort = 0
  public var isTLS = false
  /// Server name of the TLS handshake.
  public var serverName: String?
  public var tlsVersion: String?
  public var tlsCipher: String?
  /// DER of the certificates that the client has shown, its own first; empty when it has shown none or was not asked.
  public var clientCertificates: [[UInt8]] = []
  /// The peer is in `trusted_ips`.
  public var isPeerTrusted = false
  /// Port map of the listener.
  public var publishedPort: Int?
  /// Serial number within the process.
  public var number: UInt64 = 0

  public init() {}
}

/// A description that the requests of a connection share instead of copying it. Immutable.
public final class ConnectionFacts: Sendable {
  private let description: ConnectionDescription

  public init(_ description: ConnectionDescription) { self.description = description }

  /// Of a connection of which nothing is known.
  public static let unknown = ConnectionFacts(ConnectionDescription())

  public var peerIP: String { description.peerIP }
  public var peerPort: Int { description.peerPort }
  public var localIP: String { description.localIP }
  public var localPort: Int { description.localPort }
  public var isTLS: Bool { description.isTLS }
  public var serverName: String? { description.serverName }
  public var tlsVersion: String? { description.tlsVersion }
  public var tlsCipher: String? { description.tlsCipher }
  public var clientCertificates: [[UInt8]] { description.clientCertificates }
  public var isPeerTrusted: Bool { description.isPeerTrusted }
  public var publishedPort: Int? { description.publishedPort }
  public var number: UInt64 { description.number }

  /// The same with a change.
  public func with(_ change: (inout ConnectionDescription) -> Void) -> ConnectionFacts {
    var changed = description
    change(&changed)
    return ConnectionFacts(changed)
  }
}
