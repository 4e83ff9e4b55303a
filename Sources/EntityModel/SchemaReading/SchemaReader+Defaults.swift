extension SchemaReader {
  /// Reads a default and holds it against the field's type and checks.
  mutating func readDefault(_ tree: SchemaTree, into field: inout FieldSchema, at path: String) {
    if case .null = tree {
      field.defaultValue = .null
      return
    }
    guard let value = convert(tree, to: field, at: path) else { return }
    field.defaultValue = value
    // What a record's default leaves out gets its own default, so only what is there is judged.
    let validation = SchemaValidation(isUpdate: true, checksEntities: false)
    if let violation = validation.violation(of: value, by: field) { report(violation, at: path) }
  }

  private mutating func report(_ violation: JSONValue, at path: String) {
    switch violation {
    case .string(let message): self.report(path, message)
    case .array(let elements):
      for (index, element) in elements.enumerated() where !element.isNull {
        report(element, at: "\(path).\(index + 1)")
      }
    case .object(let members):
      for (name, member) in members.sorted(by: { $0.key < $1.key }) { report(member, at: "\(path).\(name)") }
    case .null, .bool, .integer, .number: break
    }
  }

  /// The Lua value as JSON of the field's kind, by which `{}` becomes an array or an object; reports a value of
  /// another type and returns nil.
  mutating func convert(_ tree: SchemaTree, to field: FieldSchema, at path: String) -> JSONValue? {
    switch field.kind {
    case .string:
      if case .string(let text) = tree { return .string(text) }
      report(path, "expected a string")
    case .boolean:
      if case .bool(let value) = tree { return .bool(value) }
      report(path, "expected a boolean")
    case .number:
      if case .number(let number) = tree, let value = JSONValue(luaNumber: number) { return value }
      report(path, "expected a number")
    case .integer:
      if case .number(let number) = tree, let value = Int64(exactly: number) { return .integer(value) }
      report(path, "expected an integer")
    case .array(let elements): return convertList(tree, elements, isSet: false, at: path)
    case .set(let elements): return convertList(tree, elements, isSet: true, at: path)
    case .map(let keys, let values): return convertMap(tree, keys: keys, values: values, at: path)
    case .record(let record): return convertRecord(tree, record, at: path)
    case .foreign:
      if case .string(let id)? = tree["id"] { return .object(["id": .string(id)]) }
      report(path, "expected a record with the field 'id'")
    case .json, .variant:
      if let value = plainData(tree, by: field) { return value }
      report(path, "expected plain data")
    }
    return nil
  }

  /// The value as JSON; where empty tables may be lists or objects, whichever the field's JSON schema takes.
  private func plainData(_ tree: SchemaTree, by field: FieldSchema) -> JSONValue? {
    guard let value = tree.json(), let other = tree.json(emptyIsObject: true), other != value else {
      return tree.json()
    }
    for check in field.checks {
      if case .jsonSchema(let schema) = check, schema.violation(of: value) != nil, schema.violation(of: other) == nil {
        return other
      }
    }
    return value
  }

  private mutating func convertList(
    _ tree: SchemaTree, _ elements: FieldSchema, isSet: Bool, at path: String
  ) -> JSONValue? {
    guard let items = tree.sequence else {
      report(path, isSet ? "expected a set" : "expected an array")
      return nil
    }
    var values: [JSONValue] = []
    var seen: Set<JSONValue> = []
    for (index, item) in items.enumerated() {
      guard let value = convert(item, to: elements, at: "\(path).\(index + 1)") else { return nil }
      if isSet, !seen.insert(value).inserted { continue }
      values.append(value)
    }
    return .array(values)
  }

  private mutating func convertMap(
    _ tree: SchemaTree, keys: FieldSchema, values: FieldSchema, at path: String
  ) -> JSONValue? {
    guard case .table(let entries) = tree else {
      report(path, "expected a map")
      return nil
    }
    var members: [String: JSONValue] = [:]
    for entry in entries {
      guard let name = entry.key.memberName else {
        report(path, "the keys of a map must be strings or numbers")
        return nil
      }
      if case .string = keys.kind, case .index = entry.key {
        report(path, "expected a string")
        return nil
      }
      guard let value = convert(entry.value, to: values, at: "\(path).\(name)") else { return nil }
      members[name] = value
    }
    return .object(members)
  }

  private mutating func convertRecord(_ tree: SchemaTree, _ record: RecordSchema, at path: String) -> JSONValue? {
    guard case .table(let entries) = tree else {
      report(path, "expected a record")
      return nil
    }
    var members: [String: JSONValue] = [:]
    for entry in entries {
      guard let name = entry.key.memberName, let field = record[name] else {
        report("\(path).\(entry.key.memberName ?? "?")", "unknown field")
        return nil
      }
      if case .null = entry.value {
        members[name] = .null
      } else {
        guard let value = convert(entry.value, to: field, at: "\(path).\(name)") else { return nil }
        members[name] = value
      }
    }
    return .object(members)
  }
}
