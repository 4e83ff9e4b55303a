/// Field definitions that many schemas share.
///
/// Source: Kong fact, schema-library §8.
public enum CommonFields {
  /// Protocols of services and routes.
  public static let coreProtocols: [JSONValue] = [
    "grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp", "ws", "wss",
  ]
  public static let httpProtocols: [JSONValue] = ["grpc", "grpcs", "http", "https"]

  public static let uuid = FieldSchema.string.checked(by: .uuid)
  public static let id = uuid.filledAutomatically(with: .uuid)
  /// Seconds since the epoch.
  public static let createdAt = FieldSchema.integer.filledAutomatically(with: .createdAt).checked(by: .timestamp)
  public static let updatedAt = FieldSchema.integer.filledAutomatically(with: .updatedAt).checked(by: .timestamp)
  /// Seconds with milliseconds as fraction.
  public static let createdAtMilliseconds = FieldSchema.number.filledAutomatically(with: .createdAtMilliseconds)
    .checked(by: .timestamp)
  public static let updatedAtMilliseconds = FieldSchema.number.filledAutomatically(with: .updatedAtMilliseconds)
    .checked(by: .timestamp)

  /// A name of ASCII letters, digits and `.`, `-`, `_`, `~`, or any UTF-8 text beyond ASCII.
  public static let utf8Name = FieldSchema.string.asUnique().checked(by: .custom("utf8_name", ValueChecks.utf8Name))
  /// As `utf8Name`, ASCII only.
  public static let name = FieldSchema.string.asUnique().checked(by: .custom("name", ValueChecks.name))

  public static let tag = FieldSchema.string.asRequired().checked(by: .custom("tag", ValueChecks.tag))
  public static let tags = FieldSchema.set(of: tag)

  public static let `protocol` = FieldSchema.string.checked(by: .oneOf(coreProtocols))
  /// The protocols of a plugin instance.
  public static let protocols = FieldSchema.set(of: .string.checked(by: .oneOf(coreProtocols))).asRequired()
    .defaulting(to: .array(httpProtocols))
  public static let httpOnlyProtocols = FieldSchema.set(of: .string.checked(by: .oneOf(httpProtocols))).asRequired()
    .defaulting(to: .array(httpProtocols))

  public static let host = FieldSchema.string.checked(by: .custom("host", ValueChecks.host))
  public static let hostWithOptionalPort = FieldSchema.string.checked(
    by: .custom("host_with_optional_port", ValueChecks.hostWithOptionalPort))
  public static let sni = FieldSchema.string.checked(by: .custom("sni", ValueChecks.sni))
  public static let wildcardHost = FieldSchema.string.checked(by: .custom("wildcard_host", ValueChecks.wildcardHost))
  public static let ip = FieldSchema.string.checked(by: .custom("ip", ValueChecks.ip))
  public static let cidr = FieldSchema.string.checked(by: .custom("cidr", ValueChecks.cidr))
  public static let cidrV4 = FieldSchema.string.checked(by: .custom("cidr_v4", ValueChecks.cidrV4))
  public static let ipOrCIDR = FieldSchema.string.checked(by: .custom("ip_or_cidr", ValueChecks.ipOrCIDR))
  public static let port = FieldSchema.integer.checked(by: .between(0, 65535))
  public static let path = FieldSchema.string.checked(
    by: .startsWith("/"), .matchNone([.init(pattern: "//", error: "must not have empty segments")]),
    .custom("path", ValueChecks.path))
  public static let url = FieldSchema.string.checked(by: .custom("url", ValueChecks.url))
  public static let cookieName = FieldSchema.string.checked(by: .custom("cookie_name", ValueChecks.cookieName))
  public static let headerName = FieldSchema.string.checked(by: .custom("header_name", ValueChecks.headerName))
  public static let httpMethod = FieldSchema.string.checked(by: .match("^%u+$"))
  /// Milliseconds.
  public static let timeout = FieldSchema.integer.checked(by: .between(0, 2_147_483_646))
  public static let certificate = FieldSchema.string.checked(by: .custom("certificate", ValueChecks.certificate))
  public static let key = FieldSchema.string.checked(by: .custom("key", ValueChecks.key))
  /// Seconds that an entity lives.
  public static let timeToLive = FieldSchema.integer.checked(by: .between(0, 100_000_000))

  public static let noService = FieldSchema.foreign("services").checked(by: .equal(.null))
  public static let noRoute = FieldSchema.foreign("routes").checked(by: .equal(.null))
  public static let noConsumer = FieldSchema.foreign("consumers").checked(by: .equal(.null))
  public static let noConsumerGroup = FieldSchema.foreign("consumer_groups").checked(by: .equal(.null))

  /// The queue of plugins that send logs.
  public static let queue = FieldSchema.record(
    RecordSchema([
      "max_batch_size": .integer.defaulting(to: 1).checked(by: .between(1, 1_000_000)),
      "max_coalescing_delay": .number.defaulting(to: 1).checked(by: .between(0, 3600)),
      "max_entries": .integer.defaulting(to: 10000).checked(by: .between(1, 1_000_000)),
      "max_bytes": .integer,
      "max_retry_time": .number.defaulting(to: 60),
      "initial_retry_delay": .number.defaulting(to: 0.01).checked(by: .between(0.001, 1_000_000)),
      "max_retry_delay": .number.defaulting(to: 60).checked(by: .between(0.001, 1_000_000)),
      "concurrency_limit": .integer.defaulting(to: 1).checked(by: .oneOf([-1, 1])),
    ])
  ).asRequired()
}
