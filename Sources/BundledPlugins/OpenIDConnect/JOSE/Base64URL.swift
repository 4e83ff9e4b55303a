/// The encoding of JOSE: base64 with `-` and `_`, without padding. Source: RFC 7515 §2, RFC 4648 §5.
enum Base64URL {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 255, count: 256)
    for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
    return values
  }()

  /// Nil for what is not in the encoding: padding, other letters, a length or trailing bits that no encoder writes.
  static func decoded(_ text: some StringProtocol) -> [UInt8]? { decoded(text.utf8) }

  static func decoded(_ bytes: some Collection<UInt8>) -> [UInt8]? {
    let count = bytes.count
    guard count % 4 != 1 else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(count / 4 * 3 + 2)
    var bits: UInt32 = 0
    var width: UInt32 = 0
    for byte in bytes {
      let value = values[Int(byte)]
      guard value < 64 else { return nil }
      bits = bits << 6 | UInt32(value)
      width += 6
      if width >= 8 {
        width -= 8
        result.append(UInt8(truncatingIfNeeded: bits >> width))
        bits &= (1 << width) - 1
      }
    }
    return bits == 0 ? result : nil
  }

  static func encoded(_ bytes: some Sequence<UInt8>) -> String {
    var result: [UInt8] = []
    var bits: UInt32 = 0
    var width: UInt32 = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      width += 8
      while width >= 6 {
        width -= 6
        result.append(alphabet[Int(bits >> width & 63)])
      }
      bits &= (1 << width) - 1
    }
    if width > 0 { result.append(alphabet[Int(bits << (6 - width) & 63)]) }
    return String(decoding: result, as: UTF8.self)
  }
}
