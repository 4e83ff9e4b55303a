import Expressions

/// A condition: parsed, checked, compiled, and evaluated over a request.
enum ConditionTarget {
  private struct Request: ConditionContext {
    func value(of field: ConditionField) -> ConditionValue {
      switch field {
      case .httpMethod: .string("GET")
      case .httpPath: .string("/anything/skip")
      case .httpPathSegments: .list([.string("anything"), .string("skip")])
      case .httpHeader: .string("Ann")
      case .httpHeaderList: .list([.string("Ann"), .string("Bob")])
      case .sourcePort: .int(.max)
      case .shared:
        .map(["score": .int(.min), "half": .double(0.5), "none": .null, "deep": .map(["key": .list([.bool(true)])])])
      case .sharedKey(let key): key == "score" ? .int(.min) : .missing
      default: .null
      }
    }
  }

  static func run(_ bytes: UnsafeRawBufferPointer) {
    guard let condition = try? Condition(String(decoding: bytes, as: UTF8.self)) else { return }
    _ = try? condition.evaluate(Request())
  }
}
