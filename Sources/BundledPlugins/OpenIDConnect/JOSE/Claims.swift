import EntityModel

/// What a token, an introspection answer or a user info says.
struct Claims: Sendable {
  let members: [String: JSONValue]

  init(_ members: [String: JSONValue]) { self.members = members }

  subscript(name: String) -> JSONValue? { members[name] }

  /// The value at the end of a path through nested objects; null counts as nothing.
  func value(at path: [String]) -> JSONValue? {
    var current: JSONValue? = .object(members)
    for name in path { current = current?[name] }
    guard let current, !current.isNull else { return nil }
    return current
  }

  /// The members of a claim that is a list or a text with blanks in between.
  func words(at path: [String]) -> [String] {
    switch value(at: path) {
    case .some(.array(let values)): values.compactMap(Self.text)
    case .some(.string(let text)): text.split(whereSeparator: \.isWhitespace).map(String.init)
    case .some(let value): Self.text(value).map { [$0] } ?? []
    case nil: []
    }
  }

  func text(at path: [String]) -> String? { value(at: path).flatMap(Self.text) }

  /// A single value as text; nil for lists and objects.
  static func text(_ value: JSONValue) -> String? {
    switch value {
    case .string(let text): text
    case .integer(let number): String(number)
    case .number(let number): String(number)
    case .bool(let flag): String(flag)
    case .null, .array, .object: nil
    }
  }
}

/// Values of which a claim must have some: each element is met when all its words are there, one element is enough.
///
/// Source: Kong fact, bundled-16 §5 "Authorization".
struct ClaimRequirement: Sendable {
  let path: [String]
  let alternatives: [[String]]

  /// Nil if nothing is required.
  init?(path: [String], required: [String]) {
    guard !required.isEmpty else { return nil }
    self.path = path
    alternatives = required.map { $0.split(separator: " ").map(String.init) }
  }

  func isMet(by words: [String]) -> Bool {
    let present = Set(words)
    return alternatives.contains { !$0.isEmpty && $0.allSatisfy(present.contains) }
  }
}
