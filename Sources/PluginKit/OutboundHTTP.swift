import NIOCore

/// HTTP requests that plugins make on their own account: to a log server, a policy server, an identity provider.
///
/// One client serves the process and keeps its connections; an answer arrives on the event loop that asked.
public protocol OutboundHTTPClient: Sendable {
  /// Sends `request` and collects the answer.
  ///
  /// May be called on any thread. Redirects are answers like any other; nothing is retried.
  /// - Returns: a future of `loop`, which fails with `OutboundHTTPError` only.
  func send(_ request: OutboundRequest, on loop: any EventLoop) -> EventLoopFuture<OutboundResponse>
}

/// What plugins share beyond their own instance and the snapshot. Made once by the composition root.
public struct PluginServices: Sendable {
  public let outbound: any OutboundHTTPClient
  public let tcp: any OutboundTCPClient
  public let lifetime: PluginLifetime
  public let scripts: any PluginScriptRuntime

  /// - Parameters:
  ///   - tcp: nil where no bytes are sent.
  ///   - scripts: nil where no Lua runs.
  public init(
    outbound: any OutboundHTTPClient, tcp: (any OutboundTCPClient)? = nil, lifetime: PluginLifetime = PluginLifetime(),
    scripts: (any PluginScriptRuntime)? = nil
  ) {
    self.outbound = outbound
    self.tcp = tcp ?? AbsentOutboundTCPClient()
    self.lifetime = lifetime
    self.scripts = scripts ?? AbsentScriptRuntime()
  }

  /// Services of a place where nothing is sent, such as a check of a configuration: each request fails at once.
  public static let none = PluginServices(outbound: AbsentOutboundHTTPClient())
}

public struct OutboundRequest: Sendable {
  public var method: String
  /// Absolute, `http` or `https`.
  public var url: String
  public var headers: [(name: String, value: String)]
  public var body: ByteBuffer?
  /// Time for the whole exchange, in milliseconds.
  public var timeoutMilliseconds: Int64
  public var connectTimeoutMilliseconds: Int64
  /// How long an idle connection is kept, in milliseconds.
  public var keepaliveMilliseconds: Int64
  /// Longest answer that is collected, in bytes.
  public var maximumResponseSize: Int
  public var tls: OutboundTLS
  public var proxy: OutboundProxy?

  public init(
    method: String = "GET", url: String, headers: [(name: String, value: String)] = [], body: ByteBuffer? = nil,
    timeoutMilliseconds: Int64 = 60_000, connectTimeoutMilliseconds: Int64 = 10_000,
    keepaliveMilliseconds: Int64 = 60_000, maximumResponseSize: Int = 16 << 20, tls: OutboundTLS = OutboundTLS(),
    proxy: OutboundProxy? = nil
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeoutMilliseconds = timeoutMilliseconds
    self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    self.keepaliveMilliseconds = keepaliveMilliseconds
    self.maximumResponseSize = maximumResponseSize
    self.tls = tls
    self.proxy = proxy
  }
}

/// How a server is verified and how the client shows who it is.
public struct OutboundTLS: Sendable, Hashable {
  /// Whether the certificate's chain and name are verified.
  public var verifies: Bool
  /// PEM of the certificates to trust instead of those of the system; empty means the system's.
  public var trustedPEM: [String]
  public var clientCertificatePEM: String?
  public var clientKeyPEM: String?

  public init(
    verifies: Bool = true, trustedPEM: [String] = [], clientCertificatePEM: String? = nil, clientKeyPEM: String? = nil
  ) {
    self.verifies = verifies
    self.trustedPEM = trustedPEM
    self.clientCertificatePEM = clientCertificatePEM
    self.clientKeyPEM = clientKeyPEM
  }
}

/// An HTTP proxy on the way to the server.
public struct OutboundProxy: Sendable, Hashable {
  public var host: String
  public var port: Int
  /// Value of `Proxy-Authorization`, of the scheme Basic or Bearer; another is not sent.
  public var authorization: String?

  public init(host: String, port: Int, authorization: String? = nil) {
    self.host = host
    self.port = port
    self.authorization = authorization
  }
}

public struct OutboundResponse: Sendable {
  public var status: Int
  public var headers: [(name: String, value: String)]
  public var body: ByteBuffer

  public init(status: Int, headers: [(name: String, value: String)], body: ByteBuffer) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// The first header of that name, in whichever case.
  public func header(_ name: String) -> String? {
    headers.first { $0.name.count == name.count && $0.name.lowercased() == name.lowercased() }?.value
  }
}

/// Why there is no answer.
public enum OutboundHTTPError: Error, Sendable, CustomStringConvertible {
  case invalidURL(String)
  case timeout
  /// No connection: refused, no such name, unreachable.
  case connectionFailed(String)
  /// The handshake failed, or the server is not who it should be.
  case tlsFailed(String)
  case responseTooLarge
  /// The connection was lost, or the answer was no HTTP.
  case exchangeFailed(String)

  public var description: String {
    switch self {
    case .invalidURL(let url): "invalid URL '\(url)'"
    case .timeout: "timeout"
    case .connectionFailed(let reason): reason
    case .tlsFailed(let reason): "TLS handshake failed: \(reason)"
    case .responseTooLarge: "response body is too large"
    case .exchangeFailed(let reason): reason
    }
  }
}

private struct AbsentOutboundHTTPClient: OutboundHTTPClient {
  func send(_ request: OutboundRequest, on loop: any EventLoop) -> EventLoopFuture<OutboundResponse> {
    loop.makeFailedFuture(OutboundHTTPError.connectionFailed("nothing is sent from here"))
  }
}
