import EntityModel

extension JSONValue {
  /// The strings of a list; empty for null and for what is no list.
  func strings(_ key: String) -> [String] { self[key]?.array?.compactMap(\.string) ?? [] }

  /// A text that is set and not empty.
  func text(_ key: String) -> String? {
    guard let text = self[key]?.string, !text.isEmpty else { return nil }
    return text
  }

  /// A time in milliseconds; zero and null give the other value.
  func milliseconds(_ key: String, orElse other: Int64) -> Int64 {
    guard let time = self[key]?.double, time.isFinite, time > 0 else { return other }
    return Int64(min(max(1, time), 2_147_483_646))
  }

  func flag(_ key: String) -> Bool { self[key]?.bool ?? false }
}
