extension EntityDefinition {
  /// Which requests go where. Source: Kong fact, proxy-behaviour §1.
  public static let routes: EntityDefinition = {
    let host = FieldSchema.string.asRequired().checked(
      by: .matchAll([
        .init(pattern: "^[^*]*%*?[^*]*$", error: "invalid wildcard: must have at most one wildcard")
      ]),
      .matchAny(
        ["^%*%.", "%.%*$", "^%*%..*:%d+$", "%.%*:%d+$", "^[^*]*$"],
        error: "invalid wildcard: must be placed at leftmost or rightmost label"),
      .custom("wildcard_host", ValueChecks.wildcardHostWithOptionalPort))
    let path = FieldSchema.string.asRequired().checked(
      by: .matchNone([.init(pattern: "//", error: "must not have empty segments")]),
      .matchAny(["^/", "^~/"], error: "should start with: / (fixed path) or ~/ (regex path)"),
      .custom("router_path", ValueChecks.routePath))
    let header = CommonFields.headerName.asRequired().checked(
      by: .matchNone([
        .init(
          pattern: "^[Hh][Oo][Ss][Tt]$",
          error: "cannot contain 'host' header, which must be specified in the 'hosts' attribute")
      ]))
    let endpoints = FieldSchema.set(
      of: .record(
        RecordSchema(
          ["ip": CommonFields.ipOrCIDR, "port": CommonFields.port], entityChecks: [.atLeastOneOf(["ip", "port"])])
      ).asRequired())
    let schema = RecordSchema(
      [
        "id": CommonFields.id,
        "created_at": CommonFields.createdAt,
        "updated_at": CommonFields.updatedAt,
        "name": CommonFields.utf8Name,
        "protocols": .set(of: CommonFields.protocol.asRequired()).asRequired().defaulting(to: ["https"]).checked(
          by: .lengthAtLeast(1),
          .mutuallyExclusiveSubsets([
            ["http", "https"], ["tcp", "tls", "udp"], ["tls_passthrough"], ["grpc", "grpcs"], ["ws", "wss"],
          ])),
        "https_redirect_status_code": .integer.asRequired().defaulting(to: 426).checked(
          by: .oneOf([426, 301, 302, 307, 308])),
        "strip_path": .boolean.asRequired().defaulting(to: true),
        "preserve_host": .boolean.asRequired().defaulting(to: false),
        "request_buffering": .boolean.asRequired().defaulting(to: true),
        "response_buffering": .boolean.asRequired().defaulting(to: true),
        "tags": CommonFields.tags,
        "service": .foreign("services"),
        "snis": .set(of: CommonFields.sni.asRequired()),
        "sources": endpoints,
        "destinations": endpoints,
        "methods": .set(of: CommonFields.httpMethod.asRequired()),
        "hosts": .array(of: host),
        "paths": .array(of: path),
        "headers": .map(header, .array(of: .string.asRequired()).asRequired()),
        "regex_priority": .integer.defaulting(to: 0),
        "path_handling": .string.defaulting(to: "v0").checked(by: .oneOf(["v0", "v1"])),
      ],
      entityChecks: [
        .conditional(
          .init(
            ifField: "protocols",
            ifMatch: .init(elementChecks: [.notOneOf(["grpcs", "https", "tls", "tls_passthrough", "wss"])]),
            thenField: "snis", thenMatch: .init(checks: [.lengthEqual(0)]),
            thenError: "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'")),
        .custom(fieldSources: ["protocols", "strip_path"], RouteChecks.stripPathIsAllowed),
        .custom(fieldSources: RouteChecks.matchers, RouteChecks.hasMatchers),
      ])
    return EntityDefinition(
      name: "routes", adminPath: "routes", endpointKey: "name", schema: schema,
      dependentDefaults: RouteChecks.defaults)
  }()
}

/// Checks over several fields of a route.
enum RouteChecks {
  static let matchers = ["protocols", "snis", "sources", "destinations", "methods", "hosts", "paths", "headers"]

  /// A route must have at least one matcher that means something for its protocols, and none that means nothing.
  @Sendable static func hasMatchers(_ route: [String: JSONValue]) -> SchemaViolations? {
    guard let protocols = route["protocols"]?.array?.compactMap(\.string), !protocols.isEmpty else { return nil }
    let allowed: [String]
    let group: String
    if protocols.contains("tls_passthrough") {
      (allowed, group) = (["sources", "destinations", "snis"], "'tcp', 'tls', 'tls_passthrough' or 'udp'")
    } else if protocols.contains(where: { $0 == "tcp" || $0 == "tls" || $0 == "udp" }) {
      let names = ["sources", "destinations"]
      allowed = protocols.contains("tls") ? names + ["snis"] : names
      group = "'tcp', 'tls', 'tls_passthrough' or 'udp'"
    } else if protocols.contains(where: { $0 == "grpc" || $0 == "grpcs" }) {
      let names = ["hosts", "headers", "paths"]
      allowed = protocols.contains("grpcs") ? names + ["snis"] : names
      group = "'grpc' or 'grpcs'"
    } else {
      let names = ["methods", "hosts", "headers", "paths"]
      allowed = protocols.contains("https") || protocols.contains("wss") ? names + ["snis"] : names
      group = "'http' or 'https'"
    }
    var violations = SchemaViolations()
    for matcher in matchers.dropFirst()
    where matcher != "snis" && !allowed.contains(matcher) && !isEmpty(route[matcher]) {
      violations.fields[matcher] = .string("cannot set '\(matcher)' when 'protocols' is \(group)")
    }
    if !violations.isEmpty { return violations }
    if protocols.contains("tls_passthrough") {
      return isEmpty(route["snis"]) ? violation(of: "must set snis when 'protocols' is 'tls_passthrough'") : nil
    }
    if allowed.allSatisfy({ isEmpty(route[$0]) }) {
      return violation(of: "must set one of \(quoted(allowed)) when 'protocols' is '\(displayed(protocols))'")
    }
    return nil
  }

  /// Kong names the most telling protocol of a route only.
  private static func displayed(_ protocols: [String]) -> String {
    for name in ["grpcs", "https", "tls", "wss"] where protocols.contains(name) { return name }
    return protocols[0]
  }

  /// Routes for gRPC never strip their path, so the usual default does not fit them.
  @Sendable static func defaults(_ route: [String: JSONValue]) -> [String: JSONValue] {
    let protocols = route["protocols"]?.array ?? []
    return protocols.contains("grpc") || protocols.contains("grpcs") ? ["strip_path": false] : [:]
  }

  @Sendable static func stripPathIsAllowed(_ route: [String: JSONValue]) -> SchemaViolations? {
    guard route["strip_path"] == true, let protocols = route["protocols"]?.array,
      protocols.contains("grpc") || protocols.contains("grpcs")
    else { return nil }
    return SchemaViolations(fields: ["strip_path": "cannot set 'strip_path' when 'protocols' is 'grpc' or 'grpcs'"])
  }

  private static func violation(of message: String) -> SchemaViolations { SchemaViolations(entity: [message]) }

  private static func quoted(_ names: [String]) -> String { names.map { "'\($0)'" }.joined(separator: ", ") }

  private static func isEmpty(_ value: JSONValue?) -> Bool {
    switch value {
    case nil, .null: true
    case .array(let elements): elements.isEmpty
    case .object(let members): members.isEmpty
    default: false
    }
  }
}
