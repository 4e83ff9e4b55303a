extension SchemaReader {
  /// The names that an entity check may refer to.
  struct CheckScope {
    var fields: [RecordSchema.NamedField]
    /// Names of fields that the parent declares.
    var otherNames: Set<String> = []

    /// The field at a dotted path; `.some(nil)` for a field of the parent, of which no more is known.
    func field(at path: String) -> FieldSchema?? {
      var fields = fields
      var found: FieldSchema?
      let components = path.split(separator: ".", omittingEmptySubsequences: false)
      for (index, component) in components.enumerated() {
        guard let field = fields.first(where: { $0.name == component })?.schema else {
          return index == 0 && otherNames.contains(String(component)) ? .some(nil) : nil
        }
        found = field
        if case .record(let record) = field.kind { fields = record.fields } else { fields = [] }
      }
      return found.map { .some($0) }
    }
  }

  mutating func readEntityChecks(_ tree: SchemaTree?, at path: String, scope: CheckScope) -> [EntityCheck] {
    guard let tree else { return [] }
    guard let items = tree.sequence else {
      report(path, "expected an array")
      return []
    }
    guard items.count <= Limit.checks else {
      report(path, "there are too many checks (at most \(Limit.checks))")
      return []
    }
    var checks: [EntityCheck] = []
    for (index, item) in items.enumerated() {
      let path = "\(path).\(index + 1)"
      guard case .table(let entries) = item, entries.count == 1, case .name(let name) = entries[0].key else {
        report(path, "expected a table with exactly one check")
        continue
      }
      if let check = readEntityCheck(name, entries[0].value, at: "\(path).\(name)", scope: scope) {
        checks.append(check)
      }
    }
    return checks
  }

  private mutating func readEntityCheck(
    _ name: String, _ tree: SchemaTree, at path: String, scope: CheckScope
  ) -> EntityCheck? {
    switch name {
    case "at_least_one_of": return readNames(tree, at: path, scope: scope).map { .atLeastOneOf($0) }
    case "only_one_of": return readNames(tree, at: path, scope: scope).map { .onlyOneOf($0) }
    case "distinct": return readNames(tree, at: path, scope: scope).map { .distinct($0) }
    case "mutually_required": return readNames(tree, at: path, scope: scope).map { .mutuallyRequired($0) }
    case "mutually_exclusive": return readNames(tree, at: path, scope: scope).map { .mutuallyExclusive($0) }
    case "mutually_exclusive_sets":
      checkKeys(of: tree, ["set1", "set2"], at: path)
      guard tree.isTable, let first = readNames(tree["set1"], at: "\(path).set1", scope: scope),
        let second = readNames(tree["set2"], at: "\(path).set2", scope: scope)
      else { return nil }
      return .mutuallyExclusiveSets(first, second)
    case "conditional": return readConditional(tree, at: path, scope: scope)
    case "conditional_at_least_one_of": return readConditionalAtLeastOneOf(tree, at: path, scope: scope)
    case "custom_entity_check":
      report(
        path, "a check made of a function is not possible in a streamed schema; validate the values in the handler")
      return nil
    default:
      report(path, "unknown field")
      return nil
    }
  }

  private mutating func readConditional(_ tree: SchemaTree, at path: String, scope: CheckScope) -> EntityCheck? {
    checkKeys(of: tree, ["if_field", "if_match", "then_field", "then_match", "then_err"], at: path)
    guard tree.isTable else { return nil }
    let ifField = readName(tree["if_field"], at: "\(path).if_field", scope: scope)
    let thenField = readName(tree["then_field"], at: "\(path).then_field", scope: scope)
    guard let ifField, let thenField else { return nil }
    let ifMatch = readMatch(tree["if_match"], of: ifField.schema, at: "\(path).if_match")
    let thenMatch = readMatch(tree["then_match"], of: thenField.schema, at: "\(path).then_match")
    guard let ifMatch, let thenMatch else { return nil }
    return .conditional(
      .init(
        ifField: ifField.name, ifMatch: ifMatch, thenField: thenField.name, thenMatch: thenMatch,
        thenError: readString(tree["then_err"], at: "\(path).then_err")))
  }

  private mutating func readConditionalAtLeastOneOf(
    _ tree: SchemaTree, at path: String, scope: CheckScope
  ) -> EntityCheck? {
    checkKeys(
      of: tree,
      [
        "if_field", "if_match", "then_at_least_one_of", "then_err", "else_match", "else_then_at_least_one_of",
        "else_then_err",
      ], at: path)
    guard tree.isTable, let ifField = readName(tree["if_field"], at: "\(path).if_field", scope: scope),
      let ifMatch = readMatch(tree["if_match"], of: ifField.schema, at: "\(path).if_match"),
      let names = readNames(tree["then_at_least_one_of"], at: "\(path).then_at_least_one_of", scope: scope)
    else { return nil }
    var check = EntityCheck.ConditionalAtLeastOneOf(
      ifField: ifField.name, ifMatch: ifMatch, thenAtLeastOneOf: names)
    check.thenError = readString(tree["then_err"], at: "\(path).then_err")
    check.elseThenError = readString(tree["else_then_err"], at: "\(path).else_then_err")
    if let match = tree["else_match"] {
      check.elseMatch = readMatch(match, of: ifField.schema, at: "\(path).else_match")
    }
    if let names = tree["else_then_at_least_one_of"] {
      check.elseThenAtLeastOneOf = readNames(names, at: "\(path).else_then_at_least_one_of", scope: scope)
    }
    return .conditionalAtLeastOneOf(check)
  }

  /// Reads a match table; the type and other attributes repeated in it are those of the field anyway.
  private mutating func readMatch(
    _ tree: SchemaTree?, of field: FieldSchema?, at path: String
  ) -> EntityCheck.ConditionMatch? {
    guard let tree else {
      report(path, "required field missing")
      return nil
    }
    guard tree.isTable else {
      report(path, "expected a record")
      return nil
    }
    var match = EntityCheck.ConditionMatch()
    let field = field ?? FieldSchema(.string)
    let ignored: Set<String> = ["type", "description", "err", "default", "keys", "values", "fields"]
    for (name, value) in tree.namedEntries where !Self.checkAttributes.contains(name) && !ignored.contains(name) {
      switch name {
      case "required":
        match.required = value.bool
        if value.bool == nil { report("\(path).required", "expected a boolean") }
      case "elements":
        if !value.isTable { report("\(path).elements", "'elements' must be a table") }
        var element = FieldSchema(.string)
        switch field.kind {
        case .array(let schema), .set(let schema): element = schema
        default: break
        }
        match.elementChecks = readChecks(value, of: element, at: "\(path).elements")
      default: report("\(path).\(name)", "unknown field")
      }
    }
    match.checks = readChecks(tree, of: field, at: path)
    return match
  }

  private mutating func readName(
    _ tree: SchemaTree?, at path: String, scope: CheckScope
  ) -> (name: String, schema: FieldSchema?)? {
    guard let tree else {
      report(path, "required field missing")
      return nil
    }
    guard let name = readString(tree, at: path) else { return nil }
    guard let field = scope.field(at: name) else {
      report(path, "there is no field '\(name.prefix(100))' in this schema")
      return nil
    }
    return (name, field)
  }

  mutating func readNames(_ tree: SchemaTree?, at path: String, scope: CheckScope) -> [String]? {
    guard let names = readStrings(tree, at: path) else { return nil }
    guard names.count <= Limit.checks else {
      report(path, "there are too many names (at most \(Limit.checks))")
      return nil
    }
    for (index, name) in names.enumerated() where scope.field(at: name) == nil {
      report("\(path).\(index + 1)", "there is no field '\(name.prefix(100))' in this schema")
    }
    return names
  }

  private mutating func checkKeys(of tree: SchemaTree, _ known: Set<String>, at path: String) {
    guard tree.isTable else {
      report(path, "expected a record")
      return
    }
    for (name, _) in tree.namedEntries where !known.contains(name) { report("\(path).\(name)", "unknown field") }
  }
}
