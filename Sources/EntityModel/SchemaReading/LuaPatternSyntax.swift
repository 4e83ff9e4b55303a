/// Tells whether a text is a well-formed Lua pattern, so that a malformed one is refused when the schema is saved and
/// not when the first value is checked.
///
/// Source: Lua 5.1 reference manual, §5.4.1.
enum LuaPatternSyntax {
  /// What is wrong with the pattern; nil if nothing is.
  static func problem(in pattern: String) -> String? {
    let bytes = Array(pattern.utf8)
    var index = bytes.first == UInt8(ascii: "^") ? 1 : 0
    var openCaptures: [Int] = []
    var captureCount = 0
    var closed: Set<Int> = []

    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "("):
        captureCount += 1
        if captureCount > 32 { return "too many captures (at most 32)" }
        openCaptures.append(captureCount)
        index += 1
      case UInt8(ascii: ")"):
        guard let capture = openCaptures.popLast() else { return "')' without '('" }
        closed.insert(capture)
        index += 1
      case UInt8(ascii: "%"):
        guard index + 1 < bytes.count else { return "it ends with '%'" }
        switch bytes[index + 1] {
        case UInt8(ascii: "b"):
          guard index + 3 < bytes.count else { return "'%b' needs two characters after it" }
          index += 4
        case UInt8(ascii: "f"):
          guard index + 2 < bytes.count, bytes[index + 2] == UInt8(ascii: "[") else { return "missing '[' after '%f'" }
          guard let end = endOfClass(bytes, from: index + 2) else { return "missing ']'" }
          index = end
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
          guard closed.contains(Int(bytes[index + 1] - UInt8(ascii: "0"))) else {
            return "'%\(Character(UnicodeScalar(bytes[index + 1])))' refers to no finished capture"
          }
          index += 2
        default: index += 2
        }
      case UInt8(ascii: "["):
        guard let end = endOfClass(bytes, from: index) else { return "missing ']'" }
        index = end
      default: index += 1
      }
    }
    return openCaptures.isEmpty ? nil : "'(' without ')'"
  }

  /// The position after the `]` that ends the class which begins at `start`.
  private static func endOfClass(_ bytes: [UInt8], from start: Int) -> Int? {
    var index = start + 1
    if index < bytes.count, bytes[index] == UInt8(ascii: "^") { index += 1 }
    var isFirst = true
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "]"), !isFirst { return index + 1 }
      if bytes[index] == UInt8(ascii: "%") {
        index += 1
        guard index < bytes.count else { return nil }
      }
      index += 1
      isFirst = false
    }
    return nil
  }
}
