import Synchronization

/// Neighbouring entities of a list. Never changes, and is shared by all lists that have these entities.
public final class EntityPart: Sendable {
  public let rows: [EntityFields]
  let firstID: String
  let lastID: String
  /// Whether the ids grow from each entity to the next.
  let isInOrder: Bool
  private let knownNames = Mutex<Set<String>?>(nil)

  public init(_ rows: [EntityFields]) {
    self.rows = rows
    let ids = rows.map { $0["id"]?.string ?? "" }
    firstID = ids.first ?? ""
    lastID = ids.last ?? ""
    isInOrder = zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 }
  }

  /// The names of its entities; of plugin instances, those of their plugins. Found out when first asked for.
  public var names: Set<String> {
    knownNames.withLock { known in
      if let known { return known }
      let names = Set(rows.compactMap { $0["name"]?.string })
      known = names
      return names
    }
  }
}

extension [EntityFields] {
  /// Place of the first entity whose id is not less, in a list in the order of ids.
  func firstPlace(ofID id: String) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if let other = self[middle]["id"]?.string, other < id { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
