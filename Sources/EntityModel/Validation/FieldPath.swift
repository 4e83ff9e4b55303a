/// A dotted path to a field, from the root of a schema.
struct FieldPath {
  let names: [String]

  init(_ text: String) {
    names =
      text.utf8.contains(UInt8(ascii: ".")) || text.isEmpty ? text.split(separator: ".").map(String.init) : [text]
  }

  /// The value at the path: nil if it or a record above it is absent, null if a record above it is null.
  func value(in members: [String: JSONValue]) -> JSONValue? {
    var current: JSONValue = .object(members)
    for name in names {
      switch current {
      case .object(let members):
        guard let next = members[name] else { return nil }
        current = next
      case .null: return .null
      default: return nil
      }
    }
    return current
  }

  func schema(in record: RecordSchema) -> FieldSchema? {
    var record = record
    for (index, name) in names.enumerated() {
      guard let field = record[name] else { return nil }
      if index == names.count - 1 { return field }
      guard case .record(let next) = field.kind else { return nil }
      record = next
    }
    return nil
  }

  /// Whether the field or a record above it as a whole has a violation.
  func hasViolation(in violations: [String: JSONValue]) -> Bool {
    var current: JSONValue = .object(violations)
    for name in names {
      switch current {
      case .object(let members):
        guard let next = members[name] else { return false }
        current = next
      default: return true
      }
    }
    return true
  }

  /// Sets a value at the path, making objects on the way; where a violation of a whole record stands, it stays.
  func insert(_ value: JSONValue, into members: inout [String: JSONValue]) {
    insert(value, into: &members, names: names[...])
  }

  private func insert(_ value: JSONValue, into members: inout [String: JSONValue], names: ArraySlice<String>) {
    guard let name = names.first else { return }
    if names.count == 1 {
      members[name] = value
      return
    }
    switch members[name] {
    case nil:
      var inner: [String: JSONValue] = [:]
      insert(value, into: &inner, names: names.dropFirst())
      members[name] = .object(inner)
    case .object(var inner):
      insert(value, into: &inner, names: names.dropFirst())
      members[name] = .object(inner)
    default: break
    }
  }
}
