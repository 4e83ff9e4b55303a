/// Resolves names, checks types as far as they are known, and compiles what can be compiled before a request comes.
struct ConditionCompiler {
  typealias Typed = (node: ConditionNode, type: ConditionType)

  /// Variables of the macros around, the innermost last.
  var variables: [(name: String, type: ConditionType)] = []

  mutating func compile(condition syntax: SyntaxNode) throws(ConditionSyntaxError) -> ConditionNode {
    guard case .call("default", target: nil, let arguments) = syntax.kind else {
      let (node, type) = try compile(syntax)
      guard type.mayBe(.bool) else {
        throw syntax.position.error("the condition must be true or false, but is \(type.name)")
      }
      return node
    }
    guard arguments.count == 2 else {
      throw syntax.position.error("default() takes two arguments: a condition and true or false")
    }
    let (node, type) = try compile(arguments[0])
    guard type.mayBe(.bool) else {
      throw arguments[0].position.error("the first argument of default() must be a condition, but is \(type.name)")
    }
    let (fallback, fallbackType) = try compile(arguments[1])
    guard fallbackType == .bool else {
      throw arguments[1].position.error("the second argument of default() must be true or false")
    }
    return .withDefault(node, fallback)
  }

  mutating func compile(_ syntax: SyntaxNode) throws(ConditionSyntaxError) -> Typed {
    switch syntax.kind {
    case .literal(let value): return (.constant(value), Self.type(of: value))
    case .identifier, .select: return try compileName(syntax)
    case .index(let base, let index):
      if case .literal(.string) = index.kind, names(syntax) != nil { return try compileName(syntax) }
      return try compileIndex(base, index, syntax.position)
    case .call(let name, let target, let arguments): return try compileCall(name, target, arguments, syntax.position)
    case .list(let elements):
      let typed = try compileAll(elements)
      let types = Set(typed.map(\.type))
      let type = types.count == 1 ? types.first ?? .dynamic : .dynamic
      let constants = typed.compactMap { element in
        if case .constant(let value) = element.node { value } else { nil }
      }
      let isConstant = constants.count == typed.count
      return (isConstant ? .constant(.list(constants)) : .list(typed.map(\.node)), .list(type))
    case .not(let operand):
      let (node, _) = try compile(operand, as: .bool, for: "'!'")
      return (.not(node), .bool)
    case .all(let operands): return (.all(try booleans(operands, "'&&'")), .bool)
    case .any(let operands): return (.any(try booleans(operands, "'||'")), .bool)
    case .sum(let operands):
      var nodes: [ConditionNode] = []
      for operand in operands { nodes.append(try compile(operand, as: .string, for: "'+'").node) }
      return (.concatenation(nodes), .string)
    case .binary(let relation, let left, let right):
      return try compileBinary(relation, left, right, syntax.position)
    }
  }

  /// Compiles an operand that must be of a type.
  mutating func compile(
    _ syntax: SyntaxNode, as type: ConditionType, for user: String
  ) throws(ConditionSyntaxError) -> Typed {
    let typed = try compile(syntax)
    guard typed.type.mayBe(type) else {
      throw syntax.position.error("\(user) needs \(type.name), but found \(typed.type.name)")
    }
    return typed
  }

  // MARK: Operators

  private mutating func booleans(_ operands: [SyntaxNode], _ user: String) throws(ConditionSyntaxError)
    -> [ConditionNode]
  {
    var nodes: [ConditionNode] = []
    for operand in operands { nodes.append(try compile(operand, as: .bool, for: user).node) }
    return nodes
  }

  private mutating func compileAll(_ nodes: [SyntaxNode]) throws(ConditionSyntaxError) -> [Typed] {
    var typed: [Typed] = []
    for node in nodes { typed.append(try compile(node)) }
    return typed
  }

  private mutating func compileBinary(
    _ relation: BinaryOperator, _ left: SyntaxNode, _ right: SyntaxNode, _ position: SourcePosition
  ) throws(ConditionSyntaxError) -> Typed {
    let leftOperand = try compile(left)
    let rightOperand = try compile(right)
    let types = (leftOperand.type, rightOperand.type)
    switch relation {
    case .equal, .notEqual:
      guard types.0 == .null || types.1 == .null || types.0.mayBe(types.1) else {
        throw position.error("'\(relation.rawValue)' compares \(types.0.name) with \(types.1.name)")
      }
      return (equality(leftOperand.node, rightOperand.node, isNegated: relation == .notEqual), .bool)
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      let canOrder = [types.0, types.1].allSatisfy { $0.mayBe(.int) || $0.mayBe(.string) }
      guard canOrder, types.0.mayBe(types.1) else {
        throw position.error(
          "'\(relation.rawValue)' needs two numbers or two strings, but found \(types.0.name) and \(types.1.name)")
      }
      return (.ordered(relation, leftOperand.node, rightOperand.node), .bool)
    case .contained:
      guard types.1.isCollection else {
        throw right.position.error(
          "'in' needs a list or a map on its right, but found \(types.1.name)"
            + (types.1 == .string ? "; use contains() for strings" : ""))
      }
      let element: ConditionType =
        switch types.1 {
        case .list(let element): element
        case .map: .string
        default: .dynamic
        }
      guard types.0 == .null || types.0.mayBe(element) else {
        throw position.error("'in' looks for \(types.0.name) among \(types.1.name)")
      }
      return (membership(leftOperand.node, rightOperand.node), .bool)
    }
  }

  private func equality(_ left: ConditionNode, _ right: ConditionNode, isNegated: Bool) -> ConditionNode {
    switch (left, right) {
    case (.field(let field), .constant(.string(let text))), (.constant(.string(let text)), .field(let field)):
      .fieldEquals(field, Array(text.utf8), isNegated: isNegated)
    default: .equal(left, right, isNegated: isNegated)
    }
  }

  private func membership(_ element: ConditionNode, _ collection: ConditionNode) -> ConditionNode {
    switch (element, collection) {
    case (.constant(.string(let key)), .field(.shared)): return .hasField(.sharedKey(key))
    case (.field(let field), .constant(.list(let values))):
      let texts = values.compactMap { value in
        if case .string(let text) = value { Array(text.utf8) } else { nil }
      }
      if texts.count == values.count { return .fieldIsOneOf(field, texts) }
    default: break
    }
    return .contained(element, in: collection)
  }

  private mutating func compileIndex(
    _ base: SyntaxNode, _ index: SyntaxNode, _ position: SourcePosition
  ) throws(ConditionSyntaxError) -> Typed {
    let container = try compile(base)
    let place = try compile(index)
    let (wanted, result): (ConditionType, ConditionType)
    switch container.type {
    case .list(let element): (wanted, result) = (.int, element)
    case .map: (wanted, result) = (.string, .dynamic)
    case .dynamic: (wanted, result) = (.dynamic, .dynamic)
    default: throw position.error("'[]' needs a list or a map, but found \(container.type.name)")
    }
    guard place.type.mayBe(wanted) else {
      throw index.position.error("'[]' on \(container.type.name) needs \(wanted.name), but found \(place.type.name)")
    }
    return (.index(container.node, place.node), result)
  }

  private static func type(of value: ConditionValue) -> ConditionType {
    switch value {
    case .bool: .bool
    case .int, .double: .int
    case .string: .string
    case .list: .list(.dynamic)
    case .map: .map
    case .null, .missing: .null
    }
  }
}
