import EntityModel
import NIOCore

/// An HTTP method; the usual ones without a String.
public enum HTTPMethod: Sendable, Hashable {
  case get, head, post, put, delete, patch, options, connect, trace
  case other(String)

  public var name: String {
    switch self {
    case .get: "GET"
    case .head: "HEAD"
    case .post: "POST"
    case .put: "PUT"
    case .delete: "DELETE"
    case .patch: "PATCH"
    case .options: "OPTIONS"
    case .connect: "CONNECT"
    case .trace: "TRACE"
    case .other(let name): name
    }
  }

  public init(_ name: some StringProtocol) {
    switch name {
    case "GET": self = .get
    case "HEAD": self = .head
    case "POST": self = .post
    case "PUT": self = .put
    case "DELETE": self = .delete
    case "PATCH": self = .patch
    case "OPTIONS": self = .options
    case "CONNECT": self = .connect
    case "TRACE": self = .trace
    default: self = .other(String(name))
    }
  }
}

/// Captures of a regex path.
public struct URICaptures: Sendable, Hashable {
  /// Index 0 is the whole match.
  public var unnamed: [String?]
  public var named: [String: String]

  public init(unnamed: [String?], named: [String: String]) {
    self.unnamed = unnamed
    self.named = named
  }
}

/// Where the request goes. Filled from the service before access; plugins may change it.
///
/// A value: requests share what their service says until one of them changes something.
public struct UpstreamTarget: Sendable {
  /// Never changed while more than one target has it; hence sound to send.
  private final class Settings: @unchecked Sendable {
    @exclusivity(unchecked) var scheme = "http" {
      didSet { isTLS = scheme == "https" || scheme == "wss" || scheme == "grpcs" }
    }
    @exclusivity(unchecked) private(set) var isTLS = false
    @exclusivity(unchecked) var host = ""
    @exclusivity(unchecked) var port = 80
    @exclusivity(unchecked) var hostHeader: String?
    @exclusivity(unchecked) var connectTimeoutMilliseconds: Int64 = 60_000
    @exclusivity(unchecked) var sendTimeoutMilliseconds: Int64 = 60_000
    @exclusivity(unchecked) var readTimeoutMilliseconds: Int64 = 60_000
    @exclusivity(unchecked) var retries = 5
    @exclusivity(unchecked) var tls: UpstreamTLSOverride?

    init() {}

    init(_ other: Settings) {
      scheme = other.scheme
      isTLS = other.isTLS
      host = other.host
      port = other.port
      hostHeader = other.hostHeader
      connectTimeoutMilliseconds = other.connectTimeoutMilliseconds
      sendTimeoutMilliseconds = other.sendTimeoutMilliseconds
      readTimeoutMilliseconds = other.readTimeoutMilliseconds
      retries = other.retries
      tls = other.tls
    }

    static let initial = Settings()
  }

  private var settings = Settings.initial
  /// Path without query, percent-encoded, as it is sent.
  public var path: [UInt8] = []

  public init() {}

  private var owned: Settings {
    mutating get {
      if !isKnownUniquelyReferenced(&settings) { settings = Settings(settings) }
      return settings
    }
  }

  public var scheme: String { get { settings.scheme } set { owned.scheme = newValue } }
  public var isTLS: Bool { settings.isTLS }
  /// Host name, IP address or the name of an Upstream entity.
  public var host: String { get { settings.host } set { owned.host = newValue } }
  public var port: Int { get { settings.port } set { owned.port = newValue } }
  /// Whether there is no host to go to.
  public var isEmpty: Bool { settings.host.isEmpty }
  /// Host header to send; nil means the one derived from the chosen peer.
  public var hostHeader: String? { get { settings.hostHeader } set { owned.hostHeader = newValue } }
  public var connectTimeoutMilliseconds: Int64 {
    get { settings.connectTimeoutMilliseconds }
    set { owned.connectTimeoutMilliseconds = newValue }
  }
  public var sendTimeoutMilliseconds: Int64 {
    get { settings.sendTimeoutMilliseconds }
    set { owned.sendTimeoutMilliseconds = newValue }
  }
  public var readTimeoutMilliseconds: Int64 {
    get { settings.readTimeoutMilliseconds }
    set { owned.readTimeoutMilliseconds = newValue }
  }
  /// Additional attempts.
  public var retries: Int { get { settings.retries } set { owned.retries = newValue } }
  /// What a plugin has changed of the service's TLS settings; nil for nothing.
  public var tls: UpstreamTLSOverride? { get { settings.tls } set { owned.tls = newValue } }

  /// Takes over everything but the path.
  public mutating func take(settingsOf other: UpstreamTarget) { settings = other.settings }

  /// Whether nothing but the path can differ; false says nothing.
  public func sharesSettings(with other: UpstreamTarget) -> Bool { settings === other.settings }
}

/// TLS settings that a plugin lays over those of the service, for one request. Nil members leave the service's own.
public struct UpstreamTLSOverride: Sendable, Hashable {
  public var verifies: Bool?
  /// PEM of what is trusted instead of the service's or the system's certificates.
  public var trustedPEM: [String]?
  /// PEM of the certificates that the upstream is shown, its own first, with the key of the first.
  public var certificatePEM: [String]?
  public var keyPEM: String?

  public init() {}
}

/// One attempt to reach a peer.
public struct UpstreamTry: Sendable {
  public var ip: String
  public var port: Int
  /// Milliseconds since the epoch.
  public var balancerStart: Int64
  public var balancerLatencyNanoseconds: UInt64
  /// Nil while it is the last and good one; else `failed` or `next`.
  public var state: String?
  public var code: Int?

  public init(ip: String, port: Int, balancerStart: Int64, balancerLatencyNanoseconds: UInt64) {
    self.ip = ip
    self.port = port
    self.balancerStart = balancerStart
    self.balancerLatencyNanoseconds = balancerLatencyNanoseconds
  }
}

/// The response that goes to the client, from whichever source.
public struct ResponseState {
  public enum Source: Sendable { case none, service, exit, error }

  public var status = 0
  /// Before the upstream answers: what plugins set already. Afterwards: the upstream's headers with those merged in.
  public var headers = HeaderBlock()
  public var source = Source.none
  /// True once the head has gone to the client: headers can no longer change.
  public var headersSent = false
  /// The content type is sent as it is, a text type without a charset too.
  public var keepsContentType = false
  /// Status and headers as the upstream sent them; nil when the response is not proxied.
  public var upstreamStatus: Int?
  public var upstreamHeaders: HeaderBlock?
  /// The whole upstream body, when buffered.
  public var bufferedBody: ByteBuffer?
  /// In body_filter: the chunk, changed in place; nil to swallow it.
  public var chunk: ByteBuffer?
  /// In body_filter: true for the last chunk.
  public var isLastChunk = false
  /// Body bytes sent to the client.
  public var bodySize = 0
  /// Bytes of the whole response sent to the client, head included.
  public var totalSize = 0

  public init() {}

  /// Takes in the head of the upstream's response.
  ///
  /// - Returns: False when there are fields already, which the caller must merge with the upstream's.
  public mutating func takeUpstreamHead(_ status: Int, _ fields: HeaderBlock) -> Bool {
    self.status = status
    upstreamStatus = status
    upstreamHeaders = fields
    source = .service
    guard headers.isEmpty else { return false }
    headers = fields
    return true
  }

  /// Counts body bytes that go to the client.
  @inlinable
  public mutating func countBody(_ size: Int) {
    bodySize += size
    totalSize += size
  }
}

/// A response made by a plugin or by the gateway.
public struct EarlyResponse {
  public var status: Int
  public var body: ByteBuffer?
  /// Headers to set over those already in `ResponseState.headers`.
  public var headers: [(name: String, value: String)]
  /// `exit` for `kong.response.exit`, `error` for errors.
  public var source: ResponseState.Source

  public init(
    status: Int, body: ByteBuffer? = nil, headers: [(name: String, value: String)] = [],
    source: ResponseState.Source = .exit
  ) {
    self.status = status
    self.body = body
    self.headers = headers
    self.source = source
  }
}

/// One call of `kong.log.set_serialize_value`.
public struct SerializeValue: Sendable {
  public enum Mode: String, Sendable { case set, add, replace }
  public var key: String
  /// Nil removes.
  public var value: JSONValue?
  public var mode: Mode

  public init(key: String, value: JSONValue?, mode: Mode) {
    self.key = key
    self.value = value
    self.mode = mode
  }
}

/// The matched route as plugins see it. One object per route and snapshot, shared by its requests.
public final class RouteInfo: Sendable {
  public let id: String
  public let name: String?
  public let tags: [String]
  public let protocols: [String]
  /// The entity as the Admin API shows it.
  public let entity: JSONValue

  public init(entity: JSONValue) {
    self.entity = entity
    id = entity["id"]?.string ?? ""
    name = entity["name"]?.string
    tags = entity["tags"]?.array?.compactMap(\.string) ?? []
    protocols = entity["protocols"]?.array?.compactMap(\.string) ?? []
  }
}

/// The service of the matched route as plugins see it.
public final class ServiceInfo: Sendable {
  public let id: String
  public let name: String?
  public let tags: [String]
  public let entity: JSONValue

  public init(entity: JSONValue) {
    self.entity = entity
    id = entity["id"]?.string ?? ""
    name = entity["name"]?.string
    tags = entity["tags"]?.array?.compactMap(\.string) ?? []
  }
}

/// An authenticated consumer.
public final class ConsumerInfo: Sendable {
  public let id: String
  public let username: String?
  public let customID: String?
  public let tags: [String]
  public let entity: JSONValue

  public init(entity: JSONValue) {
    self.entity = entity
    id = entity["id"]?.string ?? ""
    username = entity["username"]?.string
    customID = entity["custom_id"]?.string
    tags = entity["tags"]?.array?.compactMap(\.string) ?? []
  }
}

/// What conditions may ask about the plugins of the request.
public protocol PluginChainView: AnyObject {
  /// Name with hyphens as underscores. Nil when no such plugin is configured.
  func status(ofPlugin name: String) -> PluginChainStatus?
}

public struct PluginChainStatus: Sendable {
  public var isMatched: Bool
  public var priority: Int
  public var accessHasExecuted: Bool

  public init(isMatched: Bool, priority: Int, accessHasExecuted: Bool) {
    self.isMatched = isMatched
    self.priority = priority
    self.accessHasExecuted = accessHasExecuted
  }
}
