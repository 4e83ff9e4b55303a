import EntityModel

/// Reads the tables that a control plane sends one after the other; parts that did not change are not looked into,
/// entities that did not change are not validated again, and what is the same shares storage with the snapshot before.
///
/// The outcome is that of `DeclarativeLoader`: wherever a difference asks for more than looking at changed entities, or
/// one of them is not good, the whole table is loaded.
public struct HybridReceiver: Sendable {
  private let loader: DeclarativeLoader
  private var known: HybridState?
  /// Whether the last table was loaded whole.
  public private(set) var hasReadWhole = false

  public init(rules: StoreRules) { loader = DeclarativeLoader(rules: rules) }

  /// - Parameter hash: `config_hash` of the message.
  public mutating func load(configTable: JSONValue, hash: String) throws(DeclarativeError) -> ConfigSnapshot {
    guard case .object = configTable else { throw DeclarativeError(unreadable: "expected an object") }
    return try load(ConfigTable(configTable), hash: hash)
  }

  /// - Parameter hash: `config_hash` of the message.
  public mutating func load(_ table: ConfigTable, hash: String) throws(DeclarativeError) -> ConfigSnapshot {
    defer { for parts in table.lists.values { for part in parts { part.settle() } } }
    if let known, let next = Self.following(known, table, loader.definitions) {
      self.known = next
      hasReadWhole = false
      return next.snapshot(hash: hash)
    }
    guard let value = table.value else {
      throw DeclarativeError(unreadable: "a part of the configuration is not JSON")
    }
    let snapshot = try loader.load(configTable: value, hash: hash)
    known = HybridState(table, value, snapshot)
    hasReadWhole = true
    return known?.snapshot(hash: hash) ?? snapshot
  }

  /// What one table leads to after another; nil when the whole must be loaded.
  private static func following(
    _ known: HybridState, _ table: ConfigTable, _ definitions: PluginDefinitions
  ) -> HybridState? {
    guard known.members == table.members, table.members.keys.allSatisfy(ConfigTable.isAround) else { return nil }
    guard table.lists.keys.allSatisfy({ known.lists[$0] != nil || EntityCatalogue[$0]?.isExported == true }) else {
      return nil
    }
    var step = HybridStep(known: known, definitions: definitions)
    for kind in EntityCatalogue.all where kind.isExported {
      guard step.take(kind, table.lists[kind.name] ?? []) else { return nil }
    }
    return step.isConsistent() ? step.next(members: table.members) : nil
  }
}
