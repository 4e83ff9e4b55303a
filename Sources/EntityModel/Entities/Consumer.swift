extension EntityDefinition {
  /// A user of the proxied services.
  public static let consumers = EntityDefinition(
    name: "consumers", adminPath: "consumers", endpointKey: "username",
    schema: RecordSchema(
      [
        "id": Typedefs.id,
        "created_at": Typedefs.createdAt,
        "updated_at": Typedefs.updatedAt,
        "username": .string.asUnique(),
        "custom_id": .string.asUnique(),
        "tags": Typedefs.tags,
      ],
      entityChecks: [.atLeastOneOf(["custom_id", "username"])]))

  /// A set of consumers that plugins can be scoped to.
  public static let consumerGroups = EntityDefinition(
    name: "consumer_groups", adminPath: "consumer_groups", endpointKey: "name",
    schema: RecordSchema([
      "id": Typedefs.id,
      "created_at": Typedefs.createdAt,
      "updated_at": Typedefs.updatedAt,
      "name": Typedefs.utf8Name.asRequired(),
      "tags": Typedefs.tags,
    ]))

  /// Membership of a consumer in a group that the acl plugin allows or denies.
  public static let acls = EntityDefinition(
    name: "acls", adminPath: "acls",
    schema: RecordSchema([
      "id": Typedefs.id,
      "created_at": Typedefs.createdAt,
      "consumer": .foreign("consumers", onDelete: .cascade).asRequired(),
      "group": .string.asRequired(),
      "tags": Typedefs.tags,
    ]),
    compositeUnique: ["consumer", "group"])
}
