/// One stored or declared thing: its fields, complete and validated.
///
/// Foreign fields hold `{"id": …}`. Unset optional fields hold null.
public typealias EntityFields = [String: JSONValue]

/// A whole configuration as plain values: what every source (store, file, control plane) ends in.
public struct ConfigSnapshot: Sendable, Hashable {
  /// Entities by collection, each list in the order of primary keys.
  public var entities: [String: EntityList]
  /// 32 lower-case hexadecimal digits over the content; all zeros for no configuration.
  public var hash: String
  /// Grows by one with each snapshot of a process.
  public var number: UInt64

  public init(lists: [String: EntityList], hash: String, number: UInt64) {
    entities = lists
    self.hash = hash
    self.number = number
  }

  public init(entities: [String: [EntityFields]], hash: String, number: UInt64) {
    self.init(lists: entities.mapValues { EntityList($0) }, hash: hash, number: number)
  }

  /// The hash of a node that has no configuration.
  public static let emptyHash = String(repeating: "0", count: 32)

  public static let empty = ConfigSnapshot(lists: [:], hash: emptyHash, number: 0)

  public subscript(collection: String) -> EntityList { entities[collection] ?? EntityList() }
}
