/// A value that a condition works with.
public enum ConditionValue: Sendable {
  /// Only for `ConditionField.sharedKey`: the key is not there, which is an error unless asked with `has()`.
  case missing
  /// A context field that is not set.
  case null
  case bool(Bool)
  case int(Int64)
  /// Only from plugin data; integral numbers should come as `int`.
  case double(Double)
  case string(String)
  case list([ConditionValue])
  case map([String: ConditionValue])

  /// Name of the type for error messages.
  var typeName: String {
    switch self {
    case .missing: "missing"
    case .null: "null"
    case .bool: "a boolean"
    case .int, .double: "a number"
    case .string: "a string"
    case .list: "a list"
    case .map: "a map"
    }
  }

  /// Equality of CEL: values of different types are unequal, numbers compare by value, strings by code points.
  static func areEqual(_ left: ConditionValue, _ right: ConditionValue) -> Bool {
    switch (left, right) {
    case (.null, .null), (.missing, .missing): true
    case (.bool(let left), .bool(let right)): left == right
    case (.int(let left), .int(let right)): left == right
    case (.double(let left), .double(let right)): left == right
    case (.int(let left), .double(let right)), (.double(let right), .int(let left)): Double(left) == right
    case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
    case (.list(let left), .list(let right)): left.elementsEqual(right, by: areEqual)
    case (.map(let left), .map(let right)):
      left.count == right.count
        && left.allSatisfy { key, value in right[key].map { areEqual(value, $0) } ?? false }
    default: false
    }
  }

  /// Whether `left` comes before `right`; nil if the two cannot be ordered.
  static func isLess(_ left: ConditionValue, _ right: ConditionValue) -> Bool? {
    switch (left, right) {
    case (.int(let left), .int(let right)): left < right
    case (.double(let left), .double(let right)): left < right
    case (.int(let left), .double(let right)): Double(left) < right
    case (.double(let left), .int(let right)): left < Double(right)
    case (.string(let left), .string(let right)): left.utf8.lexicographicallyPrecedes(right.utf8)
    default: nil
    }
  }
}
