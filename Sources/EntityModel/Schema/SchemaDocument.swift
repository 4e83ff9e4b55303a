/// Schemas in the form in which `/schemas` shows them, and from which clients read defaults.
///
/// Source: Kong fact, schema-library §9. Functions are left out, records and checks are lists of single-key objects.
extension EntityDefinition {
  /// The answer of `GET /schemas/{name}`.
  public func document() -> JSONValue { schema.document }
}

extension PluginSchema {
  /// The answer of `GET /schemas/plugins/{name}`: only the plugin's own fields.
  public func document() -> JSONValue {
    RecordSchema(
      fields, entityChecks: entityChecks, shorthandFields: shorthandFields, transformations: transformations
    ).document
  }
}

extension RecordSchema {
  /// `fields` and `entity_checks` of a schema, `shorthand_fields` where there are any.
  var document: JSONValue { .object(attributes(alwaysWithChecks: true)) }

  func attributes(alwaysWithChecks: Bool) -> [String: JSONValue] {
    var output: [String: JSONValue] = [
      "fields": .array(fields.map { .object([$0.name: .object($0.schema.attributes)]) })
    ]
    if alwaysWithChecks || !entityChecks.isEmpty { output["entity_checks"] = .array(entityChecks.map(\.document)) }
    if !shorthandFields.isEmpty {
      output["shorthand_fields"] = .array(
        shorthandFields.map { shorthand in
          var attributes = shorthand.schema.attributes
          if let path = shorthand.translateBackwards {
            attributes["translate_backwards"] = .array(path.map(JSONValue.string))
          }
          return .object([shorthand.name: .object(attributes)])
        })
    }
    if !transformations.isEmpty { output["transformations"] = .array(transformations.map(\.document)) }
    return output
  }
}

extension FieldSchema {
  /// The attributes of the field as Kong declares them.
  var attributes: [String: JSONValue] {
    var output: [String: JSONValue] = [:]
    switch kind {
    case .string: output["type"] = "string"
    case .integer: output["type"] = "integer"
    case .number: output["type"] = "number"
    case .boolean: output["type"] = "boolean"
    case .json: output["type"] = "json"
    case .array(let element):
      output["type"] = "array"
      output["elements"] = .object(element.attributes)
    case .set(let element):
      output["type"] = "set"
      output["elements"] = .object(element.attributes)
    case .map(let keys, let values):
      output["type"] = "map"
      output["keys"] = .object(keys.attributes)
      output["values"] = .object(values.attributes)
    case .record(let schema):
      if !isAbstract { output = schema.attributes(alwaysWithChecks: false) }
      output["type"] = "record"
    case .variant(let schema):
      output = schema.union.attributes(alwaysWithChecks: false)
      output["type"] = "record"
    case .foreign(let collection):
      output["type"] = "foreign"
      output["reference"] = .string(collection)
    }
    let flags: [(String, Bool)] = [
      ("required", required), ("auto", auto != nil), ("unique", isUnique),
      ("unique_across_ws", isUniqueAcrossWorkspaces), ("immutable", isImmutable), ("referenceable", isReferenceable),
      ("encrypted", isEncrypted), ("transient", isTransient), ("abstract", isAbstract),
    ]
    for (name, isSet) in flags where isSet { output[name] = true }
    if let defaultValue { output["default"] = defaultValue }
    if let onDelete { output["on_delete"] = .string(onDelete.rawValue) }
    if let errorMessage { output["err"] = .string(errorMessage) }
    if let description { output["description"] = .string(description) }
    if !examples.isEmpty { output["examples"] = .array(examples) }
    if let deprecation { output["deprecation"] = deprecation.document }
    output.merge(hints) { own, _ in own }
    for check in checks { check.add(to: &output) }
    if case .string = kind, output["len_min"] == nil, output["len_eq"] == nil { output["len_min"] = 1 }
    return output
  }
}

extension Deprecation {
  var document: JSONValue {
    var output: [String: JSONValue] = [
      "message": .string(message), "removal_in_version": .string(removalInVersion),
    ]
    if !replacedWith.isEmpty {
      output["replaced_with"] = .array(
        replacedWith.map { .object(["path": .array($0.map(JSONValue.string))]) })
    }
    if let oldDefault { output["old_default"] = oldDefault }
    return .object(output)
  }
}

extension FieldCheck {
  /// Adds the attribute that declares the check; checks written in Swift have none.
  func add(to output: inout [String: JSONValue]) {
    switch self {
    case .equal(let value): output["eq"] = value
    case .notEqual(let value): output["ne"] = value
    case .notOneOf(let values): output["not_one_of"] = .array(values)
    case .oneOf(let values): output["one_of"] = .array(values)
    case .greaterThan(let limit): output["gt"] = Self.number(limit)
    case .timestamp: output["timestamp"] = true
    case .uuid: output["uuid"] = true
    case .isRegex: output["is_regex"] = true
    case .between(let lower, let upper): output["between"] = [Self.number(lower), Self.number(upper)]
    case .lengthEqual(let count): output["len_eq"] = .integer(Int64(count))
    case .lengthAtLeast(let count): output["len_min"] = .integer(Int64(count))
    case .lengthAtMost(let count): output["len_max"] = .integer(Int64(count))
    case .startsWith(let prefix): output["starts_with"] = .string(prefix)
    case .notMatch(let pattern): output["not_match"] = .string(pattern)
    case .matchNone(let rules): output["match_none"] = .array(rules.map(\.document))
    case .match(let pattern): output["match"] = .string(pattern)
    case .matchAll(let rules): output["match_all"] = .array(rules.map(\.document))
    case .matchAny(let patterns, let error):
      var rule: [String: JSONValue] = ["patterns": .array(patterns.map(JSONValue.string))]
      if let error { rule["err"] = .string(error) }
      output["match_any"] = .object(rule)
    case .contains(let value): output["contains"] = value
    case .mutuallyExclusiveSubsets(let subsets):
      output["mutually_exclusive_subsets"] = .array(subsets.map { .array($0.map(JSONValue.string)) })
    case .jsonSchema(let schema): output["json_schema"] = ["inline": schema.document]
    case .custom: break
    }
  }

  /// Whole bounds are written without fraction.
  private static func number(_ value: Double) -> JSONValue {
    Int64(exactly: value).map(JSONValue.integer) ?? (value.isFinite ? .number(value) : .string("\(value)"))
  }
}

extension Transformation {
  var document: JSONValue {
    var output: [String: JSONValue] = ["input": .array(input.map(JSONValue.string))]
    if !needs.isEmpty { output["needs"] = .array(needs.map(JSONValue.string)) }
    return .object(output)
  }
}

extension FieldCheck.PatternRule {
  var document: JSONValue {
    var output: [String: JSONValue] = ["pattern": .string(pattern)]
    if let error { output["err"] = .string(error) }
    return .object(output)
  }
}

extension EntityCheck {
  var document: JSONValue {
    func list(_ names: [String]) -> JSONValue { .array(names.map(JSONValue.string)) }
    switch self {
    case .atLeastOneOf(let names): return ["at_least_one_of": list(names)]
    case .onlyOneOf(let names): return ["only_one_of": list(names)]
    case .distinct(let names): return ["distinct": list(names)]
    case .mutuallyRequired(let names): return ["mutually_required": list(names)]
    case .mutuallyExclusive(let names): return ["mutually_exclusive": list(names)]
    case .mutuallyExclusiveSets(let first, let second):
      return ["mutually_exclusive_sets": ["set1": list(first), "set2": list(second)]]
    case .custom(let sources, _): return ["custom_entity_check": ["field_sources": list(sources)]]
    case .conditional(let condition):
      var output: [String: JSONValue] = [
        "if_field": .string(condition.ifField), "if_match": condition.ifMatch.document,
        "then_field": .string(condition.thenField), "then_match": condition.thenMatch.document,
      ]
      if let error = condition.thenError { output["then_err"] = .string(error) }
      return ["conditional": .object(output)]
    case .conditionalAtLeastOneOf(let condition):
      var output: [String: JSONValue] = [
        "if_field": .string(condition.ifField), "if_match": condition.ifMatch.document,
        "then_at_least_one_of": list(condition.thenAtLeastOneOf),
      ]
      if let error = condition.thenError { output["then_err"] = .string(error) }
      if let match = condition.elseMatch { output["else_match"] = match.document }
      if let names = condition.elseThenAtLeastOneOf { output["else_then_at_least_one_of"] = list(names) }
      if let error = condition.elseThenError { output["else_then_err"] = .string(error) }
      return ["conditional_at_least_one_of": .object(output)]
    }
  }
}

extension EntityCheck.ConditionMatch {
  var document: JSONValue {
    var output: [String: JSONValue] = [:]
    if let required { output["required"] = .bool(required) }
    for check in checks { check.add(to: &output) }
    if !elementChecks.isEmpty {
      var elements: [String: JSONValue] = ["type": "string"]
      for check in elementChecks { check.add(to: &elements) }
      output["elements"] = .object(elements)
    }
    return .object(output)
  }
}
