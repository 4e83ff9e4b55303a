/// A place in the source of a condition, from 1.
struct SourcePosition: Sendable, Hashable {
  var line = 1
  var column = 1

  func error(_ reason: String) -> ConditionSyntaxError {
    ConditionSyntaxError(line: line, column: column, reason: reason)
  }
}

/// A node of the parsed expression, before its names and types are known.
struct SyntaxNode {
  indirect enum Kind {
    case literal(ConditionValue)
    case identifier(String)
    case select(SyntaxNode, String)
    case index(SyntaxNode, SyntaxNode)
    case call(String, target: SyntaxNode?, arguments: [SyntaxNode])
    case list([SyntaxNode])
    case not(SyntaxNode)
    case all([SyntaxNode])
    case any([SyntaxNode])
    case sum([SyntaxNode])
    case binary(BinaryOperator, SyntaxNode, SyntaxNode)
  }

  let kind: Kind
  let position: SourcePosition
  /// Levels of nodes below and including this one: bounds every later recursion.
  let depth: Int

  static let maximumDepth = 50
}

enum BinaryOperator: String {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case contained = "in"
}
