extension EntityDefinition {
  /// An instance of a plugin. Source: Kong fact, plugin-entity §1.
  public static let plugins: EntityDefinition = {
    let accessOrder = FieldSchema.record(RecordSchema(["access": .array(of: .string)]))
    let partial = RecordSchema(["id": CommonFields.uuid, "name": .string, "path": .string])
    let schema = RecordSchema([
      "id": CommonFields.id,
      "name": .string.asRequired(),
      "instance_name": CommonFields.utf8Name,
      "created_at": CommonFields.createdAt,
      "updated_at": CommonFields.updatedAt,
      "route": .foreign("routes", onDelete: .cascade).defaulting(to: .null),
      "service": .foreign("services", onDelete: .cascade).defaulting(to: .null),
      "consumer": .foreign("consumers", onDelete: .cascade).defaulting(to: .null),
      "consumer_group": .foreign("consumer_groups", onDelete: .cascade).defaulting(to: .null),
      "config": .record(RecordSchema([:])).asAbstract(),
      "protocols": CommonFields.protocols,
      "enabled": .boolean.asRequired().defaulting(to: true),
      "ordering": .record(RecordSchema(["before": accessOrder, "after": accessOrder])),
      "condition": .string.checked(by: .lengthAtMost(1024)),
      "partials": .array(of: .record(partial)),
      "tags": CommonFields.tags,
    ])
    return EntityDefinition(
      name: "plugins", adminPath: "plugins", endpointKey: "instance_name", schema: schema,
      compositeUnique: ["name", "route", "service", "consumer", "consumer_group"], subschemaKey: "name")
  }()

  /// A streamed plugin: its Lua source as configuration. Source: Kong fact, plugin-entity §8.
  public static let customPlugins = EntityDefinition(
    name: "custom_plugins", adminPath: "custom-plugins", endpointKey: "name",
    schema: RecordSchema([
      "id": CommonFields.id,
      "created_at": CommonFields.createdAt,
      "updated_at": CommonFields.updatedAt,
      "name": .string.asRequired().asUnique(acrossWorkspaces: true)
        .checked(by: .custom("plugin_name", ValueChecks.unreservedPluginName)),
      "schema": .string.asRequired(),
      "handler": .string.asRequired(),
      "tags": CommonFields.tags,
    ]),
    requiredSetting: "custom_plugin_streaming_enabled")

  /// A further, independent instance of a bundled plugin under its own name. Source: Kong fact, plugin-entity §9.
  public static let clonedPlugins = EntityDefinition(
    name: "cloned_plugins", adminPath: "cloned-plugins", endpointKey: "name",
    schema: RecordSchema([
      "id": CommonFields.id,
      "created_at": CommonFields.createdAt,
      "updated_at": CommonFields.updatedAt,
      "name": .string.asRequired().asUnique(acrossWorkspaces: true)
        .checked(by: .custom("plugin_name", ValueChecks.unreservedPluginName)),
      "ref": .string.asRequired().checked(by: .oneOf(KongPlugins.cloneable.map(JSONValue.string))),
      "priority": .integer.checked(by: .between(-2_147_483_648, 2_147_483_647)),
      "tags": CommonFields.tags,
    ]),
    isWorkspaced: false)
}

extension ValueChecks {
  /// A name for a streamed or cloned plugin that no bundled plugin has.
  public static func unreservedPluginName(_ value: JSONValue) -> String? {
    if let violation = pluginName(value) { return violation }
    guard let text = value.string, KongPlugins.isReserved(text) else { return nil }
    return "the name '\(text)' belongs to a bundled plugin; choose another one"
  }
}
