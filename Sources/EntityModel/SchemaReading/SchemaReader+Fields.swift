extension SchemaReader {
  /// What a type must declare.
  private static let requiredAttributes: [String: [String]] = [
    "array": ["elements"], "set": ["elements"], "map": ["keys", "values"], "record": ["fields"],
    "foreign": ["reference"], "json": ["json_schema"],
  ]

  /// Attributes that only some types may have.
  private static let attributeTypes: [String: Set<String>] = [
    "between": ["integer", "number"],
    "len_eq": ["array", "set", "string", "map"],
    "match": ["string"],
    "is_regex": ["string"],
    "uuid": ["string"],
    "one_of": ["string", "number", "integer"],
    "contains": ["array", "set"],
    "timestamp": ["number", "integer"],
    "unique": ["string", "number", "integer", "foreign"],
  ]

  private static let flagAttributes: Set<String> = [
    "required", "nilable", "abstract", "auto", "immutable", "unique", "unique_across_ws", "generate_admin_api",
    "transient", "encrypted", "referenceable", "indexed", "legacy", "hide_admin_gui",
  ]

  /// Flags that mean nothing to validation and storage; readers of the schema see them.
  private static let hints = ["nilable", "generate_admin_api", "indexed", "legacy", "hide_admin_gui"]

  private static let otherAttributes: Set<String> = [
    "type", "default", "on_delete", "reference", "err", "description", "examples", "deprecation", "json_schema",
    "elements", "keys", "values", "fields", "entity_checks", "shorthand_fields", "transformations", "check",
  ]

  private static let types: Set<String> = [
    "array", "boolean", "foreign", "integer", "json", "map", "number", "record", "set", "string",
  ]

  /// Reads an array of single-key tables; `path` is that of the record, empty for the schema itself.
  mutating func readFieldList(_ tree: SchemaTree?, at path: String, depth: Int) -> [RecordSchema.NamedField] {
    let listPath = path.isEmpty ? "fields" : "\(path).fields"
    guard let tree, tree.isTable else {
      report(listPath, "'fields' must be a table")
      return []
    }
    guard let items = tree.sequence else {
      report(listPath, "expected an array, each entry a table with one field: { { name = { type = ... } }, ... }")
      return []
    }
    var fields: [RecordSchema.NamedField] = []
    var names: Set<String> = []
    for (index, item) in items.enumerated() {
      guard case .table(let entries) = item else {
        report("\(listPath).\(index + 1)", "each entry in fields must be a sub-table")
        continue
      }
      guard let entry = entries.first else {
        report("\(listPath).\(index + 1)", "field entry table is empty")
        continue
      }
      guard entries.count == 1 else {
        report("\(listPath).\(index + 1)", "length must be 1 (each entry of fields declares exactly one field)")
        continue
      }
      guard case .name(let name) = entry.key else {
        report("\(listPath).\(index + 1)", "the name of a field must be a string")
        continue
      }
      let fieldPath = path.isEmpty ? name : "\(path).\(name)"
      guard names.insert(name).inserted else {
        report(fieldPath, "the field is declared twice")
        continue
      }
      if let field = readField(entry.value, at: fieldPath, name: name, depth: depth + 1) {
        fields.append(.init(name, field))
      }
    }
    return fields
  }

  /// Reads one field; nil when it has no usable type (which is then reported).
  mutating func readField(_ tree: SchemaTree, at path: String, name: String, depth: Int) -> FieldSchema? {
    guard tree.isTable else {
      report(path, "'\(name)' must be a table")
      return nil
    }
    fieldCount += 1
    guard depth <= Limit.depth, fieldCount <= Limit.fields else {
      if fieldCount <= Limit.fields {
        report(path, "the schema is nested too deeply (at most \(Limit.depth) levels)")
      } else if fieldCount == Limit.fields + 1 {
        report(path, "the schema has too many fields (at most \(Limit.fields))")
      }
      return nil
    }
    guard let type = readType(tree["type"], at: path) else { return nil }
    checkAttributes(of: tree, type: type, at: path)
    guard let kind = readKind(type, tree, at: path, depth: depth) else { return nil }

    var field = FieldSchema(kind)
    readFlags(tree, into: &field, at: path, name: name)
    readTexts(tree, into: &field, at: path)
    field.checks = readChecks(tree, of: field, at: path)
    if type == "json", let schema = readJSONSchema(tree["json_schema"], at: "\(path).json_schema") {
      field.checks.append(.jsonSchema(schema))
    }
    readDeprecation(tree["deprecation"], into: &field, at: "\(path).deprecation")
    if let examples = tree["examples"] {
      if let values = examples.sequence {
        field.examples = values.compactMap { $0.json() }
      } else {
        report("\(path).examples", "expected an array")
      }
    }
    // Last: a default is held against everything else the field says.
    if let value = tree["default"] { readDefault(value, into: &field, at: "\(path).default") }
    return field
  }

  private mutating func readType(_ tree: SchemaTree?, at path: String) -> String? {
    guard let tree else {
      report(path, "missing type declaration")
      return nil
    }
    guard let type = tree.string else {
      report("\(path).type", "expected a string")
      return nil
    }
    guard !Self.types.contains(type) else { return type }
    if type == "function" {
      report(path, "a configuration is data and cannot hold a field of type 'function'")
    } else {
      report("\(path).type", "expected one of: \(Self.types.sorted().joined(separator: ", "))")
    }
    return nil
  }

  private mutating func checkAttributes(of tree: SchemaTree, type: String, at path: String) {
    for attribute in Self.requiredAttributes[type] ?? [] where tree[attribute] == nil {
      report(path, "field of type '\(type)' must declare '\(attribute)'")
    }
    for (attribute, _) in tree.namedEntries {
      if let types = Self.attributeTypes[attribute] ?? (attribute == "json_schema" ? ["json"] : nil),
        !types.contains(type)
      {
        report(path, "field of type '\(type)' cannot have attribute '\(attribute)'")
      } else if !Self.flagAttributes.contains(attribute), !Self.otherAttributes.contains(attribute),
        !Self.checkAttributes.contains(attribute)
      {
        report("\(path).\(attribute)", "unknown field")
      }
    }
    if case .table(let entries) = tree, entries.contains(where: { if case .name = $0.key { false } else { true } }) {
      report(path, "a field's table holds attributes by name only, but this one has entries without a name")
    }
    refuseLuaOnly(tree, at: path)
  }

  private mutating func readKind(
    _ type: String, _ tree: SchemaTree, at path: String, depth: Int
  ) -> FieldSchema.Kind? {
    func nested(_ attribute: String) -> FieldSchema? {
      tree[attribute].flatMap { readField($0, at: "\(path).\(attribute)", name: attribute, depth: depth + 1) }
    }
    switch type {
    case "string": return .string
    case "integer": return .integer
    case "number": return .number
    case "boolean": return .boolean
    case "json": return .json
    case "array": return nested("elements").map { .array($0) }
    case "set": return nested("elements").map { .set($0) }
    case "map":
      let keys = nested("keys")
      let values = nested("values")
      guard let keys, let values else { return nil }
      return .map(keys: keys, values: values)
    case "record":
      guard let list = tree["fields"] else { return nil }
      let fields = readFieldList(list, at: path, depth: depth)
      let scope = CheckScope(fields: fields)
      return .record(
        RecordSchema(
          fields, entityChecks: readEntityChecks(tree["entity_checks"], at: "\(path).entity_checks", scope: scope),
          shorthandFields: readShorthands(
            tree["shorthand_fields"], at: "\(path).shorthand_fields", scope: scope, depth: depth),
          transformations: readTransformations(
            tree["transformations"], at: "\(path).transformations", scope: scope)))
    case "foreign":
      guard let reference = tree["reference"] else { return nil }
      guard let collection = reference.string else {
        report("\(path).reference", "expected a string")
        return nil
      }
      return .foreign(collection)
    default: return nil
    }
  }

  private mutating func readFlags(_ tree: SchemaTree, into field: inout FieldSchema, at path: String, name: String) {
    var flags: [String: Bool] = [:]
    for (attribute, value) in tree.namedEntries where Self.flagAttributes.contains(attribute) {
      guard let flag = value.bool else {
        report("\(path).\(attribute)", "expected a boolean")
        continue
      }
      flags[attribute] = flag
    }
    // Every record of a plugin's schema is required unless it says otherwise: a configuration is always spelt out.
    if case .record = field.kind {
      field.required = flags["required"] ?? true
    } else {
      field.required = flags["required"] ?? false
    }
    if flags["abstract"] == true {
      report("\(path).abstract", "only the fields of the parent schema can be abstract; declare what the field holds")
    }
    for name in Self.hints {
      if let flag = flags[name] { field.hints[name] = .bool(flag) }
    }
    field.isImmutable = flags["immutable"] ?? false
    field.isUnique = flags["unique"] ?? false
    field.isUniqueAcrossWorkspaces = flags["unique_across_ws"] ?? false
    field.isTransient = flags["transient"] ?? false
    field.isEncrypted = flags["encrypted"] ?? false
    field.isReferenceable = flags["referenceable"] ?? false
    if flags["auto"] == true { field.auto = automaticValue(of: field.kind, name: name, tree: tree) }
  }

  private func automaticValue(of kind: FieldSchema.Kind, name: String, tree: SchemaTree) -> FieldSchema.AutoValue? {
    switch kind {
    case .string: tree["uuid"]?.bool == true ? .uuid : .randomString
    case .integer: name == "created_at" ? .createdAt : name == "updated_at" ? .updatedAt : nil
    case .number: name == "created_at" ? .createdAtMilliseconds : name == "updated_at" ? .updatedAtMilliseconds : nil
    default: nil
    }
  }

  private mutating func readTexts(_ tree: SchemaTree, into field: inout FieldSchema, at path: String) {
    if let text = readString(tree["description"], at: "\(path).description") {
      if text.utf8.count < 10 { report("\(path).description", "length must be at least 10") }
      if text.utf8.count > 500 { report("\(path).description", "length must be at most 500") }
      field.description = text
    }
    field.errorMessage = readString(tree["err"], at: "\(path).err")
    if let text = readString(tree["on_delete"], at: "\(path).on_delete") {
      field.onDelete = FieldSchema.OnDelete(rawValue: text)
      if field.onDelete == nil { report("\(path).on_delete", "expected one of: restrict, cascade, null") }
    }
  }

  /// The text of an optional attribute.
  mutating func readString(_ tree: SchemaTree?, at path: String) -> String? {
    guard let tree else { return nil }
    if let text = tree.string { return text }
    report(path, "expected a string")
    return nil
  }

  private mutating func readDeprecation(_ tree: SchemaTree?, into field: inout FieldSchema, at path: String) {
    guard let tree else { return }
    guard tree.isTable else {
      report(path, "expected a record")
      return
    }
    let known: Set<String> = ["message", "removal_in_version", "old_default", "replaced_with"]
    for (name, _) in tree.namedEntries where !known.contains(name) { report("\(path).\(name)", "unknown field") }
    for name in ["message", "removal_in_version"] where tree[name] == nil {
      report("\(path).\(name)", "required field missing")
    }
    var replacements: [[String]] = []
    if let list = tree["replaced_with"] {
      if let items = list.sequence {
        for (index, item) in items.enumerated() {
          let path = "\(path).replaced_with.\(index + 1)"
          for (name, _) in item.namedEntries where name != "path" { report("\(path).\(name)", "unknown field") }
          replacements.append(readStrings(item["path"], at: "\(path).path") ?? [])
        }
      } else {
        report("\(path).replaced_with", "expected an array")
      }
    }
    if let message = readString(tree["message"], at: "\(path).message"),
      let version = readString(tree["removal_in_version"], at: "\(path).removal_in_version")
    {
      field.deprecation = Deprecation(
        message: message, removalInVersion: version, replacedWith: replacements, oldDefault: tree["old_default"]?.json()
      )
    }
  }

  /// A list of strings; reports and returns nil for anything else.
  mutating func readStrings(_ tree: SchemaTree?, at path: String) -> [String]? {
    guard let tree else {
      report(path, "required field missing")
      return nil
    }
    guard let items = tree.sequence else {
      report(path, "expected an array")
      return nil
    }
    var texts: [String] = []
    for (index, item) in items.enumerated() {
      guard let text = item.string else {
        report("\(path).\(index + 1)", "expected a string")
        return nil
      }
      texts.append(text)
    }
    return texts
  }
}
