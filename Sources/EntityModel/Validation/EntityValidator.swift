/// Turns what a client sends into an entity fit for storing, or says everything that is wrong with it.
///
/// A value over one plugin catalogue; make a new one when the catalogue changes. Uniqueness and the existence of what
/// foreign fields point to are the store's to check. Source: Kong fact, schema-library §3 to §7, plugin-entity §1.
public struct EntityValidator: Sendable {
  public var catalogue: PluginCatalogue
  /// Checks the expression of a plugin's condition; returns what is wrong with it.
  public var conditionCheck: (@Sendable (String) -> String?)?
  /// Whether unknown fields that are null are overlooked; for data planes, whose control plane may know more fields.
  public var ignoresUnknownNulls = false
  /// Whether `ttl` may be a time of expiry (`Lifetime`); for files and control planes, not for clients.
  public var acceptsExpiryTimes = false

  let now: @Sendable () -> Double
  private let uuid: @Sendable () -> String

  /// - Parameters:
  ///   - now: seconds since the epoch, with fraction.
  ///   - uuid: a fresh id in Kong's text form.
  public init(
    catalogue: PluginCatalogue, now: @escaping @Sendable () -> Double,
    uuid: @escaping @Sendable () -> String = { UUIDText.random() }
  ) {
    self.catalogue = catalogue
    self.now = now
    self.uuid = uuid
  }

  /// A new entity: shorthands, generated values and defaults filled in, then everything checked.
  public func validateInsert(
    _ input: EntityFields, of definition: EntityDefinition
  ) throws(SchemaViolations) -> EntityFields {
    try complete(input, existing: nil, of: definition)
  }

  /// The stored entity with the changes of a PATCH, which must be good as a whole.
  public func validateUpdate(
    _ changes: EntityFields, to existing: EntityFields, of definition: EntityDefinition
  ) throws(SchemaViolations) -> EntityFields {
    let selector = definition.subschemaKey.flatMap { changes[$0] ?? existing[$0] }
    let schema = try effectiveSchema(of: definition, selector: selector)
    let filling = SchemaFilling(dropsUnknownNulls: ignoresUnknownNulls)
    let expanded = try filling.expandingShorthands(of: changes, by: schema)
    var existing = existing
    var expiry: JSONValue?
    if definition.expires, changes["ttl"] == nil {
      // The clock goes on.
      expiry = existing["ttl"] ?? .null
      existing["ttl"] = .null
    }
    var merged = filling.merging(expanded, over: existing, by: schema)
    merged["id"] = existing["id"]
    fillUpdateTimes(of: &merged, by: schema)
    merged = filling.filled(merged, by: schema, fillsMissing: false)
    var violations = SchemaValidation(isUpdate: true).violations(of: merged, by: schema)
    addImmutableViolations(of: merged, against: existing, by: schema, to: &violations)
    addConditionViolation(of: merged, in: definition, to: &violations)
    guard violations.isEmpty else { throw violations }
    var complete = filling.filled(merged, by: schema)
    let missing = SchemaValidation(checksEntities: false).violations(of: complete, by: schema)
    guard missing.isEmpty else { throw missing }
    startLifetime(of: &complete, definition, expiry: expiry)
    return definition.derivedFields?(complete) ?? complete
  }

  /// The entity that a PUT puts in place of the stored one or creates; it keeps its time of creation.
  public func validateUpsert(
    _ input: EntityFields, id: String, existing: EntityFields?, of definition: EntityDefinition
  ) throws(SchemaViolations) -> EntityFields {
    var input = input
    input["id"] = .string(id)
    if input["created_at"] ?? .null == .null, let created = existing?["created_at"] { input["created_at"] = created }
    return try complete(input, existing: existing, of: definition)
  }

  /// The check behind `POST /schemas/{entity}/validate`: as an insert, but nothing comes of it.
  public func validateOnly(_ input: EntityFields, of definition: EntityDefinition) throws(SchemaViolations) {
    _ = try validateInsert(input, of: definition)
  }

  /// The entity as the Admin API shows it: every field of the schema, null where unset.
  ///
  /// Transient fields appear when the entity has them; deprecated names appear with the value that replaced them; `ttl`
  /// is what remains of it.
  public func present(_ entity: EntityFields, of definition: EntityDefinition) -> JSONValue {
    let schema =
      (try? effectiveSchema(of: definition, selector: definition.subschemaKey.flatMap { entity[$0] }))
      ?? definition.schema
    var shown = SchemaPresentation().presented(entity, by: schema)
    if definition.expires { shown["ttl"] = remainingLifetime(of: entity) }
    return .object(shown)
  }

  // MARK: Steps

  private func complete(
    _ input: EntityFields, existing: EntityFields?, of definition: EntityDefinition
  ) throws(SchemaViolations) -> EntityFields {
    let schema = try effectiveSchema(of: definition, selector: definition.subschemaKey.flatMap { input[$0] })
    let filling = SchemaFilling(dropsUnknownNulls: ignoresUnknownNulls)
    var input = input
    let expiry = takeExpiry(from: &input, definition)
    var entity = try filling.expandingShorthands(of: input, by: schema)
    if let defaults = definition.dependentDefaults?(entity) {
      for (name, value) in defaults where entity[name] == nil { entity[name] = value }
    }
    fillGeneratedValues(of: &entity, by: schema)
    if let id = entity["id"]?.string, UUIDText.isUUID(id) { entity["id"] = .string(id.lowercased()) }
    entity = filling.filled(entity, by: schema)
    var violations = SchemaValidation().violations(of: entity, by: schema)
    if let existing { addImmutableViolations(of: entity, against: existing, by: schema, to: &violations) }
    addConditionViolation(of: entity, in: definition, to: &violations)
    guard violations.isEmpty else { throw violations }
    startLifetime(of: &entity, definition, expiry: expiry, created: input["created_at"])
    return definition.derivedFields?(entity) ?? entity
  }

  /// The schema of an entity; for plugins the one of the plugin that `selector` names laid over the common one.
  private func effectiveSchema(
    of definition: EntityDefinition, selector: JSONValue?
  ) throws(SchemaViolations) -> RecordSchema {
    guard let key = definition.subschemaKey else { return definition.schema }
    guard let selector, !selector.isNull else {
      throw SchemaViolations(fields: [key: "required field missing"])
    }
    guard let name = selector.string else { throw SchemaViolations(fields: [key: "expected a string"]) }
    guard let plugin = catalogue[name] else {
      throw SchemaViolations(fields: [
        key: .string("plugin '\(name)' not enabled; add it to the 'plugins' configuration property")
      ])
    }
    var schema = definition.schema
    for (index, field) in schema.fields.enumerated() {
      guard let own = plugin.schema[field.name] else { continue }
      schema.fields[index].schema = own
      if schema.fields[index].schema.onDelete == nil {
        schema.fields[index].schema.onDelete = field.schema.onDelete
      }
    }
    schema.entityChecks += plugin.schema.entityChecks
    schema.shorthandFields += plugin.schema.shorthandFields
    schema.transformations += plugin.schema.transformations
    return schema
  }

  private func fillGeneratedValues(of entity: inout EntityFields, by schema: RecordSchema) {
    for field in schema.fields {
      guard let auto = field.schema.auto else { continue }
      let given = entity[field.name]
      switch auto {
      case .uuid: if given == nil || given == .null { entity[field.name] = .string(uuid()) }
      case .randomString: if given == nil { entity[field.name] = .string(randomString()) }
      case .createdAt: if given == nil || given == .null { entity[field.name] = seconds }
      case .createdAtMilliseconds: if given == nil || given == .null { entity[field.name] = milliseconds }
      case .updatedAt: entity[field.name] = seconds
      case .updatedAtMilliseconds: entity[field.name] = milliseconds
      }
    }
    for field in schema.fields {
      guard case .record(let inner) = field.schema.kind, !field.schema.isAbstract, inner.hasGeneratedValues else {
        continue
      }
      switch entity[field.name] {
      case .object(var members):
        fillGeneratedValues(of: &members, by: inner)
        entity[field.name] = .object(members)
      case nil where field.schema.required && field.schema.defaultValue == nil:
        var members: EntityFields = [:]
        fillGeneratedValues(of: &members, by: inner)
        entity[field.name] = .object(members)
      default: break
      }
    }
  }

  private func fillUpdateTimes(of entity: inout EntityFields, by schema: RecordSchema) {
    for field in schema.fields {
      switch field.schema.auto {
      case .updatedAt: entity[field.name] = seconds
      case .updatedAtMilliseconds: entity[field.name] = milliseconds
      default: break
      }
      guard case .record(let inner) = field.schema.kind, inner.hasGeneratedValues,
        case .object(var members)? = entity[field.name]
      else { continue }
      fillUpdateTimes(of: &members, by: inner)
      entity[field.name] = .object(members)
    }
  }

  private var seconds: JSONValue { .integer(Int64(exactly: now().rounded(.down)) ?? 0) }

  private var milliseconds: JSONValue {
    let value = (now() * 1000).rounded() / 1000
    return value.isFinite ? .number(value) : .integer(0)
  }

  /// 32 characters, letters and digits, as Kong makes keys of credentials.
  private func randomString() -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    var generator = SystemRandomNumberGenerator()
    return String((0..<32).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] })
  }

  private func addImmutableViolations(
    of entity: EntityFields, against existing: EntityFields, by schema: RecordSchema,
    to violations: inout SchemaViolations
  ) {
    for field in schema.fields {
      if field.schema.isImmutable {
        if entity[field.name] ?? .null != existing[field.name] ?? .null {
          violations.fields[field.name] = "immutable field cannot be updated"
        }
      } else if case .record(let inner) = field.schema.kind, !field.schema.isAbstract,
        case .object(let members)? = entity[field.name], case .object(let old)? = existing[field.name]
      {
        var nested = SchemaViolations()
        addImmutableViolations(of: members, against: old, by: inner, to: &nested)
        for (name, message) in nested.fields {
          FieldPath("\(field.name).\(name)").insert(message, into: &violations.fields)
        }
      }
    }
  }

  private func addConditionViolation(
    of entity: EntityFields, in definition: EntityDefinition, to violations: inout SchemaViolations
  ) {
    guard definition.name == "plugins", violations.fields["condition"] == nil,
      let condition = entity["condition"]?.string, let name = entity["name"]?.string
    else { return }
    if catalogue[name]?.allowsCondition == false {
      violations.fields["condition"] = .string("plugin '\(name)' does not support conditions: value must be null")
    } else if let reason = conditionCheck?(condition) {
      violations.fields["condition"] = .string(reason)
    }
  }
}
