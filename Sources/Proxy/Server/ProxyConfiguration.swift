import EntityModel
import NIOCore

/// The settings of the proxy as plain values. The defaults are Kong's.
public struct ProxyConfiguration: Sendable {
  /// One address to listen on.
  public struct Listener: Sendable, Hashable {
    public var host: String
    /// 0 lets the system choose; all loops then share the chosen port.
    public var port: Int
    public var isTLS: Bool
    public var backlog: Int32

    public init(host: String, port: Int, isTLS: Bool = false, backlog: Int32 = 16384) {
      self.host = host
      self.port = port
      self.isTLS = isTLS
      self.backlog = backlog
    }
  }

  /// Where a log goes.
  public enum LogTarget: Sendable, Hashable {
    case off
    case standardOutput
    /// Opened for appending.
    case file(String)
  }

  public var listeners: [Listener]
  /// `headers`
  public var responseHeaders = ResponseHeaderTokens.standard
  /// `headers_upstream`
  public var sendsRequestIDUpstream = true
  /// `via_header_comply_rfc`
  public var viaCompliesWithRFC = false
  /// `allow_debug_header`
  public var allowsDebugHeader = false
  /// Longest request line or header line in bytes.
  public var headLineLimit = 8192
  /// Longest request head in bytes.
  public var headLimit = 4 * 8192 + 1024
  /// `client_max_body_size` in bytes; 0 is without limit.
  public var maximumBodySize = 0
  public var clientHeaderTimeout = TimeAmount.seconds(60)
  public var clientBodyTimeout = TimeAmount.seconds(60)
  public var clientSendTimeout = TimeAmount.seconds(60)
  /// How long an idle client connection is kept.
  public var clientKeepaliveTimeout = TimeAmount.seconds(75)
  /// Requests after which a client connection is closed.
  public var clientKeepaliveRequests = 10_000
  /// `upstream_keepalive_pool_size`: idle connections per upstream address and loop.
  public var upstreamKeepalivePoolSize = 512
  /// `upstream_keepalive_max_requests`
  public var upstreamKeepaliveRequests = 10_000
  /// `upstream_keepalive_idle_timeout`
  public var upstreamKeepaliveIdleTimeout = TimeAmount.seconds(60)
  /// `real_ip_header`, in lower case. Used for peers in `NodeInfo.trustedIPs` only.
  public var realIPHeader = "x-real-ip"
  public var realIPRecursive = false
  /// `port_maps`: the port seen from outside by the port listened on.
  public var portMaps: [Int: Int] = [:]
  /// Certificate and protocol settings of TLS listeners for server names without a certificate of their own.
  public var defaultTLS: ServerTLS?
  public var accessLog = LogTarget.off
  /// How long a resolved name is used before it is looked up again.
  public var nameLifetime = TimeAmount.seconds(10)

  public init(listeners: [Listener]) { self.listeners = listeners }
}

/// Which of the gateway's own headers responses get: the setting `headers`.
public struct ResponseHeaderTokens: OptionSet, Sendable, Hashable {
  public let rawValue: UInt16

  public init(rawValue: UInt16) { self.rawValue = rawValue }

  public static let server = ResponseHeaderTokens(rawValue: 1)
  public static let via = ResponseHeaderTokens(rawValue: 2)
  public static let upstreamLatency = ResponseHeaderTokens(rawValue: 4)
  public static let proxyLatency = ResponseHeaderTokens(rawValue: 8)
  public static let responseLatency = ResponseHeaderTokens(rawValue: 16)
  public static let upstreamStatus = ResponseHeaderTokens(rawValue: 32)
  public static let requestID = ResponseHeaderTokens(rawValue: 64)
  public static let totalLatency = ResponseHeaderTokens(rawValue: 128)

  public static let serverTokens: ResponseHeaderTokens = [.server, .via]
  public static let latencyTokens: ResponseHeaderTokens = [.upstreamLatency, .proxyLatency, .responseLatency]
  public static let standard: ResponseHeaderTokens = [.serverTokens, .latencyTokens, .requestID]

  /// Reads the members of the setting, without regard to case; unknown ones are left out.
  public init(names: some Sequence<String>) {
    self = []
    for name in names {
      switch name.lowercased() {
      case "server_tokens": formUnion(.serverTokens)
      case "latency_tokens": formUnion(.latencyTokens)
      case "server": insert(.server)
      case "via": insert(.via)
      case "x-kong-upstream-latency": insert(.upstreamLatency)
      case "x-kong-proxy-latency": insert(.proxyLatency)
      case "x-kong-response-latency": insert(.responseLatency)
      case "x-kong-upstream-status": insert(.upstreamStatus)
      case "x-kong-request-id": insert(.requestID)
      case "x-kong-total-latency": insert(.totalLatency)
      default: break
      }
    }
  }
}
