extension EntityDefinition {
  /// An upstream application. Source: Kong fact, proxy-behaviour §1.
  public static let services: EntityDefinition = {
    let timeout = FieldSchema.integer.defaulting(to: 60000).checked(by: .between(1, 2_147_483_646))
    let tlsProtocols: [JSONValue] = ["https", "tls", "wss"]
    func onlyWithTLS(_ field: String) -> EntityCheck {
      .conditional(
        .init(
          ifField: "protocol", ifMatch: .init(checks: [.notOneOf(tlsProtocols)]), thenField: field,
          thenMatch: .init(checks: [.equal(.null)])))
    }
    let altNames = RecordSchema(["dnsnames": .array(of: .string), "uris": .array(of: .string)])
    let schema = RecordSchema(
      [
        "id": CommonFields.id,
        "created_at": CommonFields.createdAt,
        "updated_at": CommonFields.updatedAt,
        "name": CommonFields.utf8Name,
        "retries": .integer.defaulting(to: 5).checked(by: .between(0, 32767)),
        "protocol": CommonFields.protocol.asRequired().defaulting(to: "http"),
        "host": CommonFields.host.asRequired(),
        "port": CommonFields.port.asRequired().defaulting(to: 80),
        "path": CommonFields.path,
        "connect_timeout": timeout,
        "write_timeout": timeout,
        "read_timeout": timeout,
        "tags": CommonFields.tags,
        "client_certificate": .foreign("certificates"),
        "tls_verify": .boolean,
        "tls_verify_depth": .integer.checked(by: .between(0, 64)),
        "tls_sans": .record(altNames),
        "ca_certificates": .array(of: CommonFields.uuid.asRequired()),
        "enabled": .boolean.asRequired().defaulting(to: true),
      ],
      entityChecks: [
        .conditional(
          .init(
            ifField: "protocol", ifMatch: .init(checks: [.oneOf(["tcp", "tls", "udp", "grpc", "grpcs"])]),
            thenField: "path", thenMatch: .init(checks: [.equal(.null)]))),
        onlyWithTLS("client_certificate"),
        onlyWithTLS("tls_verify"),
        onlyWithTLS("tls_verify_depth"),
        onlyWithTLS("tls_sans"),
        onlyWithTLS("ca_certificates"),
      ],
      shorthandFields: [ShorthandField(name: "url", schema: .string, expand: expandURL)])
    return EntityDefinition(name: "services", adminPath: "services", endpointKey: "name", schema: schema)
  }()

  /// `url` sets protocol, host, port and path together.
  @Sendable private static func expandURL(_ value: JSONValue) -> [String: JSONValue] {
    guard let text = value.string else { return [:] }
    let parts = URLParts(text)
    var fields: [String: JSONValue] = ["path": parts.path.map(JSONValue.string) ?? .null]
    if let scheme = parts.scheme { fields["protocol"] = .string(scheme) }
    if let host = parts.host { fields["host"] = .string(host) }
    switch (parts.port, parts.scheme) {
    case (let port?, _): fields["port"] = .integer(Int64(port))
    case (nil, "http"): fields["port"] = 80
    case (nil, "https"): fields["port"] = 443
    default: break
    }
    return fields
  }
}
