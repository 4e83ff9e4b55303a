extension SchemaReader {
  /// Attributes that are validators of the field's value.
  static let checkAttributes: Set<String> = [
    "eq", "ne", "not_one_of", "one_of", "gt", "timestamp", "uuid", "is_regex", "between", "len_eq", "len_min",
    "len_max", "starts_with", "not_match", "match_none", "match", "match_all", "match_any", "contains",
    "custom_validator", "mutually_exclusive_subsets",
  ]

  /// Reads the validators among a table's attributes; `field` says what kind of value they judge.
  mutating func readChecks(_ tree: SchemaTree, of field: FieldSchema, at path: String) -> [FieldCheck] {
    tree.namedEntries.compactMap { name, value in
      Self.checkAttributes.contains(name) ? readCheck(name, value, of: field, at: "\(path).\(name)") : nil
    }
  }

  private mutating func readCheck(
    _ name: String, _ tree: SchemaTree, of field: FieldSchema, at path: String
  ) -> FieldCheck? {
    switch name {
    case "eq": readValue(tree, of: field, at: path).map { .equal($0) }
    case "ne": readValue(tree, of: field, at: path).map { .notEqual($0) }
    case "not_one_of": readValues(tree, of: field, at: path).map { .notOneOf($0) }
    case "one_of": readValues(tree, of: field, at: path).map { .oneOf($0) }
    case "gt": readNumber(tree, at: path).map { .greaterThan($0) }
    case "timestamp": readSwitch(tree, at: path) ? .timestamp : nil
    case "uuid": readSwitch(tree, at: path) ? .uuid : nil
    case "is_regex": readSwitch(tree, at: path) ? .isRegex : nil
    case "between": readRange(tree, at: path)
    case "len_eq": readLength(tree, at: path).map { .lengthEqual($0) }
    case "len_min": readLength(tree, at: path).map { .lengthAtLeast($0) }
    case "len_max": readLength(tree, at: path).map { .lengthAtMost($0) }
    case "starts_with": readString(tree, at: path).map { .startsWith($0) }
    case "not_match": readPattern(tree, at: path).map { .notMatch($0) }
    case "match": readPattern(tree, at: path).map { .match($0) }
    case "match_none": readRules(tree, at: path).map { .matchNone($0) }
    case "match_all": readRules(tree, at: path).map { .matchAll($0) }
    case "match_any": readAlternatives(tree, at: path)
    case "contains": readContained(tree, of: field, at: path).map { .contains($0) }
    case "custom_validator": readValidator(tree, at: path)
    case "mutually_exclusive_subsets": readSubsets(tree, at: path)
    default: nil
    }
  }

  private mutating func readValue(_ tree: SchemaTree, of field: FieldSchema, at path: String) -> JSONValue? {
    if case .null = tree { return .null }
    return convert(tree, to: field, at: path)
  }

  private mutating func readValues(_ tree: SchemaTree, of field: FieldSchema, at path: String) -> [JSONValue]? {
    guard let items = tree.sequence else {
      report(path, "expected an array")
      return nil
    }
    // The matches of conditional checks give plain values for the elements of arrays as well.
    let values = items.compactMap { $0.json() }
    if values.count < items.count { report(path, "expected plain values") }
    return values
  }

  private mutating func readContained(_ tree: SchemaTree, of field: FieldSchema, at path: String) -> JSONValue? {
    switch field.kind {
    case .array(let elements), .set(let elements): convert(tree, to: elements, at: path)
    default: tree.json()
    }
  }

  private mutating func readNumber(_ tree: SchemaTree, at path: String) -> Double? {
    guard let number = tree.number, number.isFinite else {
      report(path, "expected a number")
      return nil
    }
    return number
  }

  private mutating func readLength(_ tree: SchemaTree, at path: String) -> Int? {
    guard let length = tree.integer else {
      report(path, "expected an integer")
      return nil
    }
    guard length >= 0 else {
      report(path, "a length cannot be negative")
      return nil
    }
    return length
  }

  private mutating func readSwitch(_ tree: SchemaTree, at path: String) -> Bool {
    if let value = tree.bool { return value }
    report(path, "expected a boolean")
    return false
  }

  private mutating func readRange(_ tree: SchemaTree, at path: String) -> FieldCheck? {
    guard let items = tree.sequence else {
      report(path, "expected an array")
      return nil
    }
    guard items.count == 2 else {
      report(path, "length must be 2")
      return nil
    }
    guard let low = items[0].number, let high = items[1].number, !low.isNaN, !high.isNaN else {
      report(path, "expected a number")
      return nil
    }
    guard low <= high else {
      report(path, "the lower bound is above the upper bound")
      return nil
    }
    return .between(low, high)
  }

  private mutating func readPattern(_ tree: SchemaTree, at path: String) -> String? {
    guard let pattern = readString(tree, at: path) else { return nil }
    if let problem = LuaPatternSyntax.problem(in: pattern) {
      report(path, "'\(pattern.prefix(100))' is not a Lua pattern: \(problem)")
      return nil
    }
    return pattern
  }

  private mutating func readRules(_ tree: SchemaTree, at path: String) -> [FieldCheck.PatternRule]? {
    guard let items = tree.sequence else {
      report(path, "expected an array")
      return nil
    }
    var rules: [FieldCheck.PatternRule] = []
    for (index, item) in items.enumerated() {
      let path = "\(path).\(index + 1)"
      guard item.isTable else {
        report(path, "expected a record")
        continue
      }
      for (name, _) in item.namedEntries where name != "pattern" && name != "err" {
        report("\(path).\(name)", "unknown field")
      }
      guard let patternTree = item["pattern"] else {
        report("\(path).pattern", "required field missing")
        continue
      }
      guard let pattern = readPattern(patternTree, at: "\(path).pattern") else { continue }
      rules.append(.init(pattern: pattern, error: readString(item["err"], at: "\(path).err")))
    }
    return rules
  }

  private mutating func readAlternatives(_ tree: SchemaTree, at path: String) -> FieldCheck? {
    guard tree.isTable else {
      report(path, "expected a record")
      return nil
    }
    for (name, _) in tree.namedEntries where name != "patterns" && name != "err" {
      report("\(path).\(name)", "unknown field")
    }
    guard let patterns = readStrings(tree["patterns"], at: "\(path).patterns") else { return nil }
    for (index, pattern) in patterns.enumerated() {
      _ = readPattern(.string(pattern), at: "\(path).patterns.\(index + 1)")
    }
    return .matchAny(patterns, error: readString(tree["err"], at: "\(path).err"))
  }

  private mutating func readSubsets(_ tree: SchemaTree, at path: String) -> FieldCheck? {
    guard let items = tree.sequence else {
      report(path, "expected an array")
      return nil
    }
    var sets: [[String]] = []
    for (index, item) in items.enumerated() {
      guard let set = readStrings(item, at: "\(path).\(index + 1)") else { return nil }
      sets.append(set)
    }
    return .mutuallyExclusiveSubsets(sets)
  }

  private mutating func readValidator(_ tree: SchemaTree, at path: String) -> FieldCheck? {
    guard case .validator(let name) = tree, let check = Typedefs.check(named: name) else {
      report(path, "expected a function")
      return nil
    }
    return check
  }
}
