import EntityModel

/// Gives the values of a form the types that the schema asks for.
///
/// What does not fit stays text, so that validation can say what is wrong with it. Source: Kong fact, admin-api §2.
struct FormInference {
  /// The schema of the whole body; nil for endpoints that have none.
  var schema: RecordSchema?
  /// The schema of the entity's abstract field (`config` of plugins).
  var abstractSchema: FieldSchema?

  func fields(of tree: FormTree) -> [String: JSONValue] {
    Dictionary(tree.children.map { ($0.key, value(of: $0.tree, field: $0.key, in: schema)) }) { _, last in last }
  }

  private func value(of tree: FormTree, field: String, in record: RecordSchema?) -> JSONValue {
    guard let record else { return untyped(tree) }
    if let schema = record[field] {
      return value(of: tree, as: schema.isAbstract ? abstractSchema : schema)
    }
    return value(of: tree, as: record.shorthandFields.first { $0.name == field }?.schema)
  }

  private func value(of tree: FormTree, as schema: FieldSchema?) -> JSONValue {
    guard let schema else { return untyped(tree) }
    if case .json(let value)? = tree.leaves.first { return value }
    switch schema.kind {
    case .array(let elements), .set(let elements):
      return list(tree, elements)
    case .map(_, let values):
      if let scalar = scalar(tree, { .string($0) }) { return scalar }
      return .object(members(tree) { _, part in value(of: part, as: values) })
    case .record(let record):
      if let scalar = scalar(tree, { .string($0) }) { return scalar }
      return .object(members(tree) { key, part in value(of: part, field: key, in: record) })
    case .string: return scalar(tree) { .string($0) } ?? untyped(tree)
    case .integer, .number: return scalar(tree) { Self.number($0) ?? .string($0) } ?? untyped(tree)
    case .boolean:
      return scalar(tree) { $0 == "true" ? true : $0 == "false" ? false : .string($0) } ?? untyped(tree)
    case .variant(let schema):
      if let scalar = scalar(tree, { .string($0) }) { return scalar }
      let name = tree.children.first { $0.key == schema.key }?.tree.leaves.first
      var record: RecordSchema?
      if case .text(let text)? = name { record = schema[text] }
      return .object(members(tree) { key, part in value(of: part, field: key, in: record) })
    case .foreign, .json: return untyped(tree)
    }
  }

  private func list(_ tree: FormTree, _ elements: FieldSchema) -> JSONValue {
    let numbered = tree.children.compactMap { child in Int(child.key).map { ($0, child.tree) } }
    guard numbered.count == tree.children.count else {
      return .object(members(tree) { _, part in untyped(part) })
    }
    if tree.leaves == [.text("")], numbered.isEmpty, tree.appended.isEmpty { return .null }
    let leaves = tree.leaves.map { leaf in value(of: FormTree(leaf), as: elements) }
    let parts = numbered.sorted { $0.0 < $1.0 }.map(\.1) + tree.appended
    return .array(leaves + parts.map { value(of: $0, as: elements) })
  }

  /// The one value of a name without parts; null for the empty text, nil if there are parts or several values.
  private func scalar(_ tree: FormTree, _ convert: (String) -> JSONValue) -> JSONValue? {
    guard tree.children.isEmpty, tree.appended.isEmpty, tree.leaves.count == 1 else { return nil }
    switch tree.leaves[0] {
    case .flag: return true
    case .json(let value): return value
    case .text(let text): return text.isEmpty ? .null : convert(text)
    }
  }

  private func untyped(_ tree: FormTree) -> JSONValue {
    if let scalar = scalar(tree, { .string($0) }) { return scalar }
    let isList = tree.children.allSatisfy { Int($0.key) != nil }
    if isList {
      let leaves = tree.leaves.map { untyped(FormTree($0)) }
      let numbered = tree.children.sorted { (Int($0.key) ?? 0) < (Int($1.key) ?? 0) }.map(\.tree)
      return .array(leaves + (numbered + tree.appended).map(untyped))
    }
    return .object(members(tree) { _, part in untyped(part) })
  }

  private func members(
    _ tree: FormTree, _ convert: (String, FormTree) -> JSONValue
  ) -> [String: JSONValue] {
    var members = Dictionary(tree.children.map { ($0.key, convert($0.key, $0.tree)) }) { _, last in last }
    for (index, part) in tree.appended.enumerated() {
      members[String(index + 1)] = convert(String(index + 1), part)
    }
    return members
  }

  /// A decimal number as Lua's `tonumber` reads it, nil for any other text.
  private static func number(_ text: String) -> JSONValue? {
    let trimmed = text.utf8.drop { $0 == 0x20 || $0 == 0x09 }
    guard trimmed.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }) else { return nil }
    let digits = String(decoding: trimmed, as: UTF8.self)
    if let whole = Int64(digits) { return .integer(whole) }
    guard let number = Double(digits), number.isFinite else { return nil }
    return .number(number)
  }
}
