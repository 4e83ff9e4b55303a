import EntityModel

/// The step from one table to the next, kind by kind, parents before what refers to them. What changed is validated and
/// held against the rest; anything unusual asks for loading the whole.
struct HybridStep {
  private struct Change {
    let kind: EntityDefinition
    /// The entity as it is now.
    let row: EntityFields
    /// Whether it has the keys that it had.
    let hasSameKeys: Bool
  }

  /// Beyond this many changed entities loading the whole is not slower.
  private static let mostChanges = 256

  private let known: HybridState
  private let definitions: PluginDefinitions
  private var lists: [String: [HybridState.Chunk]] = [:]
  private var entities: [String: EntityList] = [:]
  private var changed: [Change] = []
  private var removed: [(kind: EntityDefinition, id: String)] = []
  /// Names of plugins whose definition is another than before.
  private var changedDefinitions: Set<String> = []
  private var intake: EntityIntake?

  init(known: HybridState, definitions: PluginDefinitions) {
    self.known = known
    self.definitions = definitions
  }

  /// What the table leads to.
  func next(members: [String: JSONValue]) -> HybridState {
    HybridState(members: members, lists: lists, entities: entities)
  }

  /// Takes the list of one kind. False when it asks for loading the whole.
  mutating func take(_ kind: EntityDefinition, _ parts: [TablePart]) -> Bool {
    guard definitions.rules.allows(kind) || parts.allSatisfy({ $0.count == 0 }) else { return false }
    let before = known.lists[kind.name] ?? []
    let dependsOnDefinitions = kind.subschemaKey != nil && !changedDefinitions.isEmpty
    var old: [ObjectIdentifier: HybridState.Chunk] = [:]
    for chunk in before {
      if dependsOnDefinitions, !chunk.entities.names.isDisjoint(with: changedDefinitions) { continue }
      old[ObjectIdentifier(chunk.table)] = chunk
    }
    var kept: Set<ObjectIdentifier> = []
    for part in parts where old[ObjectIdentifier(part)] != nil { kept.insert(ObjectIdentifier(part)) }
    var difference = ListDifference(
      kind: kind, gone: before.filter { !kept.contains(ObjectIdentifier($0.table)) },
      changedDefinitions: dependsOnDefinitions ? changedDefinitions : [])
    var chunks: [HybridState.Chunk] = []
    chunks.reserveCapacity(parts.count)
    for part in parts {
      if let chunk = old[ObjectIdentifier(part)] {
        chunks.append(chunk)
      } else {
        guard let rows = read(part, kind, &difference) else { return false }
        chunks.append(HybridState.Chunk(table: part, entities: EntityPart(rows), facts: PartFacts(kind)))
      }
    }
    for row in difference.left.values {
      if let id = row["id"]?.string { removed.append((kind, id)) }
      if kind.isPluginDefinition, let name = row["name"]?.string { changedDefinitions.insert(name) }
    }
    let list = EntityList(parts: chunks.map(\.entities))
    guard list.isInOrder, removed.count <= Self.mostChanges else { return false }
    if parts.isEmpty && known.lists[kind.name] == nil { return true }
    lists[kind.name] = chunks
    if !list.isEmpty { entities[kind.name] = list }
    return true
  }

  /// The entities of a part that was not there before; nil when one is not good or too much changed.
  private mutating func read(
    _ part: TablePart, _ kind: EntityDefinition, _ difference: inout ListDifference
  ) -> [EntityFields]? {
    var rows: [EntityFields] = []
    rows.reserveCapacity(part.count)
    var reader: TablePart.Reader?
    for (place, digest) in part.digests.enumerated() {
      if let row = difference.same(digest) {
        rows.append(row)
        continue
      }
      if reader == nil { reader = part.reader() }
      guard changed.count < Self.mostChanges, let object = reader?.row(place), let row = validated(object, kind) else {
        return nil
      }
      let old = row["id"]?.string.flatMap { difference.take(id: $0) }
      if kind.isPluginDefinition {
        for row in [row, old ?? [:]] { if let name = row["name"]?.string { changedDefinitions.insert(name) } }
      }
      let hasSameKeys =
        old.map { old in
          (kind.uniqueFields + kind.compositeUnique).allSatisfy { (row[$0] ?? .null) == (old[$0] ?? .null) }
        } ?? false
      changed.append(Change(kind: kind, row: row, hasSameKeys: hasSameKeys))
      rows.append(row)
    }
    return rows.count == part.count ? rows : nil
  }

  /// As `DeclarativeAssembly` admits an entity; nil when it would not, or when it needs more than is done here.
  private mutating func validated(_ object: EntityFields, _ kind: EntityDefinition) -> EntityFields? {
    guard let given = object["id"]?.string, UUIDText.isUUID(given), given == given.lowercased() else { return nil }
    var input = object
    input["ws_id"] = nil
    input["_comment"] = nil
    input["_ignore"] = nil
    // Nested entities; a field of the kind's own may be called like a collection (`snis` of routes).
    for name in input.keys where EntityCatalogue[name] != nil {
      if kind.schema[name]?.isTransient != false { return nil }
    }
    for foreign in kind.foreignFields {
      guard let value = input[foreign.name], !value.isNull else { continue }
      guard let id = value.string ?? value["id"]?.string, entities[foreign.reference]?.entity(id: id) != nil else {
        return nil
      }
      input[foreign.name] = ["id": .string(id)]
    }
    let intake = currentIntake(for: kind)
    input = DeclarativeAssembly.droppingUnknownNulls(input, of: kind, catalogue: intake.validator.catalogue)
    guard var row = try? intake.inserting(input, of: kind) else { return nil }
    // What has outlived its `ttl` is left out when the whole is loaded. What did so since it came is as it was: who
    // uses it looks at the time, and the control plane takes it away.
    if intake.isOver(row, of: kind) { return nil }
    if let updated = input["updated_at"], updated.double != nil { row["updated_at"] = updated }
    for field in kind.transientFields { row[field] = nil }
    return row
  }

  private mutating func currentIntake(for kind: EntityDefinition) -> EntityIntake {
    // Definitions come before instances in the catalogue, so that those of the table are known by then.
    if let intake, kind.subschemaKey == nil { return intake }
    let made = EntityIntake(
      definitions: definitions,
      catalogue: definitions.catalogue(
        custom: entities[EntityDefinition.customPlugins.name] ?? EntityList(),
        cloned: entities[EntityDefinition.clonedPlugins.name] ?? EntityList()),
      acceptsExpiryTimes: true)
    intake = made
    return made
  }

  // MARK: Neighbours

  /// Whether the changed entities fit those around them.
  func isConsistent() -> Bool {
    changed.allSatisfy { ($0.hasSameKeys || isUnique($0.row, $0.kind)) && isGoodDefinition($0.row, $0.kind) }
      && removed.allSatisfy { !isReferredTo($0.id, $0.kind) }
  }

  private func isUnique(_ row: EntityFields, _ kind: EntityDefinition) -> Bool {
    let unique = UniqueKeys(kind)
    let keys = unique.keys(of: row)
    if keys.isEmpty { return true }
    return (lists[kind.name] ?? []).allSatisfy { chunk in
      !chunk.facts.mayHave(keys, chunk.entities)
        || chunk.entities.rows.allSatisfy { $0["id"] == row["id"] || !unique.collide(row, $0) }
    }
  }

  private func isGoodDefinition(_ row: EntityFields, _ kind: EntityDefinition) -> Bool {
    guard kind.isPluginDefinition, let name = row["name"]?.string else { return true }
    let other = kind.name == EntityDefinition.customPlugins.name ? EntityDefinition.clonedPlugins : .customPlugins
    let isTaken = (entities[other.name] ?? EntityList()).contains { $0["name"]?.string == name }
    guard definitions.nameViolation(name, isTakenByOtherKind: isTaken) == nil else { return false }
    guard kind.name == EntityDefinition.clonedPlugins.name, let ref = row["ref"]?.string else { return true }
    return definitions.referenceViolation(ref) == nil
      && (entities[kind.name] ?? EntityList()).count { $0["ref"]?.string == ref } <= KongPlugins.maximumClones
  }

  private func isReferredTo(_ id: String, _ kind: EntityDefinition) -> Bool {
    EntityCatalogue.referrers(to: kind.name).contains { referrer in
      (lists[referrer.definition.name] ?? []).contains { chunk in
        chunk.facts.mayRefer(to: id, chunk.entities)
          && chunk.entities.rows.contains { $0[referrer.field]?["id"]?.string == id }
      }
    }
  }
}

/// The entities of parts that a list does not have any more, until they are found in its new parts.
private struct ListDifference {
  /// Validated entities by id that were not found yet.
  private(set) var left: [String: EntityFields] = [:]
  private var ids: [ContentDigest: String] = [:]

  /// - Parameter changedDefinitions: plugins whose instances are never the same.
  init(kind: EntityDefinition, gone: [HybridState.Chunk], changedDefinitions: Set<String>) {
    for chunk in gone {
      for (row, digest) in zip(chunk.entities.rows, chunk.table.digests) {
        guard let id = row["id"]?.string else { continue }
        left[id] = row
        if !changedDefinitions.isEmpty, let key = kind.subschemaKey, let name = row[key]?.string,
          changedDefinitions.contains(name)
        {
          continue
        }
        ids[digest] = id
      }
    }
  }

  /// The entity that was made of what has this digest.
  mutating func same(_ digest: ContentDigest) -> EntityFields? { ids[digest].flatMap { take(id: $0) } }

  /// The entity as it was.
  mutating func take(id: String) -> EntityFields? { left.removeValue(forKey: id) }
}
