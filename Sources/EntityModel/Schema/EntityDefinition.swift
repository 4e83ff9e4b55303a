/// One kind of entity: the single declaration from which validation, storage, the Admin API, declarative files, the
/// hybrid payload and `/schemas` follow.
public struct EntityDefinition: Sendable {
  /// Name of the collection in files, in the store and in `/schemas`, for example `custom_plugins`.
  public var name: String
  /// First path segment of the Admin API, for example `custom-plugins`; nil for entities without endpoints of their
  /// own.
  public var adminPath: String?
  /// Path segment below a parent (`/consumers/{consumer}/acls`); nil for entities that are not reachable so.
  public var nestedAdminPath: String?
  /// Field by which an entity can be addressed besides its id, for example `name`.
  public var endpointKey: String?
  /// Field by which an entity can be addressed below its parent although it is no name of its own (`group` of acls).
  public var nestedKey: String?
  public var schema: RecordSchema
  /// Fields that together must be unique (Kong's cache key), for example name, route, service, consumer of a plugin.
  public var compositeUnique: [String]
  /// Field whose value selects the schema of the abstract field (`name` of plugins).
  public var subschemaKey: String?
  /// False for entities that never leave the control plane.
  public var isExported: Bool
  /// False for entities that exist once for all workspaces.
  public var isWorkspaced: Bool
  /// The setting that must be on for the entity to exist at all, by name.
  public var requiredSetting: String?
  /// Defaults that depend on other fields of the given entity; they take precedence over the fields' own.
  public var dependentDefaults: (@Sendable (EntityFields) -> EntityFields)?
  /// Sets fields that follow from others of a good entity (the digest of a certificate).
  public var derivedFields: (@Sendable (EntityFields) -> EntityFields)?

  public init(
    name: String, adminPath: String?, nestedAdminPath: String? = nil, endpointKey: String? = nil,
    nestedKey: String? = nil,
    schema: RecordSchema,
    compositeUnique: [String] = [], subschemaKey: String? = nil, isExported: Bool = true, isWorkspaced: Bool = true,
    requiredSetting: String? = nil, dependentDefaults: (@Sendable (EntityFields) -> EntityFields)? = nil,
    derivedFields: (@Sendable (EntityFields) -> EntityFields)? = nil
  ) {
    self.name = name
    self.adminPath = adminPath
    self.nestedAdminPath = nestedAdminPath ?? adminPath
    self.endpointKey = endpointKey
    self.nestedKey = nestedKey
    self.schema = schema
    self.compositeUnique = compositeUnique
    self.subschemaKey = subschemaKey
    self.isExported = isExported
    self.isWorkspaced = isWorkspaced
    self.requiredSetting = requiredSetting
    self.dependentDefaults = dependentDefaults
    self.derivedFields = derivedFields
  }

  /// Foreign fields in declaration order: name, collection they refer to, effect of deletion.
  public var foreignFields: [(name: String, reference: String, onDelete: FieldSchema.OnDelete)] {
    schema.fields.compactMap { field in
      guard case .foreign(let reference) = field.schema.kind else { return nil }
      return (field.name, reference, field.schema.onDelete ?? .restrict)
    }
  }

  /// Names of the fields that are unique by themselves.
  public var uniqueFields: [String] { schema.fields.filter(\.schema.isUnique).map(\.name) }

  /// Names of the fields that are accepted but not stored with the entity (`snis` of certificates).
  public var transientFields: [String] { schema.fields.filter(\.schema.isTransient).map(\.name) }

  /// Whether `/{adminPath}` exists by itself; targets, for example, are reachable only below their upstream.
  public var hasFlatPath: Bool { adminPath != nil }
}
