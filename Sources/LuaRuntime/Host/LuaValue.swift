import CLuaBridge
import EntityModel

/// A Lua value copied out of a state: an argument table of a plugin API call, or a value to hand back.
enum LuaValue: Sendable {
  case `nil`
  case null
  case boolean(Bool)
  case number(Double)
  case string([UInt8])
  /// Keys and values in Lua's order.
  case table([LuaItem], isArray: Bool)
  /// A function, coroutine or userdata, with the name of its type.
  case other(String)

  /// Lua's name of the type.
  var typeName: String {
    switch self {
    case .nil: "nil"
    case .null: "userdata"
    case .boolean: "boolean"
    case .number: "number"
    case .string: "string"
    case .table: "table"
    case .other(let name): name
    }
  }

  var text: String? { if case .string(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil } }

  /// The value with this key of a table.
  subscript(key: String) -> LuaValue {
    guard case .table(let items, _) = self else { return .nil }
    let bytes = Array(key.utf8)
    for item in items {
      if case .string(let name) = item.key, name == bytes { return item.value }
    }
    return .nil
  }

  /// The values at 1, 2, 3 … of a table, up to the first hole.
  var list: [LuaValue] {
    guard case .table(let items, _) = self else { return [] }
    var byIndex: [Int: LuaValue] = [:]
    for item in items {
      if case .number(let number) = item.key, let index = Int(exactly: number) { byIndex[index] = item.value }
    }
    var values: [LuaValue] = []
    while let value = byIndex[values.count + 1] { values.append(value) }
    return values
  }

  /// `tostring` of a string, number or boolean.
  var scalarBytes: [UInt8]? {
    switch self {
    case .string(let bytes): bytes
    case .number(let number): Array(luaText(of: number).utf8)
    case .boolean(let value): Array((value ? "true" : "false").utf8)
    default: nil
    }
  }

  /// The value as JSON: a table with items 1…n only is an array. Nil for functions and tables with other keys.
  var json: JSONValue? {
    switch self {
    case .nil, .null: return .null
    case .boolean(let value): return .bool(value)
    case .number(let number):
      if let whole = Int64(exactly: number) { return .integer(whole) }
      return number.isFinite ? .number(number) : nil
    case .string(let bytes): return .string(String(decoding: bytes, as: UTF8.self))
    case .table(let items, let isArray):
      let list = list
      if list.count == items.count, isArray || !items.isEmpty {
        var elements: [JSONValue] = []
        for element in list {
          guard let json = element.json else { return nil }
          elements.append(json)
        }
        return .array(elements)
      }
      var members: [String: JSONValue] = [:]
      for item in items {
        guard let key = item.key.scalarBytes, let json = item.value.json else { return nil }
        members[String(decoding: key, as: UTF8.self)] = json
      }
      return .object(members)
    case .other: return nil
    }
  }

  /// Reads the value at `place` of a tree and leaves `place` behind it.
  init(_ nodes: UnsafePointer<slu_value>, _ place: inout Int) {
    let node = nodes[place]
    place += 1
    switch Int(node.kind) {
    case SLU_FALSE: self = .boolean(false)
    case SLU_TRUE: self = .boolean(true)
    case SLU_NUMBER: self = .number(node.number)
    case SLU_STRING: self = .string([UInt8](UnsafeRawBufferPointer(start: node.bytes, count: node.length)))
    case SLU_NULL: self = .null
    case SLU_OTHER:
      self = .other(String(decoding: UnsafeRawBufferPointer(start: node.bytes, count: node.length), as: UTF8.self))
    case SLU_TABLE:
      var items: [LuaItem] = []
      items.reserveCapacity(Int(node.count))
      for _ in 0..<node.count {
        let key = LuaValue(nodes, &place)
        items.append(LuaItem(key: key, value: LuaValue(nodes, &place)))
      }
      self = .table(items, isArray: Int(node.flags) & SLU_FLAG_ARRAY_METATABLE != 0)
    default: self = .nil
    }
  }
}

/// A key and its value in a table.
struct LuaItem: Sendable {
  let key: LuaValue
  let value: LuaValue
}

/// A number as Lua's `tostring` writes it.
func luaText(of number: Double) -> String {
  if let whole = Int64(exactly: number), whole.magnitude < 100_000_000_000_000 { return String(whole) }
  return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
    let count = slu_number_text(number, text.baseAddress!)
    return String(decoding: UnsafeRawBufferPointer(text)[0..<Int(count)], as: UTF8.self)
  }
}
