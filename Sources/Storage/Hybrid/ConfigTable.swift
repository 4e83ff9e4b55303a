import EntityModel

/// The `config_table` of a control plane's message, its lists of entities in parts.
///
/// Tables of successive messages share the parts in which nothing changed; that a part is the same object says that its
/// entities are the same.
public struct ConfigTable: Sendable {
  /// What is no list of entities: `_format_version`, `_transform`, `workspaces`, and whatever has another form.
  public var members: [String: JSONValue]
  /// Lists of entities by collection, foreign fields as ids; none has a name that is in `members`.
  public var lists: [String: [TablePart]]

  public init(members: [String: JSONValue], lists: [String: [TablePart]]) {
    self.members = members
    self.lists = lists
  }

  /// - Parameter value: the whole table, an object.
  public init(_ value: JSONValue) {
    self.init(members: [:], lists: [:])
    for (name, member) in value.object ?? [:] { self[name] = member }
  }

  /// A member as plain JSON, made or read anew; nil where it is missing or cannot be read.
  public subscript(name: String) -> JSONValue? {
    get {
      guard let parts = lists[name] else { return members[name] }
      var rows: [JSONValue] = []
      for part in parts {
        guard let own = part.rows else { return nil }
        rows += own
      }
      return .array(rows)
    }
    set {
      members[name] = nil
      lists[name] = nil
      if !Self.isAround(name), let rows = newValue?.array, rows.allSatisfy({ $0.object != nil }) {
        lists[name] = TablePart.parts(of: rows)
      } else {
        members[name] = newValue
      }
    }
  }

  /// The whole table as plain JSON, made anew; nil where a part cannot be read.
  public var value: JSONValue? {
    var members = members
    for name in lists.keys {
      guard let list = self[name] else { return nil }
      members[name] = list
    }
    return .object(members)
  }

  /// Whether a member is about the table itself.
  static func isAround(_ name: String) -> Bool { name.hasPrefix("_") || name == "workspaces" }
}
