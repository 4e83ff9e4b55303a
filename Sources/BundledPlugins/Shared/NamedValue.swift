/// An entry `name:value` of a transformation. Of several colons the first ends the name, those that follow it at once
/// are skipped, later ones belong to the value. Source: Kong fact, bundled-16 §8.
struct NamedValue {
  let name: String
  /// Nil if nothing stands after the colon, or there is none.
  let value: String?

  /// Nil for an entry without a name.
  init?(_ entry: String) {
    let bytes = entry.utf8
    let colon = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
    guard colon > bytes.startIndex else { return nil }
    name = String(entry[..<colon])
    let rest = bytes[colon...].drop { $0 == UInt8(ascii: ":") }
    value = rest.isEmpty ? nil : String(entry[rest.startIndex...])
  }
}
