import EntityModel

/// The configuration in the form in which a control plane sends it. Source: Kong fact, hybrid §3.
public enum HybridPayload {
  /// What a control plane sends: the table and its hashes.
  public struct Encoded: Sendable {
    /// `config_table` of the `reconfigure` message.
    public var configTable: JSONValue
    /// `config_hash`.
    public var hash: String
    /// `hashes`: `config`, `routes`, `services`, `plugins`, `upstreams`, `targets`.
    public var hashes: [String: String]
  }

  /// The table of a snapshot: foreign fields as plain ids, the default workspace on every entity, and without what is
  /// disabled: plugins, services, and the routes and plugins of disabled services.
  ///
  /// The hash is that of what is sent; fitting the table to an older data plane afterwards does not change it.
  public static func encode(_ snapshot: ConfigSnapshot) -> Encoded {
    let entities = withoutDisabled(snapshot.entities)
    let (hash, parts) = ConfigHash.hash(of: entities)
    var table: [String: JSONValue] = [
      "_format_version": "3.0", "_transform": false, "workspaces": [.object(defaultWorkspace)],
    ]
    for kind in EntityCatalogue.all where kind.isExported {
      guard let rows = entities[kind.name], !rows.isEmpty else { continue }
      table[kind.name] = .array(
        rows.map { row in
          var row = flattened(row, of: kind)
          if kind.isWorkspaced { row["ws_id"] = .string(DeterministicID.defaultWorkspace) }
          return .object(row)
        })
    }
    return Encoded(configTable: .object(table), hash: hash, hashes: parts)
  }

  /// The entity with its foreign fields as id texts.
  static func flattened(_ row: EntityFields, of kind: EntityDefinition) -> EntityFields {
    var row = row
    for foreign in kind.foreignFields {
      if let id = row[foreign.name]?["id"] { row[foreign.name] = id }
    }
    return row
  }

  private static func withoutDisabled(_ entities: [String: [EntityFields]]) -> [String: [EntityFields]] {
    var entities = entities
    var droppedServices: Set<String> = []
    var droppedRoutes: Set<String> = []
    let isEnabled = { (row: EntityFields) in row["enabled"] != .bool(false) }
    entities["services"]?.removeAll { row in
      guard !isEnabled(row) else { return false }
      if let id = row["id"]?.string { droppedServices.insert(id) }
      return true
    }
    func refers(_ row: EntityFields, _ field: String, to dropped: Set<String>) -> Bool {
      row[field]?["id"]?.string.map(dropped.contains) ?? false
    }
    entities["routes"]?.removeAll { row in
      guard refers(row, "service", to: droppedServices) else { return false }
      if let id = row["id"]?.string { droppedRoutes.insert(id) }
      return true
    }
    entities["plugins"]?.removeAll { row in
      !isEnabled(row) || refers(row, "service", to: droppedServices) || refers(row, "route", to: droppedRoutes)
    }
    return entities
  }

  private static let defaultWorkspace: EntityFields = [
    "id": .string(DeterministicID.defaultWorkspace), "name": "default", "comment": .null,
    "config": .object([:]), "meta": .object([:]),
  ]
}
