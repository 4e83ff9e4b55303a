import EntityModel

/// Makes the payloads of successive snapshots; an entity that did not change is neither made nor hashed again, and its
/// object in the table shares the storage of the one before.
public struct HybridEncoder: Sendable {
  private struct List {
    var entities: [EntityFields]
    var objects: [JSONValue]
  }

  private var lists: [String: List] = [:]
  private var hasher = ConfigHasher()
  /// The last instances, if none of them was disabled.
  private var enabledPlugins: [EntityFields] = []

  public init() {}

  public mutating func encode(_ snapshot: ConfigSnapshot) -> HybridPayload.Encoded {
    let entities = withoutDisabled(snapshot.entities)
    let (hash, parts) = hasher.hash(of: entities)
    var table: [String: JSONValue] = [
      "_format_version": "3.0", "_transform": false, "workspaces": [.object(HybridPayload.defaultWorkspace)],
    ]
    lists = lists.filter { entities[$0.key]?.isEmpty == false }
    for kind in EntityCatalogue.all where kind.isExported {
      guard let rows = entities[kind.name], !rows.isEmpty else { continue }
      table[kind.name] = .array(objects(of: rows, kind))
    }
    return HybridPayload.Encoded(configTable: .object(table), hash: hash, hashes: parts)
  }

  private mutating func objects(of rows: [EntityFields], _ kind: EntityDefinition) -> [JSONValue] {
    let known = lists[kind.name]
    if let known, known.entities == rows { return known.objects }
    var objects: [JSONValue] = []
    objects.reserveCapacity(rows.count)
    ConfigSnapshot.walk(known?.entities ?? [], rows) { old, new, isSame in
      guard let new else { return }
      if isSame, let old, let known {
        objects.append(known.objects[old])
        return
      }
      var row = HybridPayload.flattened(rows[new], of: kind)
      if kind.isWorkspaced { row["ws_id"] = .string(DeterministicID.defaultWorkspace) }
      objects.append(.object(row))
    }
    lists[kind.name] = List(entities: rows, objects: objects)
    return objects
  }

  private mutating func withoutDisabled(_ entities: [String: [EntityFields]]) -> [String: [EntityFields]] {
    var entities = entities
    var droppedServices: Set<String> = []
    var droppedRoutes: Set<String> = []
    func drop(_ kind: String, _ isDropped: (EntityFields) -> Bool, _ note: (String) -> Void = { _ in }) {
      guard let rows = entities[kind], rows.contains(where: isDropped) else { return }
      for row in rows where isDropped(row) { if let id = row["id"]?.string { note(id) } }
      entities[kind] = rows.filter { !isDropped($0) }
    }
    func refers(_ row: EntityFields, _ field: String, to dropped: Set<String>) -> Bool {
      dropped.isEmpty ? false : row[field]?["id"]?.string.map(dropped.contains) ?? false
    }
    drop("services", { $0["enabled"] == .bool(false) }, { droppedServices.insert($0) })
    if !droppedServices.isEmpty {
      drop("routes", { refers($0, "service", to: droppedServices) }, { droppedRoutes.insert($0) })
    }
    if droppedServices.isEmpty, areEnabled(entities["plugins"] ?? []) { return entities }
    drop(
      "plugins",
      { row in
        row["enabled"] == .bool(false) || refers(row, "service", to: droppedServices)
          || refers(row, "route", to: droppedRoutes)
      })
    return entities
  }

  /// Whether no instance is disabled; looks at those that changed.
  private mutating func areEnabled(_ plugins: [EntityFields]) -> Bool {
    var areEnabled = true
    ConfigSnapshot.walk(enabledPlugins, plugins) { _, new, isSame in
      if !isSame, let new, plugins[new]["enabled"] == .bool(false) { areEnabled = false }
    }
    enabledPlugins = areEnabled ? plugins : []
    return areEnabled
  }
}
