@testable import Expressions

/// A request made of plain values.
struct SampleContext: ConditionContext {
  var values: [ConditionField: ConditionValue] = [:]
  /// Fields whose bytes are handed out without a String.
  var bytes: [ConditionField: [UInt8]] = [:]

  func value(of field: ConditionField) -> ConditionValue {
    if let value = values[field] { return value }
    if case .sharedKey(let key) = field {
      guard case .map(let map) = values[.shared] else { return .missing }
      return map[key] ?? .missing
    }
    return .null
  }

  func withBytes(of field: ConditionField, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
    guard let bytes = bytes[field] else { return false }
    bytes.withUnsafeBytes(body)
    return true
  }

  static let usual = SampleContext(
    values: [
      .httpMethod: .string("GET"), .httpHost: .string("a.test"), .httpPath: .string("/anything/skip"),
      .httpPathSegments: .list([.string("anything"), .string("skip")]), .httpHeader("x-name"): .string("Ann"),
      .httpHeaderList("x-name"): .list([.string("Ann"), .string("Bob")]), .httpQuery("page"): .string("2"),
      .netProtocol: .string("http"), .sourcePort: .int(40_000), .routeTags: .list([.string("blue"), .string("v1")]),
      .shared: .map([
        "user": .string("ann"), "score": .int(7), "half": .double(0.5), "nothing": .null, "on": .bool(true),
        "deep": .map(["key": .string("value")]),
      ]),
      .principalMetadata: .map(["tier": .string("gold")]), .pluginIsMatched("key_auth"): .bool(true),
      .pluginPriority("key_auth"): .int(1250), .consumerGroupNames: .list([.string("gold")]),
    ])
}

/// Reproducible randomness (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
