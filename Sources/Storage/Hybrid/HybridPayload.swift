import EntityModel

/// The configuration in the form in which a control plane sends it. Source: Kong fact, hybrid §3.
public enum HybridPayload {
  /// What a control plane sends: the table and its hashes.
  public struct Encoded: Sendable {
    /// `config_table` of the `reconfigure` message.
    public var table: ConfigTable
    /// `config_hash`.
    public var hash: String
    /// `hashes`: `config`, `routes`, `services`, `plugins`, `upstreams`, `targets`.
    public var hashes: [String: String]

    /// The table as plain JSON, made anew.
    public var configTable: JSONValue { table.value ?? .null }
  }

  /// The table of a snapshot: foreign fields as plain ids, the default workspace on every entity, and without what is
  /// disabled: plugins, services, and the routes and plugins of disabled services.
  ///
  /// The hash is that of what is sent; fitting the table to an older data plane afterwards does not change it.
  public static func encode(_ snapshot: ConfigSnapshot) -> Encoded {
    var encoder = HybridEncoder()
    return encoder.encode(snapshot)
  }

  /// An entity as it is sent: its foreign fields as id texts, and with the default workspace.
  static func object(of row: EntityFields, _ kind: EntityDefinition) -> JSONValue {
    var row = flattened(row, of: kind)
    if kind.isWorkspaced { row["ws_id"] = .string(DeterministicID.defaultWorkspace) }
    return .object(row)
  }

  /// The entity with its foreign fields as id texts.
  static func flattened(_ row: EntityFields, of kind: EntityDefinition) -> EntityFields {
    var row = row
    for foreign in kind.foreignFields {
      if let id = row[foreign.name]?["id"] { row[foreign.name] = id }
    }
    return row
  }

  static let defaultWorkspace: EntityFields = [
    "id": .string(DeterministicID.defaultWorkspace), "name": "default", "comment": .null,
    "config": .object([:]), "meta": .object([:]),
  ]
}
