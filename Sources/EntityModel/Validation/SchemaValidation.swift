/// Validates values against schemas: types, attributes and checks, in Kong's order and words.
///
/// Source: Kong fact, schema-library §3, §4 and §7.
struct SchemaValidation {
  /// On an update absent fields are no violation (the stored entity has them), and some messages say so.
  var isUpdate = false
  /// Whether checks over several fields run.
  var checksEntities = true

  // MARK: Records

  /// What is wrong with the members of a record.
  func violations(of members: [String: JSONValue], by schema: RecordSchema) -> SchemaViolations {
    var violations = SchemaViolations()
    for field in schema.fields {
      if let value = members[field.name] {
        if let violation = violation(of: value, by: field.schema) { violations.fields[field.name] = violation }
      } else if !isUpdate, field.schema.required {
        violations.fields[field.name] = "required field missing"
      }
    }
    for name in members.keys where schema[name] == nil { violations.fields[name] = "unknown field" }
    if checksEntities {
      for check in schema.entityChecks { run(check, over: members, by: schema, into: &violations) }
      for transformation in schema.transformations {
        run(.mutuallyRequired(transformation.input), over: members, by: schema, into: &violations)
      }
    }
    return violations
  }

  // MARK: Fields

  /// The violation of one field: a string, or an object or array that mirrors the value; nil if it is good.
  func violation(of value: JSONValue, by field: FieldSchema) -> JSONValue? {
    if value.isNull { return nullViolation(by: field).map { .string(field.errorMessage ?? $0) } }
    if field.checks.contains(where: { if case .equal(.null) = $0 { true } else { false } }) {
      return .string(field.errorMessage ?? "value must be null")
    }
    if let violation = shapeViolation(of: value, by: field) { return violation }
    if field.isReferenceable, let text = value.string, VaultReference.isReference(text) { return nil }
    for check in effectiveChecks(of: field) {
      if let message = check.violation(by: value) { return .string(field.errorMessage ?? message) }
    }
    return nil
  }

  private func effectiveChecks(of field: FieldSchema) -> [FieldCheck] {
    var checks = field.checks
    if case .string = field.kind {
      let hasMinimum = checks.contains { if case .lengthAtLeast = $0 { true } else { false } }
      if !hasMinimum { checks.append(.lengthAtLeast(1)) }
    }
    return checks.enumerated().sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }.map(\.element)
  }

  private func nullViolation(by field: FieldSchema) -> String? {
    for check in field.checks {
      switch check {
      case .notEqual(.null): return "value must not be null"
      case .equal(let expected) where !expected.isNull: return "value must be \(FieldCheck.text(of: expected))"
      default: break
      }
    }
    return field.required ? "required field missing" : nil
  }

  private func shapeViolation(of value: JSONValue, by field: FieldSchema) -> JSONValue? {
    switch field.kind {
    case .string: return value.string == nil ? "expected a string" : nil
    case .integer: return value.integer == nil ? "expected an integer" : nil
    case .number: return value.double == nil ? "expected a number" : nil
    case .boolean: return value.bool == nil ? "expected a boolean" : nil
    case .json: return nil
    case .array(let element):
      guard let elements = value.array else { return "expected an array" }
      return elementViolations(of: elements, by: element)
    case .set(let element):
      guard let elements = value.array else { return "expected a set" }
      return elementViolations(of: elements, by: element)
    case .map(let keys, let values): return mapViolation(of: value, keys: keys, values: values)
    case .record(let schema): return field.isAbstract ? nil : recordViolation(of: value, by: schema)
    case .variant(let schema): return variantViolation(of: value, by: schema)
    case .foreign(let collection): return foreignViolation(of: value, collection: collection)
    }
  }

  private func elementViolations(of elements: [JSONValue], by schema: FieldSchema) -> JSONValue? {
    let element = schema.asRequired()
    var violations: [JSONValue] = []
    for (index, value) in elements.enumerated() {
      guard let violation = violation(of: value, by: element) else { continue }
      while violations.count < index { violations.append(.null) }
      violations.append(violation)
    }
    return violations.isEmpty ? nil : .array(violations)
  }

  private func mapViolation(of value: JSONValue, keys: FieldSchema, values: FieldSchema) -> JSONValue? {
    let members: [String: JSONValue]
    switch value {
    case .object(let object): members = object
    case .array(let elements):
      // To Lua this is a table with the keys 1, 2, …
      if elements.isEmpty { return nil }
      return violation(of: 1, by: keys.asRequired()) ?? "expected a map"
    default: return "expected a map"
    }
    let (keys, values) = (keys.asRequired(), values.asRequired())
    for key in members.keys.sorted() {
      if let violation = violation(of: .string(key), by: keys) { return violation }
      if let violation = violation(of: members[key] ?? .null, by: values) { return violation }
    }
    return nil
  }

  private func recordViolation(of value: JSONValue, by schema: RecordSchema) -> JSONValue? {
    switch value {
    case .object(let members):
      let violations = violations(of: members, by: schema)
      return violations.isEmpty ? nil : .object(violations.document)
    case .array(let elements) where !elements.isEmpty:
      return .array(elements.map { _ in "unknown field" })
    default: return "expected a record"
    }
  }

  private func variantViolation(of value: JSONValue, by schema: VariantSchema) -> JSONValue? {
    guard case .object(let members) = value else { return "expected a record" }
    guard let record = schema.record(for: members) else {
      guard let name = members[schema.key], !name.isNull else { return .object([schema.key: "required field missing"]) }
      guard name.string != nil else { return .object([schema.key: "expected a string"]) }
      return .object([
        schema.key: .string("expected one of: \(schema.variants.map(\.name).joined(separator: ", "))")
      ])
    }
    return recordViolation(of: .object(schema.withoutForeignNulls(members, by: record)), by: record)
  }

  private func foreignViolation(of value: JSONValue, collection: String) -> JSONValue? {
    guard let members = value.object else { return "expected a record" }
    if let id = members["id"], !id.isNull {
      guard let text = id.string else { return ["id": "expected a string"] }
      return UUIDText.isUUID(text) ? nil : ["id": "expected a valid UUID"]
    }
    guard let definition = EntityCatalogue[collection] else { return ["id": "required field missing"] }
    let keys = Set(definition.uniqueFields)
    var violations: [String: JSONValue] = [:]
    for (name, key) in members where name != "id" {
      if !keys.contains(name) {
        violations[name] = "unknown field"
      } else if let field = definition.schema[name], let violation = violation(of: key, by: field.asRequired()) {
        violations[name] = violation
      }
    }
    if violations.isEmpty, !members.keys.contains(where: keys.contains) { violations["id"] = "required field missing" }
    return violations.isEmpty ? nil : .object(violations)
  }
}

/// References to secrets that a vault holds.
enum VaultReference {
  /// Whether the text has the form `{vault://…}`.
  static func isReference(_ text: String) -> Bool { text.hasPrefix("{vault://") && text.hasSuffix("}") }
}
