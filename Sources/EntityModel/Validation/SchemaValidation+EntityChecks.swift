extension SchemaValidation {
  /// Runs one check over several fields and adds what it finds.
  ///
  /// Source: Kong fact, schema-library §4.
  func run(
    _ check: EntityCheck, over entity: [String: JSONValue], by schema: RecordSchema,
    into violations: inout SchemaViolations
  ) {
    let paths = check.paths
    // On an update a check of which no field is present has nothing to say.
    if isUpdate, paths.allSatisfy({ FieldPath($0).value(in: entity) == nil }) { return }
    for path in check.requiredPaths where FieldPath(path).value(in: entity) == nil {
      let message = "field required for entity check" + (isUpdate ? " when updating" : "")
      FieldPath(path).insert(.string(message), into: &violations.fields)
      return
    }
    if !check.runsWithInvalidFields, paths.contains(where: { FieldPath($0).hasViolation(in: violations.fields) }) {
      return
    }
    let holdsReference = paths.contains { path in
      guard let text = FieldPath(path).value(in: entity)?.string else { return false }
      return FieldPath(path).schema(in: schema)?.isReferenceable == true && VaultReference.isReference(text)
    }
    if holdsReference { return }
    func isSet(_ path: String) -> Bool { Self.isNonEmpty(FieldPath(path).value(in: entity)) }

    switch check {
    case .atLeastOneOf(let names):
      if !names.contains(where: isSet) { violations.entity.append(atLeastOne(of: names)) }
    case .onlyOneOf(let names):
      if names.filter(isSet).count != 1 {
        violations.entity.append("exactly one of these fields must be non-empty: \(Self.quoted(names))")
      }
    case .distinct(let names):
      let values = names.compactMap { FieldPath($0).value(in: entity) }.filter { Self.isNonEmpty($0) }
      if Set(values).count != values.count {
        violations.entity.append("values of these fields must be distinct: \(Self.quoted(names))")
      }
    case .mutuallyRequired(let names):
      let count = names.filter(isSet).count
      if count != 0, count != names.count {
        violations.entity.append("all or none of these fields must be set: \(Self.quoted(names))")
      }
    case .mutuallyExclusive(let names):
      if names.filter(isSet).count > 1 {
        violations.entity.append("only one or none of these fields must be set: \(Self.quoted(names))")
      }
    case .mutuallyExclusiveSets(let first, let second):
      let groups = [first.filter(isSet), second.filter(isSet)]
      if groups.allSatisfy({ !$0.isEmpty }) {
        violations.entity.append("these sets are mutually exclusive: \(FieldCheck.groups(groups))")
      }
    case .conditional(let condition): run(condition, over: entity, by: schema, into: &violations)
    case .conditionalAtLeastOneOf(let condition): run(condition, over: entity, by: schema, into: &violations)
    case .custom(_, let check):
      guard let found = check(entity) else { return }
      for (name, message) in found.fields { FieldPath(name).insert(message, into: &violations.fields) }
      violations.entity += found.entity
    }
  }

  private func run(
    _ condition: EntityCheck.Conditional, over entity: [String: JSONValue], by schema: RecordSchema,
    into violations: inout SchemaViolations
  ) {
    guard matches(condition.ifMatch, path: condition.ifField, in: entity, by: schema) else { return }
    let path = FieldPath(condition.thenField)
    let field = condition.thenMatch.laid(over: path.schema(in: schema))
    guard let violation = violation(of: path.value(in: entity) ?? .null, by: field) else { return }
    path.insert(violation, into: &violations.fields)
    violations.entity.append(
      condition.thenError ?? "failed conditional validation given value of field '\(condition.ifField)'")
  }

  private func run(
    _ condition: EntityCheck.ConditionalAtLeastOneOf, over entity: [String: JSONValue], by schema: RecordSchema,
    into violations: inout SchemaViolations
  ) {
    func require(_ names: [String], error: String?) {
      if names.contains(where: { Self.isNonEmpty(FieldPath($0).value(in: entity)) }) { return }
      let list = Self.quoted(names)
      violations.entity.append(error.map { Self.filled($0, with: list) } ?? atLeastOne(of: names))
    }
    if matches(condition.ifMatch, path: condition.ifField, in: entity, by: schema) {
      require(condition.thenAtLeastOneOf, error: condition.thenError)
    } else if let elseMatch = condition.elseMatch, let names = condition.elseThenAtLeastOneOf,
      matches(elseMatch, path: condition.ifField, in: entity, by: schema)
    {
      require(names, error: condition.elseThenError)
    }
  }

  private func matches(
    _ match: EntityCheck.ConditionMatch, path: String, in entity: [String: JSONValue], by schema: RecordSchema
  ) -> Bool {
    let path = FieldPath(path)
    return violation(of: path.value(in: entity) ?? .null, by: match.laid(over: path.schema(in: schema))) == nil
  }

  private func atLeastOne(of names: [String]) -> String {
    (isUpdate ? "when updating, " : "") + "at least one of these fields must be non-empty: \(Self.quoted(names))"
  }

  static func quoted(_ names: [String]) -> String { names.map { "'\($0)'" }.joined(separator: ", ") }

  /// A message with its first `%s` replaced.
  private static func filled(_ message: String, with list: String) -> String {
    guard let place = message.firstRange(of: "%s") else { return message }
    return message.replacingCharacters(in: place, with: list)
  }

  static func isNonEmpty(_ value: JSONValue?) -> Bool {
    switch value {
    case nil, .null: false
    case .string(let text): !text.isEmpty
    case .array(let elements): !elements.isEmpty
    case .object(let members): !members.isEmpty
    default: true
    }
  }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
    String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
  }
}

extension EntityCheck {
  /// Every field that the check reads.
  var paths: [String] {
    switch self {
    case .atLeastOneOf(let names), .onlyOneOf(let names), .distinct(let names), .mutuallyRequired(let names),
      .mutuallyExclusive(let names), .custom(let names, _):
      names
    case .mutuallyExclusiveSets(let first, let second): first + second
    case .conditional(let condition): [condition.ifField, condition.thenField]
    case .conditionalAtLeastOneOf(let condition):
      [condition.ifField] + condition.thenAtLeastOneOf + (condition.elseThenAtLeastOneOf ?? [])
    }
  }

  /// Fields without which the check cannot run; only ones that lie in a record that is there count.
  var requiredPaths: [String] {
    switch self {
    case .conditional(let condition): [condition.ifField]
    case .conditionalAtLeastOneOf(let condition): [condition.ifField]
    default: []
    }
  }

  var runsWithInvalidFields: Bool {
    switch self {
    case .atLeastOneOf, .distinct, .conditional, .conditionalAtLeastOneOf: true
    default: false
    }
  }
}

extension EntityCheck.ConditionMatch {
  /// The match as a schema of its own: its attributes replace those of the field it is about.
  func laid(over base: FieldSchema?) -> FieldSchema {
    var field = base ?? FieldSchema(.json)
    if let required { field.required = required }
    field.checks = Self.merged(field.checks, with: checks)
    if !elementChecks.isEmpty {
      switch field.kind {
      case .array(var element):
        element.checks = Self.merged(element.checks, with: elementChecks)
        field.kind = .array(element)
      case .set(var element):
        element.checks = Self.merged(element.checks, with: elementChecks)
        field.kind = .set(element)
      default: break
      }
    }
    return field
  }

  private static func merged(_ base: [FieldCheck], with overrides: [FieldCheck]) -> [FieldCheck] {
    base.filter { check in !overrides.contains { $0.rank == check.rank } } + overrides
  }
}
