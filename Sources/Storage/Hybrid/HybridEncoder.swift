import EntityModel

/// Makes the payloads of successive snapshots; parts of lists in which nothing changed are neither made nor hashed
/// again, and are the same objects in both tables.
public struct HybridEncoder: Sendable {
  /// What a part of a snapshot's list becomes.
  private struct Made: Sendable {
    /// Keeps the part alive by whose identity it is known.
    let source: EntityPart
    let part: TablePart
  }

  /// By the identity of the parts.
  private var made: [ObjectIdentifier: Made] = [:]
  /// What is left of a part without the disabled entities.
  private struct Enabled: Sendable {
    let source: EntityPart
    let left: EntityPart
  }

  /// By collection and the identity of the parts.
  private var enabled: [String: [ObjectIdentifier: Enabled]] = [:]
  private var hasher = ConfigHasher()

  public init() {}

  public mutating func encode(_ snapshot: ConfigSnapshot) -> HybridPayload.Encoded {
    let entities = withoutDisabled(snapshot.entities)
    let (hash, parts) = hasher.hash(of: entities)
    var table = ConfigTable(
      members: [
        "_format_version": "3.0", "_transform": false, "workspaces": [.object(HybridPayload.defaultWorkspace)],
      ], lists: [:])
    var next: [ObjectIdentifier: Made] = [:]
    for kind in EntityCatalogue.all where kind.isExported {
      guard let list = entities[kind.name], !list.isEmpty else { continue }
      table.lists[kind.name] = list.parts.map { source in
        let key = ObjectIdentifier(source)
        let own = made[key] ?? Made(source: source, part: TablePart(source, of: kind))
        next[key] = own
        return own.part
      }
    }
    made = next
    return HybridPayload.Encoded(table: table, hash: hash, hashes: parts)
  }

  private mutating func withoutDisabled(_ entities: [String: EntityList]) -> [String: EntityList] {
    var entities = entities
    let droppedServices = dropDisabled("services", &entities)
    _ = dropDisabled("plugins", &entities)
    guard !droppedServices.isEmpty else { return entities }
    func drop(_ kind: String, _ isDropped: (EntityFields) -> Bool) -> Set<String> {
      guard let list = entities[kind] else { return [] }
      var dropped: Set<String> = []
      entities[kind] = EntityList(
        parts: list.parts.map { part in
          guard part.rows.contains(where: isDropped) else { return part }
          dropped.formUnion(part.rows.filter(isDropped).compactMap { $0["id"]?.string })
          return EntityPart(part.rows.filter { !isDropped($0) })
        })
      return dropped
    }
    func refers(_ row: EntityFields, _ field: String, to dropped: Set<String>) -> Bool {
      row[field]?["id"]?.string.map(dropped.contains) ?? false
    }
    let droppedRoutes = drop("routes") { refers($0, "service", to: droppedServices) }
    _ = drop("plugins") { refers($0, "service", to: droppedServices) || refers($0, "route", to: droppedRoutes) }
    return entities
  }

  /// Takes out what is disabled; looks only into parts that the last snapshot did not have.
  ///
  /// - Returns: the ids of what was taken out.
  private mutating func dropDisabled(_ kind: String, _ entities: inout [String: EntityList]) -> Set<String> {
    guard let list = entities[kind] else { return [] }
    func isDisabled(_ row: EntityFields) -> Bool { row["enabled"] == .bool(false) }
    let known = enabled[kind] ?? [:]
    var next: [ObjectIdentifier: Enabled] = [:]
    var dropped: Set<String> = []
    let parts = list.parts.map { part in
      let key = ObjectIdentifier(part)
      let hasDisabled = known[key] == nil && part.rows.contains(where: isDisabled)
      let own =
        known[key] ?? Enabled(source: part, left: hasDisabled ? EntityPart(part.rows.filter { !isDisabled($0) }) : part)
      if own.left !== part { dropped.formUnion(part.rows.filter(isDisabled).compactMap { $0["id"]?.string }) }
      next[key] = own
      return own.left
    }
    enabled[kind] = next
    entities[kind] = EntityList(parts: parts)
    return dropped
  }
}
