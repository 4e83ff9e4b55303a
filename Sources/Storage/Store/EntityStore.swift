import EntityModel

/// Entities in a database: validation, references, uniqueness and the rules between entities, over any backend.
///
/// Safe to use from any task. Each write validates, checks and stores within one transaction, so that what it checked
/// is still true when it commits.
public final class EntityStore: EntityRepository {
  public let changes = ChangeFeed()
  public var isWritable: Bool { true }

  let backend: any StorageBackend
  let rules: StoreRules
  let definitions: PluginDefinitions
  let keeper: SnapshotKeeper

  public init(backend: any StorageBackend, rules: StoreRules) {
    self.backend = backend
    self.rules = rules
    definitions = PluginDefinitions(rules: rules)
    keeper = SnapshotKeeper(kinds: Self.kinds.filter { $0.isExported && rules.allows($0) })
  }

  /// Every kind that a store keeps.
  public static let kinds = EntityCatalogue.all

  // MARK: Reading

  public func select(_ key: EntityKey, from kind: EntityDefinition) async throws(EntityError) -> EntityFields? {
    guard rules.allows(kind) else { return nil }
    return try await backend.read { [self] reader throws(EntityError) in
      let intake = try intake(in: reader)
      try intake.check(key, of: kind)
      guard let row = try reader.row(key, of: kind), !intake.isOver(row, of: kind) else { return nil }
      return try reader.presented(row, of: kind, intake)
    }
  }

  public func page(_ request: PageRequest, of kind: EntityDefinition) async throws(EntityError) -> EntityPage {
    guard rules.allows(kind) else { return EntityPage(entities: []) }
    return try await backend.read { [self] reader throws(EntityError) in
      try reader.presented(try reader.page(request, of: kind), of: kind, try intake(in: reader))
    }
  }

  public func page(
    _ request: PageRequest, of kind: EntityDefinition, linkedBy link: EntityDefinition
  ) async throws(EntityError) -> EntityPage {
    try await backend.read { [self] reader throws(EntityError) in
      try reader.presented(try reader.page(request, of: kind, linkedBy: link), of: kind, try intake(in: reader))
    }
  }

  public func tags(_ request: PageRequest, matching tag: String?) async throws(EntityError) -> EntityPage {
    try await backend.read { reader throws(EntityError) in try reader.tagPage(request, matching: tag) }
  }

  public func validate(_ input: EntityFields, as kind: EntityDefinition) async throws(EntityError) {
    try requireAvailable(kind)
    let intake = EntityIntake(definitions: definitions, catalogue: await pluginCatalogue)
    do {
      _ = try intake.inserting(input, of: kind)
    } catch {
      throw .schemaViolation(error)
    }
  }

  public var pluginCatalogue: PluginCatalogue {
    get async {
      let definitions = definitions
      let current = try? await backend.read { reader throws(EntityError) in try definitions.catalogue(in: reader) }
      return current ?? definitions.lastKnown
    }
  }

  /// One consistent view of everything that is exported. Its number is that of the last write that it holds, so equal
  /// configurations have equal numbers and a later one never has a smaller number, also after a restart.
  public func snapshot() async throws(EntityError) -> ConfigSnapshot {
    let keeper = keeper
    return try await backend.read { reader throws(EntityError) in try keeper.snapshot(reader) }
  }

  /// The id of the cluster that this store belongs to, made on the first call.
  public func clusterID() async throws(EntityError) -> String {
    try await backend.write { transaction throws(EntityError) in
      if let id = try transaction.parameter("cluster_id") { return id }
      let id = UUIDText.random()
      try transaction.setParameter("cluster_id", to: id)
      return id
    }
  }

  // MARK: Parts

  func intake(in reader: some StorageReader) throws(EntityError) -> EntityIntake {
    EntityIntake(definitions: definitions, catalogue: try definitions.catalogue(in: reader))
  }

  func requireAvailable(_ kind: EntityDefinition) throws(EntityError) {
    guard rules.allows(kind) else {
      throw EntityError(
        code: .operationUnsupported,
        message: "'\(kind.name)' entities need the setting \(kind.requiredSetting ?? "") to be on")
    }
  }
}

extension StoreRules {
  /// Whether entities of the kind exist on this node at all.
  func allows(_ kind: EntityDefinition) -> Bool {
    switch kind.requiredSetting {
    case nil: true
    case "custom_plugin_streaming_enabled": isStreamingEnabled
    default: false
    }
  }
}
