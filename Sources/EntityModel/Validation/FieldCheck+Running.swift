extension FieldCheck {
  /// Position in Kong's order of validators.
  var rank: Int {
    switch self {
    case .equal: 1
    case .notEqual: 2
    case .notOneOf: 3
    case .oneOf: 4
    case .greaterThan: 5
    case .timestamp: 6
    case .uuid: 7
    case .isRegex: 8
    case .between: 9
    case .lengthEqual: 10
    case .lengthAtLeast: 11
    case .lengthAtMost: 12
    case .startsWith: 13
    case .notMatch: 14
    case .matchNone: 15
    case .match: 16
    case .matchAll: 17
    case .matchAny: 18
    case .contains: 19
    case .custom: 20
    case .mutuallyExclusiveSubsets: 21
    case .jsonSchema: 22
    }
  }

  /// The message of a violation by a value that is not null and has the right type.
  func violation(by value: JSONValue) -> String? {
    switch self {
    case .equal(let expected):
      return value == expected ? nil : "value must be \(Self.text(of: expected))"
    case .notEqual(let unwanted):
      return value == unwanted ? "value must not be \(Self.text(of: unwanted))" : nil
    case .notOneOf(let unwanted):
      return unwanted.contains(value) ? "must not be one of: \(Self.list(unwanted))" : nil
    case .oneOf(let expected):
      return expected.contains(value) ? nil : "expected one of: \(Self.list(expected))"
    case .greaterThan(let limit):
      guard let number = value.double, number <= limit else { return nil }
      return "value must be greater than \(LuaTableText.number(limit))"
    case .timestamp:
      guard let number = value.double, number <= 0 else { return nil }
      return "expected a valid timestamp"
    case .uuid:
      guard let text = value.string, !UUIDText.isUUID(text) else { return nil }
      return "expected a valid UUID"
    case .isRegex:
      guard let text = value.string, !ValueChecks.isRegex(text) else { return nil }
      return "not a valid regex: \(text)"
    case .between(let lower, let upper):
      guard let number = value.double, number < lower || number > upper else { return nil }
      return "value should be between \(Self.wholeText(lower)) and \(Self.wholeText(upper))"
    case .lengthEqual(let count): return Self.length(of: value) == count ? nil : "length must be \(count)"
    case .lengthAtLeast(let count):
      return Self.length(of: value) >= count ? nil : "length must be at least \(count)"
    case .lengthAtMost(let count):
      return Self.length(of: value) <= count ? nil : "length must be at most \(count)"
    case .contains(let element):
      return value.array?.contains(element) == true ? nil : "expected to contain: \(Self.text(of: element))"
    case .custom(_, let check): return check(value)
    case .jsonSchema(let schema): return schema.violation(of: value)
    case .mutuallyExclusiveSubsets(let subsets):
      let present = Set((value.array ?? []).compactMap(\.string))
      let groups = subsets.map { $0.filter(present.contains) }.filter { !$0.isEmpty }
      guard groups.count > 1 else { return nil }
      return "these sets are mutually exclusive: \(Self.groups(groups))"
    case .startsWith, .notMatch, .matchNone, .match, .matchAll, .matchAny: return patternViolation(by: value)
    }
  }

  private func patternViolation(by value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    let invalid = "invalid value: \(text)"
    // A pattern that runs out of its budget decides nothing in favour of the value.
    func matches(_ pattern: String) -> Bool? { LuaPattern(pattern).matches(text) }
    switch self {
    case .startsWith(let prefix): return text.hasPrefix(prefix) ? nil : "should start with: \(prefix)"
    case .notMatch(let pattern): return matches(pattern) == false ? nil : invalid
    case .match(let pattern): return matches(pattern) == true ? nil : invalid
    case .matchNone(let rules):
      return rules.first { matches($0.pattern) != false }.map { $0.error ?? invalid }
    case .matchAll(let rules):
      return rules.first { matches($0.pattern) != true }.map { $0.error ?? invalid }
    case .matchAny(let patterns, let error):
      return patterns.contains { matches($0) == true } ? nil : error ?? invalid
    default: return nil
    }
  }

  static func length(of value: JSONValue) -> Int {
    switch value {
    case .string(let text): text.utf8.count
    case .array(let elements): elements.count
    case .object(let members): members.count
    default: 0
    }
  }

  /// A value as Lua's `tostring` writes it.
  static func text(of value: JSONValue) -> String {
    if case .string(let text) = value { text } else { LuaTableText.compact(value) }
  }

  private static func list(_ values: [JSONValue]) -> String { values.map(text).joined(separator: ", ") }

  static func groups(_ groups: [[String]]) -> String {
    groups.map { "(" + $0.map { "'\($0)'" }.joined(separator: ", ") + ")" }.joined(separator: ", ")
  }

  /// A bound as C's `%d` writes it.
  private static func wholeText(_ value: Double) -> String {
    Int64(exactly: value.rounded(.towardZero)).map(String.init) ?? LuaTableText.number(value)
  }
}
