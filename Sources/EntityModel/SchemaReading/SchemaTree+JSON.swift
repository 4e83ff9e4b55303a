extension SchemaTree {
  /// The value as JSON by its own shape: a sequence becomes an array, any other table an object; nil for functions and
  /// other values that are no data, and for numbers that JSON cannot hold.
  ///
  /// An empty table is an array unless `emptyIsObject`.
  func json(emptyIsObject: Bool = false) -> JSONValue? {
    switch self {
    case .nil, .null: return .null
    case .bool(let value): return .bool(value)
    case .number(let value): return JSONValue(luaNumber: value)
    case .string(let value): return .string(value)
    case .function, .validator, .opaque: return nil
    case .table(let entries):
      if entries.isEmpty { return emptyIsObject ? .object([:]) : .array([]) }
      if let values = sequence {
        var elements: [JSONValue] = []
        for value in values {
          guard let element = value.json(emptyIsObject: emptyIsObject) else { return nil }
          elements.append(element)
        }
        return .array(elements)
      }
      var members: [String: JSONValue] = [:]
      for entry in entries {
        guard let name = entry.key.memberName, let member = entry.value.json(emptyIsObject: emptyIsObject) else {
          return nil
        }
        members[name] = member
      }
      return .object(members)
    }
  }
}

extension SchemaTree.Key {
  /// The key as the name of a JSON member.
  var memberName: String? {
    switch self {
    case .index(let index): String(index)
    case .name(let name): name
    case .other: nil
    }
  }
}

extension JSONValue {
  /// A Lua number; nil for those that JSON cannot hold.
  init?(luaNumber: Double) {
    if let whole = Int64(exactly: luaNumber) {
      self = .integer(whole)
    } else if luaNumber.isFinite {
      self = .number(luaNumber)
    } else {
      return nil
    }
  }
}
