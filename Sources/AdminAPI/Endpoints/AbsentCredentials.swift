import EntityModel

/// Credentials of authentication plugins that are not available: their schemas can be read, as clients do for their
/// defaults, but there are no such entities.
enum AbsentCredentials {
  static let all = [basicAuth, jwt]

  private static let consumer = FieldSchema.foreign("consumers", onDelete: .cascade).asRequired()

  private static let basicAuth = EntityDefinition(
    name: "basicauth_credentials", adminPath: nil,
    schema: RecordSchema([
      "id": CommonFields.id,
      "created_at": CommonFields.createdAt,
      "consumer": consumer,
      "username": .string.asRequired().asUnique(),
      "password": .string.asRequired().asEncrypted(),
      "tags": CommonFields.tags,
    ]))

  private static let jwt: EntityDefinition = {
    let asymmetric = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"]
    let algorithms =
      ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"]
      + ["EdDSA"]
    return EntityDefinition(
      name: "jwt_secrets", adminPath: nil,
      schema: RecordSchema(
        [
          "id": CommonFields.id,
          "created_at": CommonFields.createdAt,
          "consumer": consumer,
          "key": .string.asUnique().filledAutomatically(with: .randomString),
          "secret": .string.filledAutomatically(with: .randomString),
          "rsa_public_key": .string,
          "algorithm": .string.defaulting(to: "HS256").checked(by: .oneOf(algorithms.map(JSONValue.string))),
          "tags": CommonFields.tags,
        ],
        entityChecks: [
          .conditional(
            .init(
              ifField: "algorithm",
              ifMatch: .init(checks: [.matchAny(asymmetric.map { "^\($0)$" }, error: nil)]),
              thenField: "rsa_public_key", thenMatch: .init(required: true)))
        ]))
  }()
}
