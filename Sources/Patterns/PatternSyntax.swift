/// Rewrites what other regex dialects spell differently into RE2's spelling.
enum PatternSyntax {
  /// `(?<name>…)` becomes `(?P<name>…)`, which every RE2 knows; the rest stays byte for byte.
  ///
  /// Escapes, `\Q…\E` and character classes are left alone, and so are look-behinds, so that RE2 refuses them itself.
  static func re2Form(of source: [UInt8]) -> [UInt8] {
    guard source.contains(UInt8(ascii: "<")) else { return source }
    var result: [UInt8] = []
    result.reserveCapacity(source.count + 8)
    var index = 0
    func byte(_ offset: Int) -> UInt8? { index + offset < source.count ? source[index + offset] : nil }
    func take(_ count: Int) {
      let end = min(index + count, source.count)
      result.append(contentsOf: source[index..<end])
      index = end
    }
    while let current = byte(0) {
      switch current {
      case UInt8(ascii: "\\"):
        let isQuote = byte(1) == UInt8(ascii: "Q")
        take(2)
        guard isQuote else { continue }
        while byte(0) != nil, !(byte(0) == UInt8(ascii: "\\") && byte(1) == UInt8(ascii: "E")) { take(1) }
        take(2)
      case UInt8(ascii: "["):
        take(1)
        if byte(0) == UInt8(ascii: "^") { take(1) }
        if byte(0) == UInt8(ascii: "]") { take(1) }
        while let inside = byte(0), inside != UInt8(ascii: "]") {
          if inside == UInt8(ascii: "\\") {
            take(2)
          } else if inside == UInt8(ascii: "["), byte(1) == UInt8(ascii: ":") {
            take(2)
            while byte(0) != nil, !(byte(0) == UInt8(ascii: ":") && byte(1) == UInt8(ascii: "]")) { take(1) }
            take(2)
          } else {
            take(1)
          }
        }
        take(1)
      case UInt8(ascii: "(")
      where byte(1) == UInt8(ascii: "?") && byte(2) == UInt8(ascii: "<") && byte(3).map(isNameByte) == true:
        result.append(contentsOf: "(?P<".utf8)
        index += 3
      default:
        take(1)
      }
    }
    return result
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "_") || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
  }
}
