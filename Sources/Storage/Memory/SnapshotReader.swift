import EntityModel
import Synchronization

/// A snapshot read as a store. Its lists are in the order of ids; indexes of unique fields are made on first use.
struct SnapshotReader: StorageReader, Sendable {
  private(set) var snapshot: ConfigSnapshot
  private let indexes = UniqueIndexes()

  init(_ snapshot: ConfigSnapshot) { self.snapshot = snapshot }

  func numbered(_ number: UInt64) -> SnapshotReader {
    var copy = self
    copy.snapshot.number = number
    return copy
  }

  func row(id: String, of kind: EntityDefinition) -> EntityFields? {
    snapshot[kind.name].entity(id: id)
  }

  func rows(where fields: [String: String], of kind: EntityDefinition, limit: Int?) -> [EntityFields] {
    rows(RowQuery(limit: limit, fields: fields), of: kind)
  }

  func rows(_ query: RowQuery, of kind: EntityDefinition) -> [EntityFields] {
    let all = snapshot[kind.name]
    if query.fields.count == 1, let (field, value) = query.fields.first, kind.uniqueFields.contains(field) {
      guard let index = indexes.place(of: value, field, kind.name, in: all), matches(all[index], query) else {
        return []
      }
      return [all[index]]
    }
    var start = 0
    if let after = query.after {
      start = firstIndex(after: after, in: all)
    }
    var found: [EntityFields] = []
    for row in all[start...] where matches(row, query) {
      if let limit = query.limit, found.count >= limit { break }
      found.append(row)
    }
    return found
  }

  func id(ofKey row: EntityFields, of kind: EntityDefinition) -> String? {
    snapshot[kind.name].first { other in
      kind.compositeUnique.allSatisfy { (other[$0] ?? .null) == (row[$0] ?? .null) }
    }?["id"]?.string
  }

  func count(where fields: [String: String], of kind: EntityDefinition) -> Int {
    rows(RowQuery(fields: fields), of: kind).count
  }

  func tagRows(matching tag: String?, after: TagRow?, limit: Int) -> [TagRow] {
    var found: [TagRow] = []
    for collection in snapshot.entities.keys.sorted() {
      for row in snapshot[collection] {
        guard let id = row["id"]?.string else { continue }
        for name in (row["tags"]?.array ?? []).compactMap(\.string).sorted() where tag == nil || tag == name {
          if let after, (collection, id, name) <= (after.entityName, after.entityID, after.tag) { continue }
          if found.count >= limit { return found }
          found.append(TagRow(entityName: collection, entityID: id, tag: name))
        }
      }
    }
    return found
  }

  func revision(of part: RevisionPart) -> UInt64 { snapshot.number }

  func parameter(_ name: String) -> String? { nil }

  // MARK: Parts

  private func firstIndex(after id: String, in rows: EntityList) -> Int {
    var low = 0
    var high = rows.count
    while low < high {
      let middle = (low + high) / 2
      if let other = rows[middle]["id"]?.string, other > id { high = middle } else { low = middle + 1 }
    }
    return low
  }

  private func matches(_ row: EntityFields, _ query: RowQuery) -> Bool {
    if let after = query.after, let id = row["id"]?.string, id <= after { return false }
    for (field, value) in query.fields {
      guard let own = row[field]?.string ?? row[field]?["id"]?.string, own == value else { return false }
    }
    if let time = query.expiredBy, !Lifetime.isOver(row, at: Double(time)) { return false }
    return query.tags?.matches(row) ?? true
  }
}

/// Places of entities by the values of unique fields.
private final class UniqueIndexes: Sendable {
  private struct Field: Hashable {
    let collection: String
    let name: String
  }

  private let places = Mutex<[Field: [String: Int]]>([:])

  func place(of value: String, _ field: String, _ collection: String, in rows: EntityList) -> Int? {
    places.withLock { places in
      let key = Field(collection: collection, name: field)
      if let known = places[key] { return known[value] }
      var made: [String: Int] = [:]
      for (place, row) in rows.enumerated() { if let value = row[field]?.string { made[value] = place } }
      places[key] = made
      return made[value]
    }
  }
}
