extension EntityDefinition {
  /// A user of the proxied services.
  public static let consumers = EntityDefinition(
    name: "consumers", adminPath: "consumers", endpointKey: "username",
    schema: RecordSchema(
      [
        "id": CommonFields.id,
        "created_at": CommonFields.createdAt,
        "updated_at": CommonFields.updatedAt,
        "username": .string.asUnique(),
        "custom_id": .string.asUnique(),
        "tags": CommonFields.tags,
      ],
      entityChecks: [.atLeastOneOf(["custom_id", "username"])]))

  /// A set of consumers that plugins can be scoped to.
  public static let consumerGroups = EntityDefinition(
    name: "consumer_groups", adminPath: "consumer_groups", endpointKey: "name",
    schema: RecordSchema([
      "id": CommonFields.id,
      "created_at": CommonFields.createdAt,
      "updated_at": CommonFields.updatedAt,
      "name": CommonFields.utf8Name.asRequired(),
      "tags": CommonFields.tags,
    ]))

  /// Membership of a consumer in a consumer group.
  public static let consumerGroupMembers = EntityDefinition(
    name: "consumer_group_consumers", adminPath: nil,
    schema: RecordSchema([
      "id": CommonFields.id,
      "created_at": CommonFields.createdAt,
      "updated_at": CommonFields.updatedAt,
      "consumer": .foreign("consumers", onDelete: .cascade).asRequired(),
      "consumer_group": .foreign("consumer_groups", onDelete: .cascade).asRequired(),
    ]),
    compositeUnique: ["consumer", "consumer_group"])

  /// Membership of a consumer in a group that the acl plugin allows or denies.
  public static let acls = EntityDefinition(
    name: "acls", adminPath: "acls", nestedKey: "group",
    schema: RecordSchema([
      "id": CommonFields.id,
      "created_at": CommonFields.createdAt,
      "consumer": .foreign("consumers", onDelete: .cascade).asRequired(),
      "group": .string.asRequired(),
      "tags": CommonFields.tags,
    ]),
    compositeUnique: ["consumer", "group"])

  /// A key by which the key-auth plugin and its clones know a consumer. Source: Kong fact, bundled-16 §2.
  public static let keyAuthCredentials = EntityDefinition(
    name: "keyauth_credentials", adminPath: "key-auths", nestedAdminPath: "key-auth", endpointKey: "key",
    schema: RecordSchema([
      "id": CommonFields.id,
      "created_at": CommonFields.createdAt,
      "consumer": .foreign("consumers", onDelete: .cascade).asRequired(),
      "key": .string.asUnique().asEncrypted().filledAutomatically(with: .randomString),
      "tags": CommonFields.tags,
      "ttl": CommonFields.timeToLive,
    ]))
}
