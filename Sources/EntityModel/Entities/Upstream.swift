extension EntityDefinition {
  /// A virtual host with targets among which the balancer chooses. Source: Kong fact, proxy-behaviour §8.
  public static let upstreams: EntityDefinition = {
    let hashInputs = ["none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture"]
    let hashOn = FieldSchema.string.defaulting(to: "none").checked(by: .oneOf(hashInputs.map(JSONValue.string)))
    let cookiePath = CommonFields.path.defaulting(to: "/")
    let schema = RecordSchema(
      [
        "id": CommonFields.id,
        "created_at": CommonFields.createdAt,
        "updated_at": CommonFields.updatedAt,
        "name": .string.asRequired().asUnique().checked(by: .custom("upstream_name", ValueChecks.upstreamName)),
        "algorithm": .string.defaulting(to: "round-robin").checked(
          by: .oneOf(["consistent-hashing", "least-connections", "round-robin", "latency", "sticky-sessions"])),
        "hash_on": hashOn,
        "hash_fallback": hashOn,
        "hash_on_header": CommonFields.headerName,
        "hash_fallback_header": CommonFields.headerName,
        "hash_on_cookie": CommonFields.cookieName,
        "hash_on_cookie_path": cookiePath,
        "hash_on_query_arg": .string,
        "hash_fallback_query_arg": .string,
        "hash_on_uri_capture": .string,
        "hash_fallback_uri_capture": .string,
        "slots": .integer.defaulting(to: 10000).checked(by: .between(10, 65536)),
        "healthchecks": healthchecks,
        "sticky_sessions_cookie": CommonFields.cookieName,
        "sticky_sessions_cookie_path": cookiePath,
        "tags": CommonFields.tags,
        "host_header": CommonFields.hostWithOptionalPort,
        "client_certificate": .foreign("certificates"),
        "use_srv_name": .boolean.defaulting(to: false),
      ],
      entityChecks: hashChecks)
    return EntityDefinition(name: "upstreams", adminPath: "upstreams", endpointKey: "name", schema: schema)
  }()

  /// One address behind an upstream; reachable in the Admin API only below its upstream.
  public static let targets = EntityDefinition(
    name: "targets", adminPath: nil, nestedAdminPath: "targets", endpointKey: "target",
    schema: RecordSchema([
      "id": CommonFields.id,
      "created_at": CommonFields.createdAtMilliseconds,
      "updated_at": CommonFields.updatedAtMilliseconds,
      "upstream": .foreign("upstreams", onDelete: .cascade).asRequired(),
      "target": .string.asRequired().checked(by: .custom("target", ValueChecks.target)),
      "weight": .integer.defaulting(to: 100).checked(by: .between(0, 65535)),
      "failover": .boolean.defaulting(to: false),
      "tags": CommonFields.tags,
    ]),
    compositeUnique: ["upstream", "target"], derivedFields: targetWithPort)

  /// A target without port gets the default one, so that the same target cannot be there twice.
  @Sendable private static func targetWithPort(_ entity: EntityFields) -> EntityFields {
    guard let text = entity["target"]?.string else { return entity }
    var entity = entity
    switch ValueChecks.hostForm(of: text) {
    case .address(let address, let port):
      let host = address.isIPv4 ? address.description : "[\(address.expandedDescription)]"
      entity["target"] = .string("\(host):\(port ?? 8000)")
    case .name(let name, let port): entity["target"] = .string("\(name):\(port ?? 8000)")
    case .invalid, .invalidPort: break
    }
    return entity
  }

  private static var healthchecks: FieldSchema {
    let type = FieldSchema.string.defaulting(to: "http").checked(by: .oneOf(["tcp", "http", "https", "grpc", "grpcs"]))
    let seconds = FieldSchema.number.defaulting(to: 0).checked(by: .between(0, 65535))
    let count = FieldSchema.integer.defaulting(to: 0).checked(by: .between(0, 255))
    func statuses(_ codes: [JSONValue]) -> FieldSchema {
      .array(of: .integer.checked(by: .between(100, 999))).defaulting(to: .array(codes))
    }
    let successful: [JSONValue] = [
      200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308,
    ]
    let passive = record([
      "type": type,
      "healthy": record(["http_statuses": statuses(successful), "successes": count]),
      "unhealthy": record([
        "http_statuses": statuses([429, 500, 503]), "http_failures": count, "timeouts": count, "tcp_failures": count,
      ]),
    ])
    let active = record([
      "timeout": .number.defaulting(to: 1).checked(by: .between(0, 65535)),
      "concurrency": .integer.defaulting(to: 10).checked(by: .between(1, 2_147_483_648)),
      "https_verify_certificate": .boolean.asRequired().defaulting(to: true),
      "headers": .map(CommonFields.headerName, .array(of: .string)),
      "type": type,
      "unhealthy": record([
        "http_statuses": statuses([429, 404, 500, 501, 502, 503, 504, 505]), "tcp_failures": count, "timeouts": count,
        "http_failures": count, "interval": seconds,
      ]),
      "https_sni": CommonFields.sni,
      "http_path": CommonFields.path.defaulting(to: "/"),
      "healthy": record(["http_statuses": statuses([200, 302]), "interval": seconds, "successes": count]),
    ])
    return record([
      "passive": passive, "active": active,
      "threshold": .number.defaulting(to: 0).checked(by: .between(0, 100)),
    ])
  }

  /// A required record whose default is shown as a whole, which clients read from `/schemas/upstreams`.
  private static func record(_ fields: KeyValuePairs<String, FieldSchema>) -> FieldSchema {
    let schema = RecordSchema(fields)
    let contents = SchemaFilling().filled([:], by: schema).filter { !$0.value.isNull }
    return .record(schema).asRequired().defaulting(to: .object(contents))
  }

  private static var hashChecks: [EntityCheck] {
    func companion(_ field: String, _ value: String, _ required: String) -> EntityCheck {
      .conditional(
        .init(
          ifField: field, ifMatch: .init(checks: [.match("^\(value)$")]), thenField: required,
          thenMatch: .init(required: true)))
    }
    func fallback(_ value: String, _ allowed: [JSONValue]) -> EntityCheck {
      .conditional(
        .init(
          ifField: "hash_on", ifMatch: .init(checks: [.match("^\(value)$")]), thenField: "hash_fallback",
          thenMatch: .init(checks: [.oneOf(allowed)])))
    }
    return [
      companion("hash_on", "header", "hash_on_header"),
      companion("hash_fallback", "header", "hash_fallback_header"),
      companion("hash_on", "cookie", "hash_on_cookie"),
      companion("hash_fallback", "cookie", "hash_on_cookie"),
      fallback("none", ["none"]),
      fallback("cookie", ["none"]),
      fallback("consumer", ["none", "ip", "header", "cookie", "path", "query_arg", "uri_capture"]),
      fallback("ip", ["none", "consumer", "header", "cookie", "path", "query_arg", "uri_capture"]),
      fallback("path", ["none", "consumer", "header", "cookie", "query_arg", "ip", "uri_capture"]),
      .distinct(["hash_on_header", "hash_fallback_header"]),
      companion("hash_on", "query_arg", "hash_on_query_arg"),
      companion("hash_fallback", "query_arg", "hash_fallback_query_arg"),
      .distinct(["hash_on_query_arg", "hash_fallback_query_arg"]),
      companion("hash_on", "uri_capture", "hash_on_uri_capture"),
      companion("hash_fallback", "uri_capture", "hash_fallback_uri_capture"),
      .distinct(["hash_on_uri_capture", "hash_fallback_uri_capture"]),
    ]
  }
}
