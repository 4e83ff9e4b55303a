import Patterns

/// A condition ready to be evaluated: names resolved, regexes compiled, types checked as far as they are known.
indirect enum ConditionNode: Sendable {
  case constant(ConditionValue)
  case field(ConditionField)
  /// A variable of a macro, by its place on the stack of variables.
  case variable(Int)
  /// `base.key` or `base["key"]` on a map.
  case key(ConditionNode, String)
  case index(ConditionNode, ConditionNode)
  case list([ConditionNode])
  case not(ConditionNode)
  case all([ConditionNode])
  case any([ConditionNode])
  case concatenation([ConditionNode])
  case equal(ConditionNode, ConditionNode, isNegated: Bool)
  case ordered(BinaryOperator, ConditionNode, ConditionNode)
  case contained(ConditionNode, in: ConditionNode)
  case hasField(ConditionField)
  case hasKey(ConditionNode, String)
  case size(ConditionNode)
  case stringTest(StringTest, ConditionNode, ConditionNode)
  case matches(ConditionNode, RE2Pattern)
  case quantified(Quantifier, over: ConditionNode, variable: Int, ConditionNode)
  /// `filter` keeps the elements, `map` puts the results in their place.
  case transformed(over: ConditionNode, variable: Int, filter: ConditionNode?, result: ConditionNode?)
  case withDefault(ConditionNode, ConditionNode)

  // The common tests of a string field against literals, on bytes.
  case fieldTest(StringTest, ConditionField, [UInt8])
  case fieldEquals(ConditionField, [UInt8], isNegated: Bool)
  case fieldIsOneOf(ConditionField, [[UInt8]])

  enum StringTest: String {
    case contains
    case startsWith
    case endsWith

    func holds(_ text: UnsafeRawBufferPointer, _ part: UnsafeRawBufferPointer) -> Bool {
      guard part.count <= text.count else { return false }
      switch self {
      case .startsWith: return text.prefix(part.count).elementsEqual(part)
      case .endsWith: return text.suffix(part.count).elementsEqual(part)
      case .contains:
        guard let first = part.first else { return true }
        for start in 0...(text.count - part.count) where text[start] == first {
          if text[start..<start + part.count].elementsEqual(part) { return true }
        }
        return false
      }
    }
  }

  enum Quantifier: String {
    case all
    case exists
  }

  /// How error messages name the operand.
  var label: String {
    switch self {
    case .field(let field): field.description
    case .key(let base, let key): base.label + "." + key
    default: "the operand"
    }
  }
}
