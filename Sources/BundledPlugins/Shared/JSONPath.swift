import EntityModel

/// Where in a JSON document a transformation acts: a member, or with navigation `a.b`, `a[1]`, `a[*].b`.
struct JSONPath: Sendable {
  enum Step: Sendable, Equatable {
    case key(String)
    /// Counted from 0.
    case element(Int)
    case everyElement
  }

  let steps: [Step]

  /// A top-level member of that very name.
  init(key: String) { steps = [.key(key)] }

  /// Reads dots and brackets as navigation; nil if the brackets make no sense.
  init?(navigating text: String) {
    var steps: [Step] = []
    for part in text.split(separator: ".", omittingEmptySubsequences: false) {
      var rest = part
      let end = rest.firstIndex(of: "[") ?? rest.endIndex
      if end > rest.startIndex {
        steps.append(.key(String(rest[..<end])))
      } else if rest.isEmpty {
        return nil
      }
      rest = rest[end...]
      while rest.hasPrefix("[") {
        guard let close = rest.firstIndex(of: "]") else { return nil }
        let inner = rest[rest.index(after: rest.startIndex)..<close]
        if inner == "*" {
          steps.append(.everyElement)
        } else if let number = Int(inner), number > 0 {
          steps.append(.element(number - 1))
        } else {
          return nil
        }
        rest = rest[rest.index(after: close)...]
      }
      guard rest.isEmpty else { return nil }
    }
    guard !steps.isEmpty else { return nil }
    self.steps = steps
  }

  /// Whether the path stands for one place.
  var isSingle: Bool { !steps.contains(.everyElement) }

  /// Puts in place of what is there what `change` makes of it; nil stands for nothing.
  ///
  /// - Parameter creating: whether missing objects on the way are made.
  func apply(
    to value: JSONValue, creating: Bool = false, _ change: (JSONValue?) -> JSONValue?
  ) -> JSONValue {
    Self.apply(steps[...], to: value, creating, change) ?? .null
  }

  func value(in document: JSONValue) -> JSONValue? {
    var current = document
    for step in steps {
      switch (step, current) {
      case (.key(let key), .object(let members)):
        guard let member = members[key] else { return nil }
        current = member
      case (.element(let index), .array(let elements)):
        guard elements.indices.contains(index) else { return nil }
        current = elements[index]
      default: return nil
      }
    }
    return current
  }

  private static func apply(
    _ steps: ArraySlice<Step>, to value: JSONValue?, _ creating: Bool, _ change: (JSONValue?) -> JSONValue?
  ) -> JSONValue? {
    guard let step = steps.first else { return change(value) }
    let rest = steps.dropFirst()
    switch (step, value) {
    case (.key(let key), .some(.object(var members))):
      members[key] = apply(rest, to: members[key], creating, change)
      return .object(members)
    case (.key(let key), nil) where creating:
      return apply(rest, to: nil, creating, change).map { .object([key: $0]) }
    case (.element(let index), .some(.array(var elements))):
      guard elements.indices.contains(index) else { return value }
      if let changed = apply(rest, to: elements[index], creating, change) {
        elements[index] = changed
      } else {
        elements.remove(at: index)
      }
      return .array(elements)
    case (.everyElement, .some(.array(let elements))):
      return .array(elements.compactMap { apply(rest, to: $0, creating, change) })
    default: return value
    }
  }
}

/// The type that a text of the configuration is given in JSON.
enum JSONCast: String, Sendable {
  case boolean, number, string

  /// Nil if the text is no number where one is asked for.
  func value(of text: String) -> JSONValue? {
    switch self {
    case .string: return .string(text)
    case .boolean: return .bool(text == "true")
    case .number:
      guard let number = LuaNumber.parse(text) else { return nil }
      if let whole = Int64(exactly: number) { return .integer(whole) }
      return .number(number)
    }
  }
}

extension JSONValue? {
  /// As Lua sees it: absent and false are not, null is.
  var isTruthy: Bool {
    switch self {
    case nil, .some(.bool(false)): false
    default: true
    }
  }
}

extension JSONValue {
  /// What `append` makes of a member: a text becomes a list with the new value, a list grows, anything else is
  /// replaced by a list. Source: Kong fact, bundled-16 §10; an object grows by numbered members as Lua's tables do.
  static func appending(_ value: JSONValue, to current: JSONValue?) -> JSONValue {
    switch current {
    case .some(.string): return .array([current ?? .null, value])
    case .some(.array(let elements)): return .array(elements + [value])
    case .some(.object(var members)) where !members.isEmpty:
      var place = 1
      while members[String(place)] != nil { place += 1 }
      members[String(place)] = value
      return .object(members)
    default: return .array([value])
    }
  }
}
