/// The normal form of a request path, in which routes are written and matched.
///
/// Source: Kong fact, proxy-behaviour §2; RFC 3986 §6.2.2.
public enum PathNormalization {
  /// Decodes escapes of characters that are not reserved, writes the remaining ones in upper case, resolves dot
  /// segments and merges slashes.
  public static func normalized(_ path: String) -> String {
    String(decoding: withoutDotSegments(decoded(Array(path.utf8))), as: UTF8.self)
  }

  private static let reserved = Set("!*'();:@&=+$,/?%#[]".utf8)

  private static func decoded(_ bytes: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = hexDigitValue(bytes[index + 1]),
        let low = hexDigitValue(bytes[index + 2])
      {
        let byte = high << 4 | low
        if reserved.contains(byte) {
          output.append(UInt8(ascii: "%"))
          output += [upperCase(hexDigit(high)), upperCase(hexDigit(low))]
        } else {
          output.append(byte)
        }
        index += 3
      } else {
        output.append(bytes[index])
        index += 1
      }
    }
    return output
  }

  private static func upperCase(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) ? byte - 0x20 : byte
  }

  private static func withoutDotSegments(_ bytes: [UInt8]) -> [UInt8] {
    let slash = UInt8(ascii: "/")
    let dot = UInt8(ascii: ".")
    guard bytes.first == slash else { return bytes }
    var segments: [ArraySlice<UInt8>] = []
    var endsWithSlash = bytes.last == slash
    for segment in bytes.split(separator: slash) {
      if segment.elementsEqual([dot]) {
        endsWithSlash = true
      } else if segment.elementsEqual([dot, dot]) {
        _ = segments.popLast()
        endsWithSlash = true
      } else {
        segments.append(segment)
        endsWithSlash = bytes.last == slash
      }
    }
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count)
    for segment in segments {
      output.append(slash)
      output.append(contentsOf: segment)
    }
    if endsWithSlash || output.isEmpty { output.append(slash) }
    return output
  }
}
