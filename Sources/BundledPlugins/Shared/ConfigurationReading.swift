import EntityModel

extension JSONValue {
  /// The strings of a list; empty for null and for what is no list.
  func strings(_ key: String) -> [String] { self[key]?.array?.compactMap(\.string) ?? [] }

  /// A text that is set and not empty.
  func text(_ key: String) -> String? {
    guard let text = self[key]?.string, !text.isEmpty else { return nil }
    return text
  }

  func flag(_ key: String) -> Bool { self[key]?.bool ?? false }
}
