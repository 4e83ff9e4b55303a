import EntityModel

/// The one way in for entities, whatever their source: the validator of the declarations, and the inspection of
/// streamed plugins that no declaration can say.
struct EntityIntake: Sendable {
  let validator: EntityValidator
  let definitions: PluginDefinitions

  /// - Parameter acceptsExpiryTimes: whether `ttl` may be a time of expiry, as in files.
  init(definitions: PluginDefinitions, catalogue: PluginCatalogue, acceptsExpiryTimes: Bool = false) {
    var validator = EntityValidator(catalogue: catalogue, now: definitions.rules.now)
    validator.conditionCheck = definitions.rules.checkCondition
    validator.acceptsExpiryTimes = acceptsExpiryTimes
    self.validator = validator
    self.definitions = definitions
  }

  /// A new entity, complete.
  func inserting(_ input: EntityFields, of kind: EntityDefinition) throws(SchemaViolations) -> EntityFields {
    try inspected(validator.validateInsert(input, of: kind), kind)
  }

  /// The stored entity with changes.
  func updating(
    _ current: EntityFields, with changes: EntityFields, of kind: EntityDefinition
  ) throws(SchemaViolations) -> EntityFields {
    try inspected(validator.validateUpdate(changes, to: current, of: kind), kind)
  }

  /// What takes the place of `current`.
  func replacing(
    _ current: EntityFields?, by input: EntityFields, id: String, of kind: EntityDefinition
  ) throws(SchemaViolations) -> EntityFields {
    try inspected(validator.validateUpsert(input, id: id, existing: current, of: kind), kind)
  }

  func presenting(_ row: EntityFields, of kind: EntityDefinition) -> EntityFields {
    validator.present(row, of: kind).object ?? row
  }

  /// Whether a stored entity has outlived its `ttl`.
  func isOver(_ row: EntityFields, of kind: EntityDefinition) -> Bool { validator.isOver(row, of: kind) }

  /// A name in a path must be one that the field could have. Source: Kong fact, admin-api §4, code 10.
  ///
  /// Names of definitions are not judged: one that belongs to a bundled plugin is merely not found.
  func check(_ key: EntityKey, of kind: EntityDefinition) throws(EntityError) {
    guard case .endpointKey(let value) = key, let field = kind.endpointKey, !kind.isPluginDefinition else { return }
    do {
      try validator.validateOnly([field: .string(value)], of: kind)
    } catch {
      if let reason = error.fields[field]?.string { throw .invalidUnique(field: field, reason: reason) }
    }
  }

  private func inspected(
    _ entity: EntityFields, _ kind: EntityDefinition
  ) throws(SchemaViolations) -> EntityFields {
    guard kind.name == EntityDefinition.customPlugins.name, let name = entity["name"]?.string,
      let schema = entity["schema"]?.string, let handler = entity["handler"]?.string
    else { return entity }
    guard let inspector = definitions.inspector else {
      throw SchemaViolations(fields: ["handler": "this node cannot load Lua, so it takes no streamed plugins"])
    }
    _ = try inspector.inspect(name: name, schema: schema, handler: handler)
    return entity
  }
}
