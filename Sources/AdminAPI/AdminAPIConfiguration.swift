import NIOSSL

/// The settings of the Admin API. Values; changing them needs a restart.
public struct AdminAPIConfiguration: Sendable {
  /// One address of `admin_listen`.
  public struct ListenAddress: Sendable {
    public var host: String
    /// 0 lets the system choose; `onServerRunning` then tells which.
    public var port: Int
    /// Nil for plain HTTP.
    public var tls: TLSConfiguration?

    public init(host: String, port: Int, tls: TLSConfiguration? = nil) {
      self.host = host
      self.port = port
      self.tls = tls
    }
  }

  /// Which endpoints are served.
  public enum Surface: Sendable, Hashable {
    /// The whole Admin API.
    case full
    /// The Status API: health and readiness, read-only.
    case status
  }

  public var addresses: [ListenAddress]
  public var surface: Surface
  /// False with `database=off`: entities are read-only and `/config` exists.
  public var usesDatabase: Bool
  /// `custom_plugin_streaming_enabled`: whether `/custom-plugins` exists.
  public var isStreamingEnabled: Bool
  /// The `headers` setting: `server_tokens`, `latency_tokens`, single header names, or `off`.
  public var headers: [String]
  /// Value of the `Server` header.
  public var serverToken: String
  /// The Kong version that clients see, and Sluice's own.
  public var kongVersion: String
  public var sluiceVersion: String
  /// Largest request body in bytes; larger ones are answered 413.
  public var maximumBodySize: Int
  /// Origins of the web console; empty to allow the origin that asks. Source: Kong fact, admin-api §6.
  public var allowedOrigins: [String]
  /// Seconds after which a connection without a request is closed.
  public var idleSeconds: Int64

  public init(
    addresses: [ListenAddress], surface: Surface = .full, usesDatabase: Bool = true,
    isStreamingEnabled: Bool = false,
    headers: [String] = ["server_tokens", "latency_tokens"], serverToken: String = "kong/3.15.0.0-enterprise-edition",
    kongVersion: String = "3.15.0.0", sluiceVersion: String = "0.1.0", maximumBodySize: Int = 32 << 20,
    allowedOrigins: [String] = [], idleSeconds: Int64 = 75
  ) {
    self.addresses = addresses
    self.surface = surface
    self.usesDatabase = usesDatabase
    self.isStreamingEnabled = isStreamingEnabled
    self.headers = headers
    self.serverToken = serverToken
    self.kongVersion = kongVersion
    self.sluiceVersion = sluiceVersion
    self.maximumBodySize = maximumBodySize
    self.allowedOrigins = allowedOrigins
    self.idleSeconds = idleSeconds
  }

  /// Whether a setting that an entity depends on (`EntityDefinition.requiredSetting`) is on.
  func isOn(setting: String) -> Bool {
    setting == Self.streamingSetting && isStreamingEnabled
  }

  static let streamingSetting = "custom_plugin_streaming_enabled"
}
