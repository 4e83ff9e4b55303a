import EntityModel

/// A table as it was received, with the entities that were made of it, part by part.
struct HybridState: Sendable {
  /// A part of a table's list and the entities that were made of it, in the same order.
  struct Chunk: Sendable {
    let table: TablePart
    let entities: EntityPart
    let facts: PartFacts
  }

  /// The table's members that are no lists of entities.
  let members: [String: JSONValue]
  var lists: [String: [Chunk]]
  /// What the chunks have, by collection; none is empty.
  let entities: [String: EntityList]

  init(members: [String: JSONValue], lists: [String: [Chunk]], entities: [String: EntityList]) {
    self.members = members
    self.lists = lists
    self.entities = entities
  }

  /// Nil when the table's entities and those made of them cannot be paired.
  ///
  /// - Parameter value: the table as plain JSON.
  init?(_ table: ConfigTable, _ value: JSONValue, _ snapshot: ConfigSnapshot) {
    guard table.members["_format_version"] == "3.0", table.members.keys.allSatisfy(ConfigTable.isAround),
      snapshot.entities.keys.allSatisfy({ table.lists[$0] != nil })
    else { return nil }
    var lists: [String: [Chunk]] = [:]
    var entities: [String: EntityList] = [:]
    for (name, parts) in table.lists {
      guard let kind = EntityCatalogue[name] else { return nil }
      let rows = Array(snapshot[name])
      let sent = value[name]?.array ?? []
      guard sent.count == rows.count, parts.reduce(0, { $0 + $1.count }) == rows.count,
        zip(sent, rows).allSatisfy({ $0["id"] == $1["id"] && $0["id"] != nil })
      else { return nil }
      var place = 0
      let chunks = parts.map { part in
        defer { place += part.count }
        let entities = EntityPart(Array(rows[place..<place + part.count]))
        let chunk = Chunk(table: part, entities: entities, facts: PartFacts(kind))
        // While the whole is read anyway, so that the first change after it is as quick as the others.
        chunk.facts.prepare(entities)
        return chunk
      }
      lists[name] = chunks
      if !rows.isEmpty { entities[name] = EntityList(parts: chunks.map(\.entities)) }
    }
    self.init(members: table.members, lists: lists, entities: entities)
  }

  func snapshot(hash: String) -> ConfigSnapshot { ConfigSnapshot(lists: entities, hash: hash, number: 0) }
}
