import PluginKit

/// One header line.
struct HTTP1FieldLine {
  /// Relative to the same byte as the line.
  let entry: HeaderBlock.Entry
  /// Behind the CRLF.
  let end: Int

  /// Reads the line at `start` if it is whole and has the form that nearly all have: a token, colon, one space or none,
  /// a value without blanks at its ends, CRLF. Nil for every other, right or wrong.
  @inline(__always)
  init?(usual bytes: UnsafeRawBufferPointer, from start: Int, _ tokens: UnsafePointer<Bool>) {
    guard let base = bytes.baseAddress else { return nil }
    let count = bytes.count
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highs: UInt64 = 0x8080_8080_8080_8080

    var colon = start
    while true {
      guard colon + 8 <= count else {
        while colon < count, base.load(fromByteOffset: colon, as: UInt8.self) != UInt8(ascii: ":") { colon += 1 }
        break
      }
      let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: colon, as: UInt64.self))
      // A byte of zero is found exactly, the first one at least.
      let other = word ^ (ones &* UInt64(UInt8(ascii: ":")))
      let found = (other &- ones) & ~other & highs
      if found != 0 {
        colon += found.trailingZeroBitCount >> 3
        break
      }
      colon += 8
      if colon - start > 256 { return nil }
    }
    guard colon > start, colon < count else { return nil }
    let name = UnsafeRawBufferPointer(start: base + start, count: colon - start)
    let known = KnownField(name)
    if known == .other {
      for byte in name where !tokens[Int(byte)] { return nil }
    }

    var index = colon + 1
    if index < count, base.load(fromByteOffset: index, as: UInt8.self) == 0x20 { index += 1 }
    let valueStart = index
    while true {
      guard index + 8 <= count else {
        while index < count {
          let byte = base.load(fromByteOffset: index, as: UInt8.self)
          if byte < 0x20 || byte == 0x7F { break }
          index += 1
        }
        break
      }
      let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      let deletes = word ^ (ones &* 0x7F)
      // The first byte below 0x20 or of 0x7F is found exactly.
      let found = ((word &- ones &* 0x20) & ~word | (deletes &- ones) & ~deletes) & highs
      if found != 0 {
        index += found.trailingZeroBitCount >> 3
        break
      }
      index += 8
    }
    guard index + 1 < count, base.load(fromByteOffset: index, as: UInt8.self) == 0x0D,
      base.load(fromByteOffset: index + 1, as: UInt8.self) == 0x0A
    else { return nil }
    if index > valueStart {
      guard base.load(fromByteOffset: valueStart, as: UInt8.self) != 0x20,
        base.load(fromByteOffset: index - 1, as: UInt8.self) != 0x20
      else { return nil }
    }
    entry = HeaderBlock.Entry(
      nameOffset: start, nameLength: colon - start, valueOffset: valueStart, valueLength: index - valueStart,
      known: known, isWholeLine: valueStart == colon + 2)
    end = index + 2
  }

  /// Splits any line, given without its end, and checks name and value; nil for what RFC 9112 §5 does not allow.
  ///
  /// - Parameter start: of the line in the head.
  static func entry(
    _ line: UnsafeRawBufferPointer, at start: Int, _ tokens: UnsafePointer<Bool>
  ) -> HeaderBlock.Entry? {
    var colon = 0
    while colon < line.count, tokens[Int(line[colon])] { colon += 1 }
    guard colon > 0, colon < line.count, line[colon] == UInt8(ascii: ":"), colon <= Int(UInt16.max) else { return nil }
    var first = colon + 1
    var end = line.count
    while first < end, line[first] == 0x20 || line[first] == 0x09 { first += 1 }
    while end > first, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
    guard HTTPCharacters.isFieldValue(UnsafeRawBufferPointer(rebasing: line[first..<end])) else { return nil }
    return HeaderBlock.Entry(
      nameOffset: start, nameLength: colon, valueOffset: start + first, valueLength: end - first,
      known: KnownField(UnsafeRawBufferPointer(rebasing: line[0..<colon])), isWholeLine: false)
  }

  /// The value of such an entry.
  static func value(
    of entry: HeaderBlock.Entry, in line: UnsafeRawBufferPointer, at start: Int
  ) -> UnsafeRawBufferPointer {
    let end = entry.lineEnd - 2 - start
    return UnsafeRawBufferPointer(rebasing: line[(end - entry.valueCount)..<end])
  }
}
