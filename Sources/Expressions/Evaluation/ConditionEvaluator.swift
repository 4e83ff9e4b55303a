import Patterns

/// Evaluates one condition for one request.
struct ConditionEvaluator<Context: ConditionContext> {
  let context: Context
  private var variables: [ConditionValue] = []
  /// Elements that macros may still visit: nested macros over long lists must end.
  private var remainingSteps = 100_000
  /// Bytes that `+` may still make, for the same reason.
  private var remainingText = 1 << 20

  init(context: Context) { self.context = context }

  mutating func condition(_ node: ConditionNode) throws(ConditionRuntimeError) -> Bool {
    if case .withDefault(let node, let fallback) = node {
      do {
        return try bool(node, for: "a condition")
      } catch {
        variables.removeAll()
        return try bool(fallback, for: "default()")
      }
    }
    return try bool(node, for: "a condition")
  }

  // MARK: Booleans

  private mutating func bool(_ node: ConditionNode, for user: String) throws(ConditionRuntimeError) -> Bool {
    switch node {
    case .fieldTest(let test, let field, let part): return try holds(test, field, part)
    case .fieldEquals(let field, let text, let isNegated): return try equals(field, text) != isNegated
    case .fieldIsOneOf(let field, let texts): return try isOneOf(field, texts)
    case .not(let operand): return try !bool(operand, for: "'!'")
    case .all(let operands): return try decide(operands, "'&&'", decisive: false)
    case .any(let operands): return try decide(operands, "'||'", decisive: true)
    case .equal(let left, let right, let isNegated):
      return ConditionValue.areEqual(try value(left), try value(right)) != isNegated
    case .ordered(let relation, let left, let right): return try isOrdered(relation, left, right)
    case .contained(let element, let collection): return try isContained(element, collection)
    case .hasField(let field):
      switch context.value(of: field) {
      case .missing, .null: return false
      default: return true
      }
    case .hasKey(let base, let key):
      switch try value(base) {
      case .map(let map): return map[key] != nil
      case .null: return false
      case let other: throw Self.wrong("has()", "a map", base, other)
      }
    case .stringTest(let test, let text, let part): return try holds(test, text, part)
    case .matches(let text, let pattern): return try matches(text, pattern)
    case .quantified(let quantifier, let list, let variable, let predicate):
      return try quantified(quantifier, list, variable, predicate)
    default:
      let result = try value(node)
      guard case .bool(let bool) = result else { throw Self.wrong(user, "a boolean", node, result) }
      return bool
    }
  }

  /// `&&` and `||` of CEL: one decisive operand decides, whatever error the others give.
  private mutating func decide(
    _ operands: [ConditionNode], _ name: String, decisive: Bool
  ) throws(ConditionRuntimeError) -> Bool {
    var failure: ConditionRuntimeError?
    let depth = variables.count
    for operand in operands {
      do {
        if try bool(operand, for: name) == decisive { return decisive }
      } catch {
        failure = failure ?? error
        variables.removeSubrange(depth...)
      }
    }
    if let failure { throw failure }
    return !decisive
  }

  private mutating func isOrdered(
    _ relation: BinaryOperator, _ left: ConditionNode, _ right: ConditionNode
  ) throws(ConditionRuntimeError) -> Bool {
    let leftValue = try value(left)
    let rightValue = try value(right)
    let result =
      switch relation {
      case .less: ConditionValue.isLess(leftValue, rightValue)
      case .greater: ConditionValue.isLess(rightValue, leftValue)
      case .lessOrEqual: ConditionValue.isLess(rightValue, leftValue).map(!)
      default: ConditionValue.isLess(leftValue, rightValue).map(!)
      }
    guard let result else {
      throw ConditionRuntimeError(
        reason: "'\(relation.rawValue)' cannot compare \(leftValue.typeName) with \(rightValue.typeName)"
          + " (\(left.label), \(right.label))")
    }
    return result
  }

  private mutating func isContained(
    _ element: ConditionNode, _ collection: ConditionNode
  ) throws(ConditionRuntimeError) -> Bool {
    let element = try value(element)
    switch try value(collection) {
    case .list(let list): return list.contains { ConditionValue.areEqual($0, element) }
    case .map(let map):
      guard case .string(let key) = element else { return false }
      return map[key] != nil
    case let other: throw Self.wrong("'in'", "a list", collection, other)
    }
  }

  // MARK: Strings

  private mutating func holds(
    _ test: ConditionNode.StringTest, _ text: ConditionNode, _ part: ConditionNode
  ) throws(ConditionRuntimeError) -> Bool {
    let textValue = try value(text)
    let partValue = try value(part)
    if test == .contains {
      switch textValue {
      case .list(let list): return list.contains { ConditionValue.areEqual($0, partValue) }
      case .map(let map):
        guard case .string(let key) = partValue else { return false }
        return map[key] != nil
      default: break
      }
    }
    guard case .string(var text) = textValue else {
      throw Self.wrong("\(test.rawValue)()", "a string", text, textValue)
    }
    guard case .string(var part) = partValue else {
      throw Self.wrong("\(test.rawValue)()", "a string", part, partValue)
    }
    return text.withUTF8 { text in
      part.withUTF8 { part in test.holds(UnsafeRawBufferPointer(text), UnsafeRawBufferPointer(part)) }
    }
  }

  private func holds(
    _ test: ConditionNode.StringTest, _ field: ConditionField, _ part: [UInt8]
  ) throws(ConditionRuntimeError) -> Bool {
    try onText(of: field, "\(test.rawValue)()") { text in part.withUnsafeBytes { test.holds(text, $0) } }
  }

  private mutating func matches(
    _ text: ConditionNode, _ pattern: RE2Pattern
  ) throws(ConditionRuntimeError) -> Bool {
    if case .field(let field) = text { return try onText(of: field, "matches()") { pattern.matches($0) } }
    let value = try value(text)
    guard case .string(let string) = value else { throw Self.wrong("matches()", "a string", text, value) }
    return pattern.matches(string)
  }

  private func equals(_ field: ConditionField, _ text: [UInt8]) throws(ConditionRuntimeError) -> Bool {
    var result = false
    let hasBytes = context.withBytes(of: field) { bytes in result = bytes.elementsEqual(text) }
    if hasBytes { return result }
    guard case .string(let string) = try value(of: field) else { return false }
    return string.utf8.elementsEqual(text)
  }

  private func isOneOf(_ field: ConditionField, _ texts: [[UInt8]]) throws(ConditionRuntimeError) -> Bool {
    var result = false
    let hasBytes = context.withBytes(of: field) { bytes in result = texts.contains { bytes.elementsEqual($0) } }
    if hasBytes { return result }
    guard case .string(let string) = try value(of: field) else { return false }
    return texts.contains { string.utf8.elementsEqual($0) }
  }

  private func onText(
    of field: ConditionField, _ user: String, _ test: (UnsafeRawBufferPointer) -> Bool
  ) throws(ConditionRuntimeError) -> Bool {
    var result = false
    let hasBytes = context.withBytes(of: field) { result = test($0) }
    if hasBytes { return result }
    let value = try value(of: field)
    guard case .string(var string) = value else { throw Self.wrong(user, "a string", .field(field), value) }
    return string.withUTF8 { test(UnsafeRawBufferPointer($0)) }
  }

  // MARK: Values

  private func value(of field: ConditionField) throws(ConditionRuntimeError) -> ConditionValue {
    let value = context.value(of: field)
    if case .missing = value { throw ConditionRuntimeError(reason: "\(field) does not exist; ask has(\(field)) first") }
    return value
  }

  private mutating func value(_ node: ConditionNode) throws(ConditionRuntimeError) -> ConditionValue {
    switch node {
    case .constant(let value): return value
    case .field(let field): return try value(of: field)
    case .variable(let place): return variables[place]
    case .key(let base, let key): return try member(base, key)
    case .index(let base, let index): return try element(base, index)
    case .list(let nodes):
      var values: [ConditionValue] = []
      for node in nodes { values.append(try value(node)) }
      return .list(values)
    case .concatenation(let operands):
      var text = ""
      for operand in operands {
        let value = try value(operand)
        guard case .string(let part) = value else { throw Self.wrong("'+'", "a string", operand, value) }
        remainingText -= part.utf8.count
        guard remainingText >= 0 else { throw ConditionRuntimeError(reason: "the condition makes too much text") }
        text += part
      }
      return .string(text)
    case .size(let operand):
      switch try value(operand) {
      case .string(let text): return .int(Int64(text.unicodeScalars.count))
      case .list(let list): return .int(Int64(list.count))
      case .map(let map): return .int(Int64(map.count))
      case let other: throw Self.wrong("size()", "a string, list or map", operand, other)
      }
    case .transformed(let list, let variable, let filter, let result):
      return try transformed(list, variable, filter, result)
    case .withDefault, .not, .all, .any, .equal, .ordered, .contained, .hasField, .hasKey, .stringTest, .matches,
      .quantified, .fieldTest, .fieldEquals, .fieldIsOneOf:
      return .bool(try bool(node, for: "an operand"))
    }
  }

  private mutating func member(_ base: ConditionNode, _ key: String) throws(ConditionRuntimeError) -> ConditionValue {
    switch try value(base) {
    case .map(let map):
      guard let value = map[key] else {
        throw ConditionRuntimeError(
          reason: "\(base.label) has no key '\(key)'; ask has(\(base.label).\(key)) first")
      }
      return value
    case let other: throw Self.wrong("'.\(key)'", "a map", base, other)
    }
  }

  private mutating func element(
    _ base: ConditionNode, _ index: ConditionNode
  ) throws(ConditionRuntimeError) -> ConditionValue {
    let index = try value(index)
    switch (try value(base), index) {
    case (.list(let list), .int(let place)):
      guard place >= 0, place < list.count else {
        throw ConditionRuntimeError(reason: "\(base.label) has \(list.count) elements, none at \(place)")
      }
      return list[Int(place)]
    case (.map(let map), .string(let key)):
      guard let value = map[key] else { throw ConditionRuntimeError(reason: "\(base.label) has no key '\(key)'") }
      return value
    case (let other, _):
      throw ConditionRuntimeError(
        reason: "'[]' cannot take \(index.typeName) out of \(other.typeName) (\(base.label))")
    }
  }

  // MARK: Macros

  private mutating func elements(_ node: ConditionNode, _ user: String) throws(ConditionRuntimeError)
    -> [ConditionValue]
  {
    let elements: [ConditionValue]
    switch try value(node) {
    case .list(let list): elements = list
    case .map(let map): elements = map.keys.sorted().map { .string($0) }
    case let other: throw Self.wrong("\(user)()", "a list", node, other)
    }
    remainingSteps -= elements.count
    guard remainingSteps >= 0 else { throw ConditionRuntimeError(reason: "the condition visits too many elements") }
    return elements
  }

  private mutating func quantified(
    _ quantifier: ConditionNode.Quantifier, _ list: ConditionNode, _ variable: Int, _ predicate: ConditionNode
  ) throws(ConditionRuntimeError) -> Bool {
    let decisive = quantifier == .exists
    var failure: ConditionRuntimeError?
    for element in try elements(list, quantifier.rawValue) {
      bind(variable, element)
      do {
        if try bool(predicate, for: "\(quantifier.rawValue)()") == decisive {
          variables.removeSubrange(variable...)
          return decisive
        }
      } catch {
        failure = failure ?? error
      }
    }
    if variable < variables.count { variables.removeSubrange(variable...) }
    if let failure { throw failure }
    return !decisive
  }

  private mutating func transformed(
    _ list: ConditionNode, _ variable: Int, _ filter: ConditionNode?, _ result: ConditionNode?
  ) throws(ConditionRuntimeError) -> ConditionValue {
    let user = result == nil ? "filter" : "map"
    var values: [ConditionValue] = []
    for element in try elements(list, user) {
      bind(variable, element)
      if let filter, try !bool(filter, for: "\(user)()") { continue }
      if let result { values.append(try value(result)) } else { values.append(element) }
    }
    if variable < variables.count { variables.removeSubrange(variable...) }
    return .list(values)
  }

  private mutating func bind(_ place: Int, _ value: ConditionValue) {
    variables.removeSubrange(min(place, variables.count)...)
    variables.append(value)
  }

  private static func wrong(
    _ user: String, _ wanted: String, _ node: ConditionNode, _ value: ConditionValue
  ) -> ConditionRuntimeError {
    ConditionRuntimeError(reason: "\(user) needs \(wanted), but \(node.label) is \(value.typeName)")
  }
}
