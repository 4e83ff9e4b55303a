extension SchemaTree {
  /// The field as a table of Kong's schema language, the inverse of reading it; this is how typedefs reach Lua.
  ///
  /// Checks written in Swift become a `custom_validator` that is known by its name.
  public init(_ field: FieldSchema) {
    self = .members(Self.attributes(of: field))
  }

  private static func attributes(of field: FieldSchema) -> [(String, SchemaTree)] {
    var members: [(String, SchemaTree)] = [("type", .string(field.kind.luaName))]
    switch field.kind {
    case .array(let elements), .set(let elements): members.append(("elements", SchemaTree(elements)))
    case .map(let keys, let values):
      members.append(("keys", SchemaTree(keys)))
      members.append(("values", SchemaTree(values)))
    case .record(let record):
      members.append(("fields", .list(record.fields.map { .members([($0.name, SchemaTree($0.schema))]) })))
      if !record.entityChecks.isEmpty {
        members.append(("entity_checks", .list(record.entityChecks.map { SchemaTree($0.document) })))
      }
    case .variant(let schema):
      members.append(("fields", .list(schema.union.fields.map { .members([($0.name, SchemaTree($0.schema))]) })))
    case .foreign(let reference): members.append(("reference", .string(reference)))
    case .string, .integer, .number, .boolean, .json: break
    }
    if field.required { members.append(("required", .bool(true))) }
    if let value = field.defaultValue { members.append(("default", SchemaTree(value))) }
    let flags: [(String, Bool)] = [
      ("auto", field.auto != nil), ("unique", field.isUnique), ("unique_across_ws", field.isUniqueAcrossWorkspaces),
      ("immutable", field.isImmutable), ("referenceable", field.isReferenceable), ("encrypted", field.isEncrypted),
      ("transient", field.isTransient), ("abstract", field.isAbstract),
    ]
    for (name, isSet) in flags where isSet { members.append((name, .bool(true))) }
    if let text = field.onDelete { members.append(("on_delete", .string(text.rawValue))) }
    if let text = field.errorMessage { members.append(("err", .string(text))) }
    if let text = field.description { members.append(("description", .string(text))) }
    if !field.examples.isEmpty { members.append(("examples", .list(field.examples.map(SchemaTree.init)))) }
    for check in field.checks { members.append(attribute(of: check)) }
    return members
  }

  private static func attribute(of check: FieldCheck) -> (String, SchemaTree) {
    func rules(_ rules: [FieldCheck.PatternRule]) -> SchemaTree {
      .list(
        rules.map { rule in
          .members([("pattern", .string(rule.pattern))] + (rule.error.map { [("err", .string($0))] } ?? []))
        })
    }
    return switch check {
    case .equal(let value): ("eq", SchemaTree(value))
    case .notEqual(let value): ("ne", SchemaTree(value))
    case .notOneOf(let values): ("not_one_of", .list(values.map(SchemaTree.init)))
    case .oneOf(let values): ("one_of", .list(values.map(SchemaTree.init)))
    case .greaterThan(let bound): ("gt", .number(bound))
    case .timestamp: ("timestamp", .bool(true))
    case .uuid: ("uuid", .bool(true))
    case .isRegex: ("is_regex", .bool(true))
    case .between(let low, let high): ("between", .list([.number(low), .number(high)]))
    case .lengthEqual(let length): ("len_eq", .number(Double(length)))
    case .lengthAtLeast(let length): ("len_min", .number(Double(length)))
    case .lengthAtMost(let length): ("len_max", .number(Double(length)))
    case .startsWith(let text): ("starts_with", .string(text))
    case .notMatch(let pattern): ("not_match", .string(pattern))
    case .matchNone(let list): ("match_none", rules(list))
    case .match(let pattern): ("match", .string(pattern))
    case .matchAll(let list): ("match_all", rules(list))
    case .matchAny(let patterns, let error):
      (
        "match_any",
        .members([("patterns", .list(patterns.map(SchemaTree.string)))] + (error.map { [("err", .string($0))] } ?? []))
      )
    case .contains(let value): ("contains", SchemaTree(value))
    case .mutuallyExclusiveSubsets(let sets):
      ("mutually_exclusive_subsets", .list(sets.map { .list($0.map(SchemaTree.string)) }))
    case .jsonSchema(let schema): ("json_schema", .members([("inline", SchemaTree(schema.document))]))
    case .custom(let name, _): ("custom_validator", .validator(name))
    }
  }

  /// A JSON value as Lua data.
  public init(_ value: JSONValue) {
    switch value {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .number(Double(value))
    case .number(let value): self = .number(value)
    case .string(let value): self = .string(value)
    case .array(let values): self = .list(values.map(SchemaTree.init))
    case .object(let members):
      self = .members(members.sorted { $0.key < $1.key }.map { ($0.key, SchemaTree($0.value)) })
    }
  }
}

extension FieldSchema.Kind {
  /// The name of the type in schemas.
  var luaName: String {
    switch self {
    case .string: "string"
    case .integer: "integer"
    case .number: "number"
    case .boolean: "boolean"
    case .array: "array"
    case .set: "set"
    case .map: "map"
    case .record, .variant: "record"
    case .foreign: "foreign"
    case .json: "json"
    }
  }
}
