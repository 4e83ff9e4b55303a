import EntityModel
import Synchronization

/// The entities of one configuration, to be looked up by the value of a field.
///
/// A table over a field of a collection is made when the field is first asked for. Safe to use from any thread.
public final class EntityIndex: Sendable {
  private let snapshot: ConfigSnapshot
  private let tables = Mutex<[String: [String: Int]]>([:])

  public init(_ snapshot: ConfigSnapshot) { self.snapshot = snapshot }

  /// The first entity of a collection whose field holds the text.
  public func entity(in collection: String, where field: String, is value: String) -> EntityFields? {
    let entities = snapshot[collection]
    let place = tables.withLock { tables in
      if let table = tables["\(collection).\(field)"] { return table[value] }
      var table: [String: Int] = [:]
      for (place, entity) in entities.enumerated() {
        if let text = entity[field]?.string, table[text] == nil { table[text] = place }
      }
      tables["\(collection).\(field)"] = table
      return table[value]
    }
    return place.map { entities[$0] }
  }

  /// The first entity of a collection that a test accepts; reads all of them.
  public func entity(in collection: String, where isMeant: (EntityFields) -> Bool) -> EntityFields? {
    snapshot[collection].first(where: isMeant)
  }
}
