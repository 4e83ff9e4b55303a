import Patterns

extension ConditionCompiler {
  static let functions = [
    "contains", "startsWith", "endsWith", "matches", "size", "has", "all", "exists", "map", "filter", "default",
  ]

  /// Functions may be written `text.contains(part)` or `contains(text, part)`; macros over lists only the first way.
  mutating func compileCall(
    _ name: String, _ target: SyntaxNode?, _ arguments: [SyntaxNode], _ position: SourcePosition
  ) throws(ConditionSyntaxError) -> Typed {
    let operands = (target.map { [$0] } ?? []) + arguments
    switch name {
    case "contains", "startsWith", "endsWith":
      guard let test = ConditionNode.StringTest(rawValue: name), operands.count == 2 else {
        throw position.error("\(name)() takes one argument, as in http.path.\(name)(\"text\")")
      }
      return try compileTest(test, operands[0], operands[1])
    case "matches":
      guard operands.count == 2 else {
        throw position.error("matches() takes one argument, as in http.path.matches(\"^/v[0-9]+\")")
      }
      return try compileMatches(operands[0], operands[1])
    case "size":
      guard operands.count == 1 else { throw position.error("size() takes one string, list or map") }
      let operand = try compile(operands[0])
      guard operand.type.isCollection || operand.type == .string else {
        throw operands[0].position.error("size() needs a string, list or map, but found \(operand.type.name)")
      }
      return (.size(operand.node), .int)
    case "has":
      guard target == nil, arguments.count == 1 else {
        throw position.error("has() takes one field, as in has(kong.ctx.shared.name)")
      }
      return (try compileHas(arguments[0]), .bool)
    case "all", "exists", "map", "filter":
      guard let target else {
        throw position.error("\(name)() is called on a list, as in http.path_segments.\(name)(s, …)")
      }
      return try compileMacro(name, target, arguments, position)
    case "default":
      throw position.error("default() must enclose the whole condition")
    default:
      let nearest = ConditionFieldNames.nearest(name, Self.functions).map { "; did you mean '\($0)'?" }
      throw position.error(
        "unknown function '\(name)'\(nearest ?? "; known are \(Self.functions.joined(separator: ", "))")")
    }
  }

  private mutating func compileTest(
    _ test: ConditionNode.StringTest, _ text: SyntaxNode, _ part: SyntaxNode
  ) throws(ConditionSyntaxError) -> Typed {
    let user = "\(test.rawValue)()"
    let subject = try compile(text)
    switch subject.type {
    case .string, .dynamic: break
    case .list(let element) where test == .contains:
      let wanted = try compile(part, as: element, for: user)
      return (.stringTest(test, subject.node, wanted.node), .bool)
    default: throw text.position.error("\(user) needs a string, but found \(subject.type.name)")
    }
    let argument = try compile(part, as: .string, for: user)
    if case .field(let field) = subject.node, subject.type == .string, case .constant(.string(let text)) = argument.node
    {
      return (.fieldTest(test, field, Array(text.utf8)), .bool)
    }
    return (.stringTest(test, subject.node, argument.node), .bool)
  }

  private mutating func compileMatches(
    _ text: SyntaxNode, _ pattern: SyntaxNode
  ) throws(ConditionSyntaxError) -> Typed {
    let subject = try compile(text, as: .string, for: "matches()")
    guard case .literal(.string(let source)) = pattern.kind else {
      throw pattern.position.error("the regex of matches() must be a string literal")
    }
    do {
      return (.matches(subject.node, try RE2Pattern(source)), .bool)
    } catch {
      throw pattern.position.error("the regex cannot be compiled: \(error.reason)")
    }
  }

  private mutating func compileHas(_ argument: SyntaxNode) throws(ConditionSyntaxError) -> ConditionNode {
    switch argument.kind {
    case .select, .index: break
    default: throw argument.position.error("has() takes a field, as in has(kong.ctx.shared.name)")
    }
    switch try compile(argument).node {
    case .field(let field): return .hasField(field)
    case .key(let base, let key): return .hasKey(base, key)
    case .index(let base, .constant(.string(let key))): return .hasKey(base, key)
    default: throw argument.position.error("has() takes a field, as in has(kong.ctx.shared.name)")
    }
  }

  private mutating func compileMacro(
    _ name: String, _ target: SyntaxNode, _ arguments: [SyntaxNode], _ position: SourcePosition
  ) throws(ConditionSyntaxError) -> Typed {
    let example = "http.path_segments.\(name)(s, \(name == "map" ? "s + \"/\"" : "s.startsWith(\"v\")"))"
    guard arguments.count == 2 || (name == "map" && arguments.count == 3) else {
      throw position.error("\(name)() takes a variable and an expression, as in \(example)")
    }
    guard case .identifier(let variable) = arguments[0].kind else {
      throw arguments[0].position.error("the first argument of \(name)() must be a variable name, as in \(example)")
    }
    let list = try compile(target)
    let element: ConditionType
    switch list.type {
    case .list(let type): element = type
    case .map: element = .string
    case .dynamic: element = .dynamic
    default: throw target.position.error("\(name)() needs a list or a map, but found \(list.type.name)")
    }
    let place = variables.count
    variables.append((variable, element))
    defer { variables.removeLast() }
    switch name {
    case "map":
      let filter = arguments.count == 3 ? try compile(arguments[1], as: .bool, for: "map()").node : nil
      let result = try compile(arguments[arguments.count - 1])
      return (
        .transformed(over: list.node, variable: place, filter: filter, result: result.node), .list(result.type)
      )
    case "filter":
      let predicate = try compile(arguments[1], as: .bool, for: "filter()")
      return (
        .transformed(over: list.node, variable: place, filter: predicate.node, result: nil), .list(element)
      )
    default:
      let predicate = try compile(arguments[1], as: .bool, for: "\(name)()")
      let quantifier: ConditionNode.Quantifier = name == "all" ? .all : .exists
      return (.quantified(quantifier, over: list.node, variable: place, predicate.node), .bool)
    }
  }
}
