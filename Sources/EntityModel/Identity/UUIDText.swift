/// UUIDs as Kong writes them: 36 lower-case characters with hyphens.
public enum UUIDText {
  /// A random version 4 UUID (RFC 9562 §5.4).
  public static func random() -> String {
    var generator = SystemRandomNumberGenerator()
    var bytes: [UInt8] = []
    bytes.reserveCapacity(16)
    for _ in 0..<2 {
      let word = generator.next()
      for shift: UInt64 in [56, 48, 40, 32, 24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }
    return text(bytes, version: 4)
  }

  /// Whether the text has the form of a UUID: 36 characters, hexadecimal in either case, of any version.
  public static func isUUID(_ text: some StringProtocol) -> Bool {
    let utf8 = text.utf8
    guard utf8.count == 36 else { return false }
    return utf8.withContiguousStorageIfAvailable(isUUID) ?? Array(utf8).withUnsafeBufferPointer(isUUID)
  }

  private static func isUUID(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    for index in 0..<bytes.count {
      if index == 8 || index == 13 || index == 18 || index == 23 {
        if bytes[index] != UInt8(ascii: "-") { return false }
      } else if hexDigitValue(bytes[index]) == nil {
        return false
      }
    }
    return true
  }

  /// The text in lower case; a text that is so already keeps its storage, as ids of entities do in all that refer to
  /// them.
  public static func lowercased(_ text: String) -> String {
    text.utf8.contains { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 >= 0x80 } ? text.lowercased() : text
  }

  /// The sixteen bytes of a UUID, nil for any other text.
  public static func bytes(of text: some StringProtocol) -> [UInt8]? {
    guard isUUID(text) else { return nil }
    let digits = text.utf8.compactMap(hexDigitValue)
    return stride(from: 0, to: 32, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  /// Sixteen bytes as a UUID of the RFC's variant and the given version.
  static func text(_ bytes: [UInt8], version: UInt8) -> String {
    var output: [UInt8] = []
    output.reserveCapacity(36)
    for (index, original) in bytes.prefix(16).enumerated() {
      var byte = original
      if index == 6 { byte = byte & 0x0F | version << 4 }
      if index == 8 { byte = byte & 0x3F | 0x80 }
      if index == 4 || index == 6 || index == 8 || index == 10 { output.append(UInt8(ascii: "-")) }
      output.append(hexDigit(byte >> 4))
      output.append(hexDigit(byte & 0xF))
    }
    return String(decoding: output, as: UTF8.self)
  }
}
