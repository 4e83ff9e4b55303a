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
  public static func check(named name: String) -> FieldCheck? { checks[name] }

  /// The Lua module `kong.db.schema.typedefs` as data.
  public static var moduleTree: SchemaTree {
    .members(all.sorted { $0.key < $1.key }.map { ($0.key, SchemaTree($0.value)) })
  }

  private static let all: [String: FieldSchema] = basics.merging(texts) { $1 }.merging(routing) { $1 }
    .merging(records) { $1 }

  /// Checks by the names under which the typedefs carry them, nested ones included.
  private static let checks: [String: FieldCheck] = {
    var found: [String: FieldCheck] = [:]
    func collect(_ field: FieldSchema) {
      for check in field.checks {
        if case .custom(let name, _) = check { found[name] = check }
      }
      switch field.kind {
      case .array(let elements), .set(let elements): collect(elements)
      case .map(let keys, let values):
        collect(keys)
        collect(values)
      case .record(let record):
        for field in record.fields { collect(field.schema) }
      case .string, .integer, .number, .boolean, .foreign, .json, .variant: break
      }
    }
    for field in all.values { collect(field) }
    collect(redisConfig)
    return found
  }()

  private static func secret(_ description: String) -> FieldSchema {
    .string.asEncrypted().asReferenceable().described(description)
  }

  private static func scope(_ field: FieldSchema) -> FieldSchema {
    field.described("The plugin cannot be limited in this way.")
  }

  /// The field as one that must not be set.
  private static func absent(_ schema: FieldSchema) -> FieldSchema {
    var schema = schema
    schema.required = false
    schema.defaultValue = nil
    schema.checks = [.equal(.null)]
    return schema
  }

  private static let basics: [String: FieldSchema] = [
    "uuid": CommonFields.id.described("A UUID in its usual text form."),
    "auto_timestamp_s": CommonFields.createdAt.described("A time in seconds since 1970."),
    "auto_timestamp_ms": CommonFields.createdAtMilliseconds
      .described("A time in seconds since 1970, with milliseconds."),
    "port": CommonFields.port.described("A port number from 0 to 65535."),
    "timeout": CommonFields.timeout.described("A time limit in milliseconds."),
    "ttl": CommonFields.timeToLive.described("A time to live in seconds."),
    "no_route": scope(CommonFields.noRoute),
    "no_service": scope(CommonFields.noService),
    "no_consumer": scope(CommonFields.noConsumer),
    "no_consumer_group": scope(CommonFields.noConsumerGroup),
    "protocol": CommonFields.protocol.described("The protocol of a request."),
    "protocols": CommonFields.protocols.described("The protocols of requests that the plugin works on."),
    "protocols_http": CommonFields.httpOnlyProtocols.described("The protocols of requests that the plugin works on."),
  ]

  private static let texts: [String: FieldSchema] = [
    "http_method": CommonFields.httpMethod.described("An HTTP method in capital letters."),
    "host": CommonFields.host.described("A host name or an IP address, without a port."),
    "redis_host": CommonFields.host.asReferenceable().described("The host of a Redis server."),
    "host_with_optional_port": CommonFields.hostWithOptionalPort
      .described("A host name or an IP address, with or without a port."),
    "wildcard_host": CommonFields.wildcardHost.described("A host name with at most one wildcard, at either end."),
    "sni": CommonFields.sni.described("A host name as used in TLS, no IP address."),
    "redis_server_name": CommonFields.sni.asReferenceable().described("The server name sent in the TLS handshake."),
    "ip": CommonFields.ip.described("An IP address, version 4 or 6."),
    "ip_or_cidr": CommonFields.ipOrCIDR.described("An IP address or a range in CIDR notation."),
    "cidr": CommonFields.cidr.described("A range of IP addresses in CIDR notation."),
    "cidr_v4": CommonFields.cidrV4.described("A range of IPv4 addresses in CIDR notation."),
    "path": CommonFields.path.described("An absolute path of a URL."),
    "url": CommonFields.url.described("A URL with scheme and host."),
    "cookie_name": CommonFields.cookieName.described("The name of a cookie."),
    "header_name": CommonFields.headerName.described("The name of a header."),
    "name": CommonFields.name.described("A name that is unique among entities of its kind."),
    "utf8_name": CommonFields.utf8Name.described("A name that is unique among entities of its kind."),
    "tag": CommonFields.tag.described("A word for grouping and filtering entities."),
    "tags": CommonFields.tags.described("Words by which entities can be grouped and filtered."),
    "certificate": CommonFields.certificate.described("A certificate in PEM form."),
    "key": CommonFields.key.described("A private key in PEM form."),
    "semantic_version": .string.described("A version number of digits and dots.").checked(
      by: .matchNone([.init(pattern: "%.%.", error: "must not have empty version segments")]),
      .matchAny(["^%d+[%.%d]*$"], error: "invalid version number: must be in format of X.Y.Z")),
    "capability": .string.described("The name of a capability.").checked(by: .match("^[%l][%d%l_-]+[%d%l]+$")),
    // Kong compatibility: the syntax of the Lua code is not checked when an instance is saved.
    "lua_code": .map(.string.checked(by: .lengthAtLeast(1)), .string.checked(by: .lengthAtLeast(1)))
      .described("Lua code by the name of the value that it computes."),
  ]

  private static let routing: [String: FieldSchema] = {
    let methods = FieldSchema.set(of: CommonFields.httpMethod).described("The HTTP methods that match.")
    let host = FieldSchema.string.checked(
      by: .custom("wildcard_host_with_optional_port", ValueChecks.wildcardHostWithOptionalPort))
    let hosts = FieldSchema.array(of: host).described("The host names that match.")
    let path = FieldSchema.string.described("A prefix of the path, or a regular expression after '~'.").checked(
      by: .matchAny(["^/", "^~/"], error: "should start with: / (fixed path) or ~/ (regex path)"),
      .matchNone([.init(pattern: "^//", error: "must not have empty segments")]),
      .custom("route_path", ValueChecks.routePath))
    let paths = FieldSchema.array(of: path).described("The paths that match.")
    let headers = FieldSchema.map(CommonFields.headerName, .array(of: .string))
      .described("The values that match, by the name of their header.")
    let endpoint = RecordSchema(
      ["ip": CommonFields.ipOrCIDR, "port": CommonFields.port], entityChecks: [.atLeastOneOf(["ip", "port"])])
    let endpoints = FieldSchema.set(of: .record(endpoint).asRequired()).described("Addresses and ports that match.")
    return [
      "methods": methods, "hosts": hosts, "paths": paths, "router_path": path, "router_paths": paths,
      "headers": headers, "sources": endpoints, "destinations": endpoints,
      "no_methods": absent(methods), "no_hosts": absent(hosts), "no_paths": absent(paths),
      "no_headers": absent(headers), "no_sources": absent(endpoints), "no_destinations": absent(endpoints),
    ]
  }()

  private static let records: [String: FieldSchema] = {
    let pem = RecordSchema([
      "private_key": secret("A private key in PEM form."),
      "public_key": secret("A public key in PEM form."),
    ])
    var keyFields: [RecordSchema.NamedField] = [.init("kty", .string.asRequired())]
    for name in ["issuer", "use", "alg", "kid", "x5u", "x5t", "x5t#S256", "x", "y", "crv", "n", "e", "oth", "r", "t"] {
      keyFields.append(.init(name, .string))
    }
    for name in ["key_ops", "x5c"] { keyFields.append(.init(name, .array(of: .string))) }
    for name in ["k", "d", "p", "q", "dp", "dq", "qi"] {
      keyFields.append(.init(name, secret("A secret part of the key.")))
    }
    return [
      "pem": .record(pem).described("A pair of keys in PEM form."),
      "jwk": .record(RecordSchema(keyFields)).described("A JSON web key (RFC 7517)."),
      "queue": CommonFields.queue.described("How records are gathered and sent in batches."),
      "propagation": .record(propagation).asRequired().defaulting(to: ["default_format": "w3c"])
        .described("How the context of a trace is read and passed on."),
    ]
  }()

  private static let propagation: RecordSchema = {
    let formats: [JSONValue] = ["w3c", "b3", "jaeger", "ot", "aws", "datadog", "gcp", "instana"]
    let written: [JSONValue] = formats + ["b3-single"]
    return RecordSchema([
      "extract": .array(of: .string.checked(by: .oneOf(formats)))
        .described("Formats in which a context is looked for."),
      "clear": .array(of: .string).described("Headers removed once the context is read."),
      "inject": .array(of: .string.checked(by: .oneOf(written + ["preserve"])))
        .described("Formats in which the context is passed on."),
      "default_format": .string.checked(by: .oneOf(written)).asRequired().defaulting(to: "w3c")
        .described("The format used when the request had none."),
    ])
  }()

  /// `config_schema` of the Lua module `kong.tools.redis.schema`.
  public static let redisConfig = FieldSchema.record(
    RecordSchema([
      "host": CommonFields.host.asReferenceable().described("The host of the Redis server."),
      "port": CommonFields.port.defaulting(to: 6379).described("The port of the Redis server."),
      "timeout": CommonFields.timeout.defaulting(to: 2000).described("A time limit in milliseconds."),
      "username": .string.asReferenceable().described("The user to sign in as; needs Redis 6."),
      "password": secret("The password to sign in with."),
      "database": .integer.defaulting(to: 0).described("The number of the database."),
      "ssl": .boolean.asRequired().defaulting(to: false).described("Whether the connection uses TLS."),
      "ssl_verify": .boolean.asRequired().defaulting(to: true).described("Whether the certificate is checked."),
      "server_name": CommonFields.sni.asReferenceable().described("The server name sent in the TLS handshake."),
    ])
  ).asRequired().described("How to reach a Redis server.")
}
