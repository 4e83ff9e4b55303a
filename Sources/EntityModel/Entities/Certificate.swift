extension EntityDefinition {
  /// A certificate with its key, for SNIs and for TLS to upstreams.
  public static let certificates: EntityDefinition = {
    let certificate = CommonFields.certificate.asReferenceable()
    let key = CommonFields.key.asReferenceable().asEncrypted()
    let schema = RecordSchema(
      [
        "id": CommonFields.id,
        "created_at": CommonFields.createdAt,
        "updated_at": CommonFields.updatedAt,
        "cert": certificate.asRequired(),
        "key": key.asRequired(),
        "cert_alt": certificate,
        "key_alt": key,
        "tags": CommonFields.tags,
        "snis": .array(of: CommonFields.wildcardHost.asRequired()).asTransient(),
      ],
      entityChecks: [
        .mutuallyRequired(["cert_alt", "key_alt"]),
        .custom(fieldSources: ["cert", "key"]) { CertificateChecks.keyMatches($0, certificate: "cert", key: "key") },
        .custom(fieldSources: ["cert_alt", "key_alt"]) {
          CertificateChecks.keyMatches($0, certificate: "cert_alt", key: "key_alt")
        },
        .custom(fieldSources: ["cert", "cert_alt"], CertificateChecks.typesDiffer),
      ])
    return EntityDefinition(name: "certificates", adminPath: "certificates", schema: schema)
  }()

  /// A certificate of an authority that the gateway trusts where a service says so.
  public static let caCertificates = EntityDefinition(
    name: "ca_certificates", adminPath: "ca_certificates",
    schema: RecordSchema(
      [
        "id": CommonFields.id,
        "created_at": CommonFields.createdAt,
        "updated_at": CommonFields.updatedAt,
        "cert": CommonFields.certificate.asRequired(),
        "cert_digest": .string.asUnique(),
        "tags": CommonFields.tags,
      ],
      entityChecks: [.custom(fieldSources: ["cert"], CertificateChecks.isAuthority)]),
    isWorkspaced: false, derivedFields: CertificateChecks.digest)

  /// A server name for which a certificate is served.
  public static let snis = EntityDefinition(
    name: "snis", adminPath: "snis", endpointKey: "name",
    schema: RecordSchema([
      "id": CommonFields.id,
      "name": CommonFields.wildcardHost.asRequired().asUnique(acrossWorkspaces: true),
      "created_at": CommonFields.createdAt,
      "updated_at": CommonFields.updatedAt,
      "tags": CommonFields.tags,
      "certificate": .foreign("certificates").asRequired(),
    ]))
}
