import NIOCore

/// Bytes that plugins send over TCP on their own account, to a log server say.
///
/// Connections are kept for a while and used again; each event loop has its own.
public protocol OutboundTCPClient: Sendable {
  /// Sends bytes on a connection of `loop`.
  ///
  /// - Returns: a future of `loop`, done when the system has taken all bytes. It fails with `OutboundTCPError`; then some
  ///   of the bytes may have been sent.
  func send(_ bytes: ByteBuffer, to server: OutboundTCPServer, on loop: any EventLoop) -> EventLoopFuture<Void>
}

/// A server that bytes are sent to.
public struct OutboundTCPServer: Sendable, Hashable {
  public var host: String
  public var port: Int
  /// For connecting with the handshake, and for the bytes; in milliseconds.
  public var timeoutMilliseconds: Int64
  /// How long an idle connection is kept, in milliseconds.
  public var keepaliveMilliseconds: Int64
  /// Nil for a plain connection.
  public var tls: OutboundTLS?
  /// Name that the handshake asks for and that the certificate must have; nil for the host.
  public var serverName: String?

  public init(
    host: String, port: Int, timeoutMilliseconds: Int64 = 10_000, keepaliveMilliseconds: Int64 = 60_000,
    tls: OutboundTLS? = nil, serverName: String? = nil
  ) {
    self.host = host
    self.port = port
    self.timeoutMilliseconds = timeoutMilliseconds
    self.keepaliveMilliseconds = keepaliveMilliseconds
    self.tls = tls
    self.serverName = serverName
  }
}

/// Why bytes were not sent.
public enum OutboundTCPError: Error, Sendable, CustomStringConvertible {
  case timeout(String)
  case connectionFailed(String)
  case tlsFailed(String)
  case connectionLost(String)

  public var description: String {
    switch self {
    case .timeout(let what): "timeout \(what)"
    case .connectionFailed(let reason), .connectionLost(let reason): reason
    case .tlsFailed(let reason): "TLS handshake failed: \(reason)"
    }
  }
}

struct AbsentOutboundTCPClient: OutboundTCPClient {
  func send(_ bytes: ByteBuffer, to server: OutboundTCPServer, on loop: any EventLoop) -> EventLoopFuture<Void> {
    loop.makeFailedFuture(OutboundTCPError.connectionFailed("nothing is sent from here"))
  }
}
