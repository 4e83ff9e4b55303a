/// Brings given values into the form that is stored: shorthands expanded, defaults and nulls filled in, sets without
/// duplicates, whole numbers as integers.
///
/// Source: Kong fact, schema-library §5 and §6.
struct SchemaFilling {
  /// Whether members that no schema knows are dropped when they are null, as a data plane does with the fields of a
  /// newer control plane.
  var dropsUnknownNulls = false

  // MARK: Shorthands

  /// Replaces the shorthand fields of a record and of the records in it by what they stand for.
  ///
  /// - Throws: the violations of shorthand values, which stop validation altogether.
  func expandingShorthands(
    of members: [String: JSONValue], by schema: RecordSchema
  ) throws(SchemaViolations) -> [String: JSONValue] {
    var output = members
    var violations: [String: JSONValue] = [:]
    for shorthand in schema.shorthandFields {
      guard let value = output.removeValue(forKey: shorthand.name), !value.isNull else { continue }
      if let violation = SchemaValidation().violation(of: value, by: shorthand.schema) {
        violations[shorthand.name] = violation
        continue
      }
      let expansion = shorthand.expand(value)
      if let conflict = conflict(of: shorthand, value: value, expansion: expansion, with: members) {
        violations[shorthand.name] = .string(conflict)
        continue
      }
      // What a deprecated name says yields to the field that replaces it.
      if shorthand.schema.deprecation == nil {
        output = merged(expansion, over: output)
      } else {
        output = merged(output.filter { !$0.value.isNull }, over: merged(expansion, over: output))
      }
    }
    for field in schema.fields where !field.schema.isAbstract {
      guard let value = output[field.name] else { continue }
      do throws(NestedViolation) {
        output[field.name] = try expandingShorthands(in: value, by: field.schema.kind)
      } catch {
        violations[field.name] = error.violation
      }
    }
    if !violations.isEmpty { throw SchemaViolations(fields: violations) }
    return output
  }

  /// What is wrong inside of a value, mirroring it.
  private struct NestedViolation: Error {
    var violation: JSONValue
  }

  /// Expands the shorthands of the records that a value holds, at every depth.
  private func expandingShorthands(
    in value: JSONValue, by kind: FieldSchema.Kind
  ) throws(NestedViolation) -> JSONValue {
    switch (kind, value) {
    case (.record(let inner), .object(let members)):
      do throws(SchemaViolations) {
        return .object(try expandingShorthands(of: members, by: inner))
      } catch {
        throw NestedViolation(violation: .object(error.document))
      }
    case (.array(let element), .array(let elements)), (.set(let element), .array(let elements)):
      guard element.kind.holdsRecords else { return value }
      var output: [JSONValue] = []
      var violations: [JSONValue] = []
      for (index, item) in elements.enumerated() {
        do throws(NestedViolation) {
          output.append(try expandingShorthands(in: item, by: element.kind))
        } catch {
          while violations.count < index { violations.append(.null) }
          violations.append(error.violation)
        }
      }
      if !violations.isEmpty { throw NestedViolation(violation: .array(violations)) }
      return .array(output)
    case (.map(_, let values), .object(let members)):
      guard values.kind.holdsRecords else { return value }
      var output: [String: JSONValue] = [:]
      for (name, member) in members { output[name] = try expandingShorthands(in: member, by: values.kind) }
      return .object(output)
    default: return value
    }
  }

  private func conflict(
    of shorthand: ShorthandField, value: JSONValue, expansion: [String: JSONValue], with members: [String: JSONValue]
  ) -> String? {
    for path in shorthand.schema.deprecation?.replacedWith ?? [] {
      let path = FieldPath(path.joined(separator: "."))
      guard let given = path.value(in: members), !given.isNull, let meant = path.value(in: expansion), given != meant
      else { continue }
      return "both deprecated and new field are used but their values mismatch: \(shorthand.name) = "
        + "\(FieldCheck.text(of: value)) vs \(path.names.joined(separator: ".")) = \(FieldCheck.text(of: given))"
    }
    return nil
  }

  /// Objects merged key by key, everything else replaced.
  private func merged(_ top: [String: JSONValue], over bottom: [String: JSONValue]) -> [String: JSONValue] {
    bottom.merging(top) { old, new in
      guard case .object(let oldMembers) = old, case .object(let newMembers) = new else { return new }
      return .object(merged(newMembers, over: oldMembers))
    }
  }

  // MARK: Updates

  /// The stored entity with changes laid over it: records merged by key, everything else replaced whole.
  func merging(
    _ changes: [String: JSONValue], over existing: [String: JSONValue], by schema: RecordSchema
  ) -> [String: JSONValue] {
    var output = existing
    for (name, change) in changes {
      if case .record(let inner)? = schema[name]?.kind, case .object(let new) = change,
        case .object(let old)? = existing[name]
      {
        output[name] = .object(merging(new, over: old, by: inner))
      } else {
        output[name] = change
      }
    }
    return output
  }

  // MARK: Defaults

  /// The members in stored form; with `fillsMissing` absent fields get their defaults or null, and what remains absent
  /// is required. Members that the schema does not know are kept for validation to name them.
  func filled(
    _ members: [String: JSONValue], by schema: RecordSchema, fillsMissing: Bool = true
  ) -> [String: JSONValue] {
    var output = members
    if dropsUnknownNulls { output = output.filter { !$0.value.isNull || schema[$0.key] != nil } }
    for field in schema.fields {
      if let value = members[field.name] {
        output[field.name] = normalized(value, by: field.schema, fillsMissing: fillsMissing)
      } else if fillsMissing, let value = missing(field.schema) {
        output[field.name] = value
      }
    }
    return output
  }

  private func missing(_ field: FieldSchema) -> JSONValue? {
    if let value = field.defaultValue { return normalized(value, by: field, fillsMissing: true) }
    if field.isAbstract { return nil }
    if case .record(let inner) = field.kind, field.required {
      return .object(filled([:], by: inner))
    }
    return field.required ? nil : .null
  }

  private func normalized(_ value: JSONValue, by field: FieldSchema, fillsMissing: Bool) -> JSONValue {
    switch (field.kind, value) {
    case (.integer, .number), (.number, .number):
      return value.integer.map(JSONValue.integer) ?? value
    case (.array(let element), .array(let elements)):
      return .array(elements.map { normalized($0, by: element, fillsMissing: true) })
    case (.set(let element), .array(let elements)):
      var seen: Set<JSONValue> = []
      let filled = elements.map { normalized($0, by: element, fillsMissing: true) }
      return .array(filled.filter { seen.insert($0).inserted })
    // An empty Lua table is an empty list as well as an empty object.
    case (.array, .object([:])), (.set, .object([:])): return .array([])
    case (.map, .array([])): return .object([:])
    case (.map(_, let values), .object(let members)):
      return .object(members.mapValues { normalized($0, by: values, fillsMissing: true) })
    case (.record(let inner), .object(let members)) where !field.isAbstract:
      return .object(filled(members, by: inner, fillsMissing: fillsMissing))
    case (.record(let inner), .array([])) where !field.isAbstract:
      return .object(filled([:], by: inner, fillsMissing: fillsMissing))
    case (.variant(let schema), .object(let members)):
      guard let record = schema.record(for: members) else { return value }
      let own = schema.withoutForeignNulls(members, by: record)
      return .object(filled(own, by: record, fillsMissing: fillsMissing))
    case (.foreign, .object(let members)):
      guard let id = members["id"], !id.isNull else {
        let others = members.filter { $0.key != "id" }
        return others.isEmpty && members["id"] != nil ? .null : .object(others)
      }
      return ["id": id.string.map { .string(UUIDText.isUUID($0) ? $0.lowercased() : $0) } ?? id]
    default: return value
    }
  }
}

extension FieldSchema.Kind {
  /// Whether values of the kind are or contain records.
  fileprivate var holdsRecords: Bool {
    switch self {
    case .record: true
    case .array(let element), .set(let element): element.kind.holdsRecords
    case .map(_, let values): values.kind.holdsRecords
    default: false
    }
  }
}

extension RecordSchema {
  /// Whether the gateway makes values for fields of the record or of records in it.
  var hasGeneratedValues: Bool {
    fields.contains { field in
      if field.schema.auto != nil { return true }
      if case .record(let inner) = field.schema.kind, !field.schema.isAbstract { return inner.hasGeneratedValues }
      return false
    }
  }
}
