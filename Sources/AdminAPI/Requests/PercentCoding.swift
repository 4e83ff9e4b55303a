import EntityModel

/// Percent-encoding of paths, queries and forms (RFC 3986 §2.1; `+` for a space in forms and queries).
enum PercentCoding {
  /// The decoded text, nil if the bytes are not valid UTF-8.
  ///
  /// An escape without two hexadecimal digits stays as it is written, as Kong's unescaping leaves it.
  static func decode(_ text: some StringProtocol, plusAsSpace: Bool) -> String? {
    String(validating: decodedBytes(Array(text.utf8)[...], plusAsSpace: plusAsSpace), as: UTF8.self)
  }

  /// The bytes that the escaped bytes stand for.
  static func decodedBytes(_ input: ArraySlice<UInt8>, plusAsSpace: Bool) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(input.count)
    var index = input.startIndex
    while index < input.endIndex {
      let byte = input[index]
      if byte == UInt8(ascii: "%"), input.endIndex - index > 2, let high = hexDigitValue(input[index + 1]),
        let low = hexDigitValue(input[index + 2])
      {
        output.append(high << 4 | low)
        index += 3
      } else {
        output.append(plusAsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
        index += 1
      }
    }
    return output
  }

  /// The text with every byte outside of the unreserved set escaped, for use in a path segment or a query argument.
  static func encode(_ text: String) -> String {
    var output: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        output.append(byte)
      default:
        output.append(UInt8(ascii: "%"))
        output.append(upperHexDigit(byte >> 4))
        output.append(upperHexDigit(byte & 0xF))
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  private static func upperHexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
  }
}
