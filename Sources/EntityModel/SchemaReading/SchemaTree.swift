/// A Lua value as plain data: what the schema chunk of a streamed plugin returned, or what a typedef looks like to Lua.
///
/// Trees are made by `LuaRuntime`, which bounds their depth and size; functions appear only as their Lua line, so that
/// a schema can be read, stored and applied without Lua.
public indirect enum SchemaTree: Sendable, Hashable {
  case `nil`
  /// The null of Kong's JSON library, as in `eq = null` of the typedef `no_consumer`.
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case table([Entry])
  /// A function of the chunk and the line it begins at, if it is a Lua function.
  case function(line: Int?)
  /// The validator of a built-in typedef, by the name of its check.
  case validator(String)
  /// A value that is no data (a thread, say), by its Lua type.
  case opaque(String)

  public struct Entry: Sendable, Hashable {
    public var key: Key
    public var value: SchemaTree

    public init(_ key: Key, _ value: SchemaTree) {
      self.key = key
      self.value = value
    }
  }

  public enum Key: Sendable, Hashable {
    case index(Int)
    case name(String)
    /// A key that schemas have no use for, by its Lua type.
    case other(String)
  }
}

extension SchemaTree {
  /// A sequence table of the values, from index 1.
  public static func list(_ values: [SchemaTree]) -> SchemaTree {
    .table(values.enumerated().map { Entry(.index($0.offset + 1), $0.element) })
  }

  /// A table with names as keys, in the given order.
  public static func members(_ members: [(String, SchemaTree)]) -> SchemaTree {
    .table(members.map { Entry(.name($0.0), $0.1) })
  }

  /// The member of a table; nil for absent members and for values that are no table.
  public subscript(name: String) -> SchemaTree? {
    guard case .table(let entries) = self else { return nil }
    return entries.first { $0.key == .name(name) }?.value
  }

  /// The values of a table whose keys are exactly 1 to n, in order; nil for everything else.
  public var sequence: [SchemaTree]? {
    guard case .table(let entries) = self else { return nil }
    var values = [SchemaTree?](repeating: nil, count: entries.count)
    for entry in entries {
      guard case .index(let index) = entry.key, index >= 1, index <= values.count else { return nil }
      values[index - 1] = entry.value
    }
    return values.compactMap { $0 }
  }

  /// The members with names, sorted by name: Lua keeps no order for them.
  public var namedEntries: [(name: String, value: SchemaTree)] {
    guard case .table(let entries) = self else { return [] }
    return entries.compactMap { entry in
      if case .name(let name) = entry.key { (name, entry.value) } else { nil }
    }.sorted { $0.name < $1.name }
  }

  /// The name of the Lua type, with its article.
  public var typeDescription: String {
    switch self {
    case .nil: "nil"
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .table: "a table"
    case .function, .validator: "a function"
    case .opaque(let type): "a \(type)"
    }
  }

  var isTable: Bool { if case .table = self { true } else { false } }
  var string: String? { if case .string(let value) = self { value } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var number: Double? { if case .number(let value) = self { value } else { nil } }
  /// The value as a whole number, if it is one.
  var integer: Int? { number.flatMap { Int(exactly: $0) } }
}
