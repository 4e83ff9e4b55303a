/// Character classes of HTTP/1.1 (RFC 9110 §5.6.2, RFC 9112 §3).
enum HTTPCharacters {
  /// Bits of the characters 0 to 63 and 64 to 127 that are `tchar`: what field names and methods are made of.
  private static let tokenBits: (UInt64, UInt64) = (0x03FF_6CFA_0000_0000, 0x57FF_FFFF_C7FF_FFFE)

  @inline(__always)
  static func isToken(_ byte: UInt8) -> Bool {
    let bits = byte < 64 ? tokenBits.0 : tokenBits.1
    return byte < 128 && bits >> UInt64(byte & 63) & 1 != 0
  }

  /// One element per byte: whether it is a `tchar`. For loops, which take it once.
  // Sound: written once, before anybody has it, and never freed.
  nonisolated(unsafe) static let tokenTable: UnsafePointer<Bool> = {
    let table = UnsafeMutablePointer<Bool>.allocate(capacity: 256)
    for byte in 0...255 { (table + byte).initialize(to: isToken(UInt8(byte))) }
    return UnsafePointer(table)
  }()

  /// Bytes of a field value: visible ASCII, space, tab and obs-text; no control characters.
  @inline(__always)
  static func isFieldValueByte(_ byte: UInt8) -> Bool {
    (byte >= 0x20 && byte != 0x7F) || byte == 0x09
  }

  /// Bits of the characters 0 to 63 and 64 to 127 that mean different hosts to different readers: blanks and control
  /// characters, and `" # , / < > ? @ \`.
  private static let hostBits: (UInt64, UInt64) = (0xD000_900D_FFFF_FFFF, 0x8000_0000_1000_0001)

  @inline(__always)
  static func isForbiddenInHost(_ byte: UInt8) -> Bool {
    let bits = byte < 64 ? hostBits.0 : hostBits.1
    return byte < 128 && bits >> UInt64(byte & 63) & 1 != 0
  }

  @inline(__always)
  static func isToken(_ bytes: UnsafeRawBufferPointer) -> Bool {
    for byte in bytes where !isToken(byte) { return false }
    return !bytes.isEmpty
  }

  /// Whether all bytes may stand in a field value.
  @inline(__always)
  static func isFieldValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
    // A tab looks like a control character at first sight; it is rare.
    bytes.hasNone(below: 0x20) || bytes.allSatisfy { isFieldValueByte($0) }
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
  /// Whether no byte is DEL or less than `bound`, which is at most 128; eight bytes at a time.
  @inline(__always)
  func hasNone(below bound: UInt8) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highs: UInt64 = 0x8080_8080_8080_8080
    let bounds = ones &* UInt64(bound)
    var index = 0
    while index + 8 <= count {
      let word = loadUnaligned(fromByteOffset: index, as: UInt64.self)
      let deletes = word ^ (ones &* 0x7F)
      // The usual way to find a byte below a bound or of a value in a word: exact as to whether there is one.
      if ((word &- bounds) & ~word | (deletes &- ones) & ~deletes) & highs != 0 { return false }
      index += 8
    }
    while index < count {
      if self[index] < bound || self[index] == 0x7F { return false }
      index += 1
    }
    return true
  }

  /// Whether a blank or control character is among the bytes.
  @inline(__always)
  var hasBlankOrControl: Bool { !hasNone(below: 0x21) }

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
      var end = start
      while end < count, self[end] != UInt8(ascii: ",") { end += 1 }
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
