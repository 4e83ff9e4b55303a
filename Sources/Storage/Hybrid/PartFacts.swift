import EntityModel
import Synchronization

/// What the entities of one part are unique by and refer to, so that a part without the one looked for is passed over.
///
/// Made when first asked for, or ahead of that. Safe to use from any thread.
final class PartFacts: Sendable {
  private struct Known: Sendable {
    let keys: Set<Int>
    let references: Set<Int>
  }

  private let kind: EntityDefinition
  private let known = Mutex<Known?>(nil)

  init(_ kind: EntityDefinition) { self.kind = kind }

  /// Whether an entity of the part may have one of the keys.
  func mayHave(_ keys: Set<Int>, _ part: EntityPart) -> Bool { !facts(part).keys.isDisjoint(with: keys) }

  /// Whether an entity of the part may refer to an entity with this id.
  func mayRefer(to id: String, _ part: EntityPart) -> Bool { facts(part).references.contains(id.hashValue) }

  /// Makes what will be asked for.
  func prepare(_ part: EntityPart) {
    _ = facts(part)
    if kind.subschemaKey != nil { _ = part.names }
  }

  private func facts(_ part: EntityPart) -> Known {
    known.withLock { known in
      if let known { return known }
      let foreign = kind.foreignFields.map(\.name)
      let unique = UniqueKeys(kind)
      var keys: [Int] = []
      var references: [Int] = []
      for row in part.rows {
        unique.add(keysOf: row, to: &keys)
        for field in foreign { if let id = row[field]?["id"]?.string { references.append(id.hashValue) } }
      }
      let made = Known(keys: Set(keys), references: Set(references))
      known = made
      return made
    }
  }
}

/// The values by which entities of a kind are unique, besides their ids.
struct UniqueKeys {
  private let fields: [String]
  private let composite: [String]

  init(_ kind: EntityDefinition) {
    fields = kind.uniqueFields.filter { $0 != "id" }
    composite = kind.compositeUnique.count > 1 ? kind.compositeUnique : []
  }

  /// Hashes of the entity's keys.
  func keys(of row: EntityFields) -> Set<Int> {
    var keys: [Int] = []
    add(keysOf: row, to: &keys)
    return Set(keys)
  }

  func add(keysOf row: EntityFields, to keys: inout [Int]) {
    for field in fields {
      guard let value = row[field]?.string else { continue }
      var hasher = Hasher()
      hasher.combine(field)
      hasher.combine(value)
      keys.append(hasher.finalize())
    }
    if !composite.isEmpty {
      var hasher = Hasher()
      for field in composite {
        // Of a reference the id alone counts, which is all that it has.
        let value = row[field] ?? .null
        hasher.combine(value["id"] ?? value)
      }
      keys.append(hasher.finalize())
    }
  }

  /// Whether two entities share a key.
  func collide(_ left: EntityFields, _ right: EntityFields) -> Bool {
    fields.contains { left[$0]?.string != nil && left[$0] == right[$0] }
      || !composite.isEmpty && composite.allSatisfy { (left[$0] ?? .null) == (right[$0] ?? .null) }
  }
}
