/// The ready-made fields of `kong.db.schema.typedefs`, each declared once; the Lua module of the same name is made of
/// these.
///
/// Source: Kong fact, schema-library §8.
public enum Typedefs {
  /// A typedef by name.
  public static subscript(name: String) -> FieldSchema? { all[name] }

  /// Every name, sorted.
  public static var names: [String] { all.keys.sorted() }

  /// The check of a typedef that is written in Swift, by its name.
  public static func check(named name: String) -> FieldCheck? {
    textChecks[name].map { check in
      .custom(name) { value in
        switch value {
        case .string(let text): check(text)
        default: nil
        }
      }
    }
  }

  /// The Lua module `kong.db.schema.typedefs` as data.
  public static var moduleTree: SchemaTree {
    .members(all.sorted { $0.key < $1.key }.map { ($0.key, SchemaTree($0.value)) })
  }

  private static let textChecks: [String: @Sendable (String) -> String?] = [
    "host": TypedefChecks.host,
    "host_with_optional_port": TypedefChecks.hostWithOptionalPort,
    "sni": TypedefChecks.serverName,
    "wildcard_host": TypedefChecks.wildcardHost,
    "ip": TypedefChecks.address,
    "ip_or_cidr": TypedefChecks.addressOrRange,
    "cidr": TypedefChecks.range,
    "cidr_v4": TypedefChecks.rangeOfIPv4,
    "path": TypedefChecks.path,
    "url": TypedefChecks.url,
    "header_name": TypedefChecks.headerName,
    "cookie_name": TypedefChecks.cookieName,
    "name": TypedefChecks.name,
    "utf8_name": TypedefChecks.utf8Name,
    "tag": TypedefChecks.tag,
    "certificate": TypedefChecks.certificate,
    "key": TypedefChecks.privateKey,
  ]

  private static func text(_ description: String, check: String? = nil, _ checks: FieldCheck...) -> FieldSchema {
    var field = FieldSchema(.string)
    field.description = description
    field.checks = checks + (check.flatMap { Self.check(named: $0) }.map { [$0] } ?? [])
    return field
  }

  private static func field(
    _ kind: FieldSchema.Kind, _ description: String? = nil, _ checks: FieldCheck..., required: Bool = false,
    default value: JSONValue? = nil
  ) -> FieldSchema {
    var field = FieldSchema(kind)
    field.description = description
    field.checks = checks
    field.required = required
    field.defaultValue = value
    return field
  }

  private static func secret(_ description: String) -> FieldSchema {
    var field = text(description)
    field.isEncrypted = true
    field.isReferenceable = true
    return field
  }

  private static func scope(_ collection: String) -> FieldSchema {
    field(.foreign(collection), "The plugin cannot be limited to one of the \(collection).", .equal(.null))
  }

  private static let protocolNames: [JSONValue] = [
    "grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp", "ws", "wss",
  ]
  private static let httpProtocolNames: [JSONValue] = ["grpc", "grpcs", "http", "https"]

  private static func protocols(_ names: [JSONValue]) -> FieldSchema {
    field(
      .set(field(.string, nil, .oneOf(names))), "The protocols of requests that this plugin works on.", required: true,
      default: .array(httpProtocolNames))
  }

  private static func absent(_ schema: FieldSchema) -> FieldSchema {
    var schema = schema
    schema.required = false
    schema.defaultValue = nil
    schema.checks = [.equal(.null)]
    return schema
  }

  private static let all: [String: FieldSchema] = basics.merging(texts) { $1 }.merging(routing) { $1 }
    .merging(records) { $1 }

  private static let basics: [String: FieldSchema] = {
    var uuid = text("A UUID in its usual text form.", .uuid)
    uuid.auto = .uuid
    var seconds = field(.integer, "A time in seconds since 1970.", .timestamp)
    seconds.auto = .createdAt
    var milliseconds = field(.number, "A time in seconds since 1970, with milliseconds.", .timestamp)
    milliseconds.auto = .createdAtMilliseconds
    return [
      "uuid": uuid,
      "auto_timestamp_s": seconds,
      "auto_timestamp_ms": milliseconds,
      "port": field(.integer, "A port number from 0 to 65535.", .between(0, 65535)),
      "timeout": field(.integer, "A time limit in milliseconds.", .between(0, 2_147_483_646)),
      "ttl": field(.number, "A time to live in seconds.", .between(0, 100_000_000)),
      "no_route": scope("routes"),
      "no_service": scope("services"),
      "no_consumer": scope("consumers"),
      "no_consumer_group": scope("consumer_groups"),
      "protocols": protocols(protocolNames),
      "protocols_http": protocols(httpProtocolNames),
    ]
  }()

  private static let texts: [String: FieldSchema] = {
    let host = text("A host name or an IP address, without a port.", check: "host")
    let sni = text("A host name as used in TLS, no IP address.", check: "sni")
    var redisHost = host
    redisHost.isReferenceable = true
    var redisServerName = sni
    redisServerName.isReferenceable = true
    var path = text("An absolute path of a URL.", check: "path")
    path.checks = [
      .startsWith("/"), .matchNone([.init(pattern: "//", error: "must not have empty segments")]),
    ] + path.checks
    var name = text("A name that is unique among entities of its kind.", check: "name")
    name.isUnique = true
    var utf8Name = text("A name that is unique among entities of its kind.", check: "utf8_name")
    utf8Name.isUnique = true
    return [
      "http_method": text("An HTTP method in capital letters.", .match("^%u+$")),
      "protocol": text("The protocol of a request.", .oneOf(protocolNames)),
      "host": host,
      "redis_host": redisHost,
      "host_with_optional_port": text(
        "A host name or an IP address, with or without a port.", check: "host_with_optional_port"),
      "wildcard_host": text("A host name with at most one wildcard, at either end.", check: "wildcard_host"),
      "sni": sni,
      "redis_server_name": redisServerName,
      "ip": text("An IP address, version 4 or 6.", check: "ip"),
      "ip_or_cidr": text("An IP address or a range in CIDR notation.", check: "ip_or_cidr"),
      "cidr": text("A range of IP addresses in CIDR notation.", check: "cidr"),
      "cidr_v4": text("A range of IPv4 addresses in CIDR notation.", check: "cidr_v4"),
      "path": path,
      "url": text("A URL with scheme and host.", check: "url"),
      "cookie_name": text("The name of a cookie.", check: "cookie_name"),
      "header_name": text("The name of a header.", check: "header_name"),
      "name": name,
      "utf8_name": utf8Name,
      "tag": tag,
      "tags": field(.set(tag), "Words by which entities can be grouped and filtered."),
      "certificate": text("A certificate in PEM form.", check: "certificate"),
      "key": text("A private key in PEM form.", check: "key"),
      "semantic_version": text(
        "A version number of digits and dots.",
        .matchNone([.init(pattern: "%.%.", error: "must not have empty version segments")]),
        .matchAny(["^%d+[%.%d]*$"], error: "invalid version number: must be in format of X.Y.Z")),
      "capability": text("The name of a capability.", .match("^[%l][%d%l_-]+[%d%l]+$")),
      "lua_code": field(
        .map(keys: field(.string, nil, .lengthAtLeast(1)), values: field(.string, nil, .lengthAtLeast(1))),
        "Lua code by the name of the value that it computes."),
    ]
  }()

  private static var tag: FieldSchema {
    var tag = text("A word for grouping and filtering entities.", check: "tag")
    tag.required = true
    return tag
  }

  private static let routing: [String: FieldSchema] = {
    let methods = field(
      .set(text("An HTTP method in capital letters.", .match("^%u+$"))), "The HTTP methods that match.")
    let host = text("A host name with at most one wildcard, at either end.", check: "wildcard_host")
    let hosts = field(.array(host), "The host names that match.")
    var routerPath = text("A prefix of the path, or a regular expression after '~'.")
    routerPath.checks = [
      .matchAny(["^/", "^~/"], error: "should start with: / (fixed path) or ~/ (regex path)"),
      .matchNone([.init(pattern: "^//", error: "must not have empty segments")]),
    ]
    let paths = field(.array(routerPath), "The paths that match.")
    let headers = field(
      .map(
        keys: text("The name of a header.", check: "header_name"), values: field(.array(field(.string)))),
      "The values that match, by the name of their header.")
    let endpoint = RecordSchema(
      [
        .init("ip", text("An IP address or a range in CIDR notation.", check: "ip_or_cidr")),
        .init("port", field(.integer, "A port number from 0 to 65535.", .between(0, 65535))),
      ],
      entityChecks: [.atLeastOneOf(["ip", "port"])])
    let endpoints = field(.set(field(.record(endpoint), required: true)), "Addresses and ports that match.")
    return [
      "methods": methods, "hosts": hosts, "paths": paths, "router_path": routerPath, "router_paths": paths,
      "headers": headers, "sources": endpoints, "destinations": endpoints,
      "no_methods": absent(methods), "no_hosts": absent(hosts), "no_paths": absent(paths),
      "no_headers": absent(headers), "no_sources": absent(endpoints), "no_destinations": absent(endpoints),
    ]
  }()

  private static let records: [String: FieldSchema] = {
    let pem = RecordSchema([
      .init("private_key", secret("A private key in PEM form.")),
      .init("public_key", secret("A public key in PEM form.")),
    ])
    var keyFields: [RecordSchema.NamedField] = [
      .init("kty", field(.string, nil, required: true))
    ]
    for name in ["issuer", "use", "alg", "kid", "x5u", "x5t", "x5t#S256", "x", "y", "crv", "n", "e", "oth", "r", "t"] {
      keyFields.append(.init(name, field(.string)))
    }
    for name in ["key_ops", "x5c"] { keyFields.append(.init(name, field(.array(field(.string))))) }
    for name in ["k", "d", "p", "q", "dp", "dq", "qi"] {
      keyFields.append(.init(name, secret("A secret part of the key.")))
    }
    return [
      "pem": field(.record(pem), "A pair of keys in PEM form."),
      "jwk": field(.record(RecordSchema(keyFields)), "A JSON web key (RFC 7517)."),
      "queue": field(.record(queue), "How records are gathered and sent in batches.", required: true),
      "propagation": field(
        .record(propagation), "How the context of a trace is read and passed on.", required: true,
        default: ["default_format": "w3c"]),
    ]
  }()

  private static let queue = RecordSchema([
    .init("max_batch_size", field(.integer, "Records sent at a time, at most.", .between(1, 1_000_000), default: 1)),
    .init("max_coalescing_delay", field(.number, "Seconds to wait for a full batch.", .between(0, 3600), default: 1)),
    .init("max_entries", field(.integer, "Records that may wait, at most.", .between(1, 1_000_000), default: 10000)),
    .init("max_bytes", field(.integer, "Bytes that may wait, at most.")),
    .init("max_retry_time", field(.number, "Seconds after which a batch is given up.", default: 60)),
    .init(
      "initial_retry_delay",
      field(.number, "Seconds before the first retry.", .between(0.001, 1_000_000), default: 0.01)),
    .init(
      "max_retry_delay", field(.number, "Seconds between retries, at most.", .between(0.001, 1_000_000), default: 60)),
    .init(
      "concurrency_limit",
      field(.integer, "Batches sent at once; -1 means no limit.", .oneOf([-1, 1]), default: 1)),
  ])

  private static let propagation: RecordSchema = {
    let formats: [JSONValue] = ["w3c", "b3", "jaeger", "ot", "aws", "datadog", "gcp", "instana"]
    let written: [JSONValue] = formats + ["b3-single"]
    return RecordSchema([
      .init(
        "extract", field(.array(field(.string, nil, .oneOf(formats))), "Formats in which a context is looked for.")),
      .init("clear", field(.array(field(.string)), "Headers removed once the context is read.")),
      .init(
        "inject",
        field(
          .array(field(.string, nil, .oneOf(written + ["preserve"]))), "Formats in which the context is passed on.")),
      .init(
        "default_format",
        field(.string, "The format used when the request had none.", .oneOf(written), required: true, default: "w3c")),
    ])
  }()

  /// `config_schema` of the Lua module `kong.tools.redis.schema`.
  public static let redisConfig: FieldSchema = {
    var host = text("The host of the Redis server.", check: "host")
    host.isReferenceable = true
    var username = text("The user to sign in as; needs Redis 6.")
    username.isReferenceable = true
    var sni = text("The server name sent in the TLS handshake.", check: "sni")
    sni.isReferenceable = true
    return field(
      .record(
        RecordSchema([
          .init("host", host),
          .init("port", field(.integer, "The port of the Redis server.", .between(0, 65535), default: 6379)),
          .init("timeout", field(.integer, "A time limit in milliseconds.", .between(0, 2_147_483_646), default: 2000)),
          .init("username", username),
          .init("password", secret("The password to sign in with.")),
          .init("database", field(.integer, "The number of the database.", default: 0)),
          .init("ssl", field(.boolean, "Whether the connection uses TLS.", required: true, default: false)),
          .init("ssl_verify", field(.boolean, "Whether the certificate is checked.", required: true, default: true)),
          .init("server_name", sni),
        ])),
      "How to reach a Redis server.", required: true)
  }()
}
