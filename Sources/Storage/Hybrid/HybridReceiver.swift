import EntityModel

/// Reads the tables that a control plane sends one after the other; entities that did not change are not validated
/// again, and share storage with those of the snapshot before.
///
/// The outcome is that of `DeclarativeLoader`: wherever a difference asks for more than looking at a few changed
/// entities, or one of them is not good, the whole table is loaded.
public struct HybridReceiver: Sendable {
  private struct Known: Sendable {
    var table: [String: JSONValue]
    /// In the order of ids, parallel to `objects`.
    var entities: [String: [EntityFields]]
    /// What the table had for each entity.
    var objects: [String: [EntityFields]]
  }

  /// Neighbours are searched entity by entity, so many changes are taken as a whole.
  private static let mostChanges = 32
  private let loader: DeclarativeLoader
  private var known: Known?
  /// Whether the last table was loaded whole.
  public private(set) var hasReadWhole = false

  public init(rules: StoreRules) { loader = DeclarativeLoader(rules: rules) }

  /// - Parameter hash: `config_hash` of the message.
  public mutating func load(configTable: JSONValue, hash: String) throws(DeclarativeError) -> ConfigSnapshot {
    guard case .object(let table) = configTable else { throw DeclarativeError(unreadable: "expected an object") }
    if let known, let next = Self.following(known, table, loader.definitions) {
      self.known = next
      hasReadWhole = false
      return ConfigSnapshot(entities: next.entities, hash: hash, number: 0)
    }
    let snapshot = try loader.load(configTable: configTable, hash: hash)
    known = Self.remember(table, snapshot)
    hasReadWhole = true
    return snapshot
  }

  /// Nil when the table's entities and those made of them cannot be paired.
  private static func remember(_ table: [String: JSONValue], _ snapshot: ConfigSnapshot) -> Known? {
    guard table["_format_version"] == "3.0" else { return nil }
    var objects: [String: [EntityFields]] = [:]
    for (name, value) in table where !name.hasPrefix("_") && name != "workspaces" {
      guard let list = value.array else { return nil }
      let rows = list.compactMap(\.object)
      guard rows.count == snapshot[name].count,
        zip(rows, snapshot[name]).allSatisfy({ $0["id"] == $1["id"] && $0["id"] != nil })
      else { return nil }
      objects[name] = rows
    }
    return Known(table: table, entities: snapshot.entities, objects: objects)
  }

  /// What one table leads to after another; nil when the whole must be loaded.
  private static func following(
    _ known: Known, _ table: [String: JSONValue], _ definitions: PluginDefinitions
  ) -> Known? {
    let around = { (table: [String: JSONValue]) in table.filter { $0.key.hasPrefix("_") || $0.key == "workspaces" } }
    guard around(known.table) == around(table) else { return nil }
    let unknown = table.keys.filter { $0 != "workspaces" && !$0.hasPrefix("_") && known.table[$0] == nil }
    guard unknown.allSatisfy({ EntityCatalogue[$0]?.isExported == true }) else { return nil }
    var step = Step(known: known, definitions: definitions, mostChanges: mostChanges)
    for kind in EntityCatalogue.all where kind.isExported {
      guard step.take(kind, table[kind.name]) else { return nil }
    }
    guard step.isConsistent() else { return nil }
    return Known(table: table, entities: step.entities, objects: step.objects)
  }

  /// One table after another, kind by kind, parents before what refers to them.
  private struct Step {
    let known: Known
    let definitions: PluginDefinitions
    let mostChanges: Int
    var entities: [String: [EntityFields]] = [:]
    var objects: [String: [EntityFields]] = [:]
    /// New and changed entities, as they are now.
    var changed: [(kind: EntityDefinition, row: EntityFields, hasSameKeys: Bool)] = []
    var removed: [(kind: EntityDefinition, id: String)] = []
    /// Names of plugins whose definition is another than before.
    var changedDefinitions: Set<String> = []
    private var intake: EntityIntake?

    init(known: Known, definitions: PluginDefinitions, mostChanges: Int) {
      self.known = known
      self.definitions = definitions
      self.mostChanges = mostChanges
    }

    /// False when the kind asks for loading the whole.
    mutating func take(_ kind: EntityDefinition, _ value: JSONValue?) -> Bool {
      guard let list = (value ?? .array([])).array else { return false }
      let before = known.objects[kind.name] ?? []
      guard definitions.rules.allows(kind) || list.isEmpty else { return false }
      if (known.table[kind.name]?.array ?? []) == list, kind.subschemaKey == nil || changedDefinitions.isEmpty {
        entities[kind.name] = known.entities[kind.name]
        objects[kind.name] = before
        return true
      }
      let rows = list.compactMap(\.object)
      guard rows.count == list.count else { return false }
      let valid = known.entities[kind.name] ?? []
      // Told once: asking each entity would copy this whole value for each.
      let mayDependOnChange = kind.subschemaKey != nil && !changedDefinitions.isEmpty
      var made: [EntityFields] = []
      made.reserveCapacity(rows.count)
      var isGood = true
      ConfigSnapshot.walk(before, rows) { old, new, isSame in
        guard isGood else { return }
        guard let new else {
          if let id = old.flatMap({ before[$0]["id"]?.string }) { removed.append((kind, id)) }
          if kind.isPluginDefinition, let name = old.flatMap({ before[$0]["name"]?.string }) {
            changedDefinitions.insert(name)
          }
          isGood = removed.count <= mostChanges
          return
        }
        if isSame, let old, !mayDependOnChange || !dependsOnChange(rows[new], kind) {
          made.append(valid[old])
          return
        }
        guard changed.count < mostChanges, isInOrder(new, rows), let row = validated(rows[new], kind) else {
          isGood = false
          return
        }
        if kind.isPluginDefinition {
          for row in [row, old.map { valid[$0] } ?? [:]] {
            if let name = row["name"]?.string { changedDefinitions.insert(name) }
          }
        }
        changed.append((kind, row, old.map { hasSameKeys(row, valid[$0], kind) } ?? false))
        made.append(row)
      }
      guard isGood else { return false }
      if !made.isEmpty {
        entities[kind.name] = made
        objects[kind.name] = rows
      }
      return true
    }

    private func dependsOnChange(_ row: EntityFields, _ kind: EntityDefinition) -> Bool {
      guard !changedDefinitions.isEmpty, let key = kind.subschemaKey, let name = row[key]?.string else { return false }
      return changedDefinitions.contains(name)
    }

    /// Whether the ids are in order around a place; entities that did not change are in order among themselves.
    private func isInOrder(_ place: Int, _ rows: [EntityFields]) -> Bool {
      guard let id = rows[place]["id"]?.string else { return false }
      if place > 0, (rows[place - 1]["id"]?.string ?? "") >= id { return false }
      guard place + 1 < rows.count, let next = rows[place + 1]["id"]?.string else { return place + 1 == rows.count }
      return id < next
    }

    private func hasSameKeys(_ row: EntityFields, _ before: EntityFields, _ kind: EntityDefinition) -> Bool {
      (kind.uniqueFields + kind.compositeUnique).allSatisfy { (row[$0] ?? .null) == (before[$0] ?? .null) }
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
        guard let id = value.string ?? value["id"]?.string, isPresent(id, foreign.reference) else { return nil }
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

    private func isPresent(_ id: String, _ collection: String) -> Bool {
      guard let rows = entities[collection] else { return false }
      let place = rows.firstPlace(ofID: id)
      return place < rows.count && rows[place]["id"]?.string == id
    }

    private mutating func currentIntake(for kind: EntityDefinition) -> EntityIntake {
      // Definitions come before instances in the catalogue, so that those of the table are known by then.
      if let intake, kind.subschemaKey == nil { return intake }
      let made = EntityIntake(
        definitions: definitions,
        catalogue: definitions.catalogue(
          custom: entities[EntityDefinition.customPlugins.name] ?? [],
          cloned: entities[EntityDefinition.clonedPlugins.name] ?? []),
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
      let fields = kind.uniqueFields.filter { $0 != "id" && row[$0]?.string != nil }
      let composite = kind.compositeUnique.count > 1 ? kind.compositeUnique : []
      if fields.isEmpty && composite.isEmpty { return true }
      return (entities[kind.name] ?? []).allSatisfy { other in
        if fields.contains(where: { other[$0] == row[$0] }) || isSameKey(other, row, composite) {
          return other["id"] == row["id"]
        }
        return true
      }
    }

    private func isSameKey(_ left: EntityFields, _ right: EntityFields, _ fields: [String]) -> Bool {
      !fields.isEmpty && fields.allSatisfy { (left[$0] ?? .null) == (right[$0] ?? .null) }
    }

    private func isGoodDefinition(_ row: EntityFields, _ kind: EntityDefinition) -> Bool {
      guard kind.isPluginDefinition, let name = row["name"]?.string else { return true }
      let other = kind.name == EntityDefinition.customPlugins.name ? EntityDefinition.clonedPlugins : .customPlugins
      let isTaken = (entities[other.name] ?? []).contains { $0["name"]?.string == name }
      guard definitions.nameViolation(name, isTakenByOtherKind: isTaken) == nil else { return false }
      guard kind.name == EntityDefinition.clonedPlugins.name, let ref = row["ref"]?.string else { return true }
      return definitions.referenceViolation(ref) == nil
        && (entities[kind.name] ?? []).count { $0["ref"]?.string == ref } <= KongPlugins.maximumClones
    }

    private func isReferredTo(_ id: String, _ kind: EntityDefinition) -> Bool {
      EntityCatalogue.referrers(to: kind.name).contains { referrer in
        (entities[referrer.definition.name] ?? []).contains { $0[referrer.field]?["id"]?.string == id }
      }
    }
  }
}
