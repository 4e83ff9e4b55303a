/// Character classes of HTTP/1.1 (RFC 9110 §5.6.2, RFC 9112 §3).
enum HTTPCharacters {
  /// `tchar`: what field names and methods are made of.
  static let isToken: [Bool] = (0..<256).map { byte in
    switch UInt8(byte) {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
      UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
      true
    default: false
    }
  }

  /// Bytes of a field value: visible ASCII, space, tab and obs-text; no control characters.
  @inline(__always)
  static func isFieldValueByte(_ byte: UInt8) -> Bool {
    (byte >= 0x20 && byte != 0x7F) || byte == 0x09
  }

  @inline(__always)
  static func isToken(_ bytes: UnsafeRawBufferPointer) -> Bool {
    isToken.withUnsafeBufferPointer { table in
      for byte in bytes where !table[Int(byte)] { return false }
      return !bytes.isEmpty
    }
  }

  @inline(__always)
  static func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }

  static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Whether the bytes are this ASCII text, letters in either case. The text must be in lower case.
  @inline(__always)
  func isText(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    let other = text.utf8Start
    for index in 0..<count where HTTPCharacters.lowercased(self[index]) != other[index] { return false }
    return true
  }

  /// The bytes without spaces and tabs at both ends.
  @inline(__always)
  var trimmed: UnsafeRawBufferPointer {
    var start = 0
    var end = count
    while start < end, self[start] == 0x20 || self[start] == 0x09 { start += 1 }
    while end > start, self[end - 1] == 0x20 || self[end - 1] == 0x09 { end -= 1 }
    return UnsafeRawBufferPointer(rebasing: self[start..<end])
  }

  /// Calls `body` with each member of a comma separated list, trimmed; empty members are left out.
  func forEachListMember(_ body: (UnsafeRawBufferPointer) -> Void) {
    var start = 0
    while start <= count {
      let end = self[start...].firstIndex(of: UInt8(ascii: ",")) ?? count
      let member = UnsafeRawBufferPointer(rebasing: self[start..<end]).trimmed
      if !member.isEmpty { body(member) }
      start = end + 1
    }
  }

  /// A decimal number of at most 18 digits; nil for anything else, a sign or blanks included.
  var decimal: Int? {
    guard (1...18).contains(count) else { return nil }
    var value = 0
    for byte in self {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      value = value * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return value
  }
}
