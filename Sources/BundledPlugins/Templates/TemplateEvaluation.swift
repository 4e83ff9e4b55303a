import Foundation

/// Runs a template's program for one request. Steps are counted, so that no loop holds the event loop.
struct TemplateEvaluation {
  private let environment: TemplateEnvironment
  private var stepsLeft = 10_000
  private var depth = 0
  /// Levels of expressions that are being evaluated, over all calls: each takes some of the thread's stack.
  private var nesting = 0
  private static let maximumNesting = 500

  init(_ environment: TemplateEnvironment) { self.environment = environment }

  /// The first value that the program returns.
  mutating func run(_ program: TemplateParser.Program) throws(TemplateFailure) -> TemplateValue {
    // The usual case, a single look-up, needs no variables.
    if program.slots == 0, program.body.count == 1, case .result(let expression) = program.body[0] {
      guard let expression else { return .none }
      return try value(expression, TemplateScope(slots: 0, outer: nil))
    }
    let scope = TemplateScope(slots: program.slots, outer: nil)
    if case .returned(let value) = try run(program.body, scope) { return value }
    return .none
  }

  private enum Flow {
    case next
    case leftLoop
    case returned(TemplateValue)
  }

  private mutating func step() throws(TemplateFailure) {
    stepsLeft -= 1
    if stepsLeft < 0 { throw TemplateFailure("the template takes too many steps") }
  }

  // MARK: Statements

  private mutating func run(_ body: [TemplateStatement], _ scope: TemplateScope) throws(TemplateFailure) -> Flow {
    for statement in body {
      try step()
      switch statement {
      case .assign(let targets, let expressions):
        var values: [TemplateValue] = []
        for expression in expressions { values.append(try value(expression, scope)) }
        for (index, target) in targets.enumerated() {
          scope.scope(at: target.depth)?.values[target.slot] = index < values.count ? values[index] : .none
        }
      case .branch(let branches, let otherwise):
        var chosen = otherwise
        for (condition, body) in branches where try value(condition, scope).isTrue {
          chosen = body
          break
        }
        let flow = try run(chosen, scope)
        if case .next = flow { continue }
        return flow
      case .block(let body):
        let flow = try run(body, scope)
        if case .next = flow { continue }
        return flow
      case .repeatWhile(let condition, let body):
        loop: while try value(condition, scope).isTrue {
          try step()
          switch try run(body, scope) {
          case .next: continue
          case .leftLoop: break loop
          case .returned(let value): return .returned(value)
          }
        }
      case .numericLoop(let slot, let from, let to, let stepExpression, let body):
        var current = try number(try value(from, scope), "'for' initial value must be a number")
        let last = try number(try value(to, scope), "'for' limit must be a number")
        let width =
          try stepExpression.map { (expression) throws(TemplateFailure) in
            try number(try value(expression, scope), "'for' step must be a number")
          } ?? 1
        loop: while width > 0 ? current <= last : current >= last {
          try step()
          scope.values[slot] = .number(current)
          switch try run(body, scope) {
          case .next: break
          case .leftLoop: break loop
          case .returned(let value): return .returned(value)
          }
          current += width
        }
      case .leaveLoop: return .leftLoop
      case .call(let expression): _ = try value(expression, scope)
      case .result(let expression):
        guard let expression else { return .returned(.none) }
        return .returned(try value(expression, scope))
      }
    }
    return .next
  }

  // MARK: Expressions

  private mutating func value(
    _ expression: TemplateExpression, _ scope: TemplateScope
  ) throws(TemplateFailure) -> TemplateValue {
    try step()
    nesting += 1
    defer { nesting -= 1 }
    if nesting > Self.maximumNesting { throw TemplateFailure("nested deeper than \(Self.maximumNesting) levels") }
    switch expression {
    case .constant(let value): return value
    case .local(let depth, let slot): return scope.scope(at: depth)?.values[slot] ?? .none
    case .index(let object, let key):
      return try environment.index(try value(object, scope), try value(key, scope))
    case .call(let function, let arguments):
      let function = try value(function, scope)
      return try call(function, try values(arguments, scope), scope)
    case .method(let object, let name, let arguments):
      let object = try value(object, scope)
      let function = try environment.method(name, of: object)
      return try call(function, [object] + (try values(arguments, scope)), scope)
    case .and(let left, let right):
      let left = try value(left, scope)
      return left.isTrue ? try value(right, scope) : left
    case .or(let left, let right):
      let left = try value(left, scope)
      return left.isTrue ? left : try value(right, scope)
    case .not(let operand): return .bool(!(try value(operand, scope).isTrue))
    case .negative(let operand):
      let operand = try value(operand, scope)
      return .number(-(try number(operand, "attempt to perform arithmetic on a \(operand.typeName) value")))
    case .length(let operand):
      switch try value(operand, scope) {
      case .string(let text): return .number(Double(text.utf8.count))
      case .list(let list): return .number(Double(list.count))
      case .map, .root: return .number(0)
      case let other: throw TemplateFailure("attempt to get length of a \(other.typeName) value")
      }
    case .binary(let kind, let left, let right):
      let left = try value(left, scope)
      return try Self.apply(kind, left, try value(right, scope))
    case .function(let parameters, let slots, let body):
      return .function(.closure(TemplateClosure(parameters: parameters, slots: slots, body: body, outer: scope)))
    }
  }

  private mutating func values(
    _ expressions: [TemplateExpression], _ scope: TemplateScope
  ) throws(TemplateFailure) -> [TemplateValue] {
    var values: [TemplateValue] = []
    for expression in expressions { values.append(try value(expression, scope)) }
    return values
  }

  private mutating func call(
    _ function: TemplateValue, _ arguments: [TemplateValue], _ scope: TemplateScope
  ) throws(TemplateFailure) -> TemplateValue {
    guard case .function(let callable) = function else {
      throw TemplateFailure("attempt to call a \(function.typeName) value")
    }
    switch callable {
    case .library(let function): return try function.call(arguments)
    case .closure(let closure):
      depth += 1
      defer { depth -= 1 }
      if depth > 30 { throw TemplateFailure("stack overflow") }
      let inner = TemplateScope(slots: closure.slots, outer: closure.outer)
      for index in 0..<min(closure.parameters, arguments.count) { inner.values[index] = arguments[index] }
      if case .returned(let value) = try run(closure.body, inner) { return value }
      return .none
    }
  }

  private func number(_ value: TemplateValue, _ message: String) throws(TemplateFailure) -> Double {
    guard let number = value.coercedNumber else { throw TemplateFailure(message) }
    return number
  }

  private static func apply(
    _ kind: TemplateOperator, _ left: TemplateValue, _ right: TemplateValue
  ) throws(TemplateFailure) -> TemplateValue {
    switch kind {
    case .equal: return .bool(TemplateValue.areEqual(left, right))
    case .unequal: return .bool(!TemplateValue.areEqual(left, right))
    case .less: return .bool(try isLess(left, right))
    case .greater: return .bool(try isLess(right, left))
    case .lessOrEqual: return .bool(!(try isLess(right, left)))
    case .greaterOrEqual: return .bool(!(try isLess(left, right)))
    case .concatenate:
      guard let first = left.coercedText, let second = right.coercedText else {
        let culprit = left.coercedText == nil ? left : right
        throw TemplateFailure("attempt to concatenate a \(culprit.typeName) value")
      }
      return .string(first + second)
    case .add, .subtract, .multiply, .divide, .modulo, .power:
      guard let first = left.coercedNumber, let second = right.coercedNumber else {
        let culprit = left.coercedNumber == nil ? left : right
        throw TemplateFailure("attempt to perform arithmetic on a \(culprit.typeName) value")
      }
      switch kind {
      case .add: return .number(first + second)
      case .subtract: return .number(first - second)
      case .multiply: return .number(first * second)
      case .divide: return .number(first / second)
      case .modulo: return .number(first - (first / second).rounded(.down) * second)
      default: return .number(pow(first, second))
      }
    }
  }

  private static func isLess(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateFailure) -> Bool {
    switch (left, right) {
    case (.number(let left), .number(let right)): return left < right
    case (.string(let left), .string(let right)): return left.utf8.lexicographicallyPrecedes(right.utf8)
    default: throw TemplateFailure("attempt to compare \(left.typeName) with \(right.typeName)")
    }
  }
}
