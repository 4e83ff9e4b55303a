/// What is known of an operand's type before evaluation. A field that may be null has the type of its other values.
indirect enum ConditionType: Sendable, Hashable {
  /// Known at run time only.
  case dynamic
  case null
  case bool
  case int
  case string
  case list(ConditionType)
  case map

  /// Whether a value of this type may turn out to be one of `other`.
  func mayBe(_ other: ConditionType) -> Bool {
    switch (self, other) {
    case (.dynamic, _), (_, .dynamic): true
    case (.list(let left), .list(let right)): left.mayBe(right)
    default: self == other
    }
  }

  var isCollection: Bool {
    switch self {
    case .dynamic, .list, .map: true
    default: false
    }
  }

  var name: String {
    switch self {
    case .dynamic: "a value"
    case .null: "null"
    case .bool: "a boolean"
    case .int: "a number"
    case .string: "a string"
    case .list(let element): element == .string ? "a list of strings" : "a list"
    case .map: "a map"
    }
  }
}
