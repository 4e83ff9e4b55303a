/// Brings a request path into the form that routes are matched against and that plugins see.
///
/// Source: Kong fact, proxy-behaviour §2: escapes of characters without a reserved meaning are decoded, the
/// hexadecimal digits of the others become upper case, slashes are merged and dot segments removed (RFC 3986 §6.2.2).
public enum PathNormalizer {
  /// Why a path is refused with 400.
  public enum Failure: Error, Sendable, Hashable {
    /// It does not begin with `/`.
    case notAbsolute
    /// A `%` without two hexadecimal digits after it.
    case malformedEscape
    /// `%00` or a NUL byte.
    case nul
    /// `..` leads above the root, also where encoded slashes are taken for slashes.
    case aboveRoot
  }

  /// Replaces the content of `output` by the normalized form of `path` (without query).
  ///
  /// - Returns: whether the normalized form differs from `path`.
  @discardableResult
  public static func normalize(
    _ path: UnsafeRawBufferPointer, into output: inout [UInt8]
  ) throws(Failure) -> Bool {
    output.removeAll(keepingCapacity: true)
    guard path.first == slash else { throw .notAbsolute }
    guard try needsWork(path) else {
      output.append(contentsOf: path)
      return false
    }
    try checkDepth(path)
    decode(path, into: &output)
    removeSegments(&output)
    return !(output.count == path.count && output.withUnsafeBytes { $0.elementsEqual(path) })
  }

  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")
  private static let percent = UInt8(ascii: "%")

  /// Whether there is an escape, a doubled slash or a segment that begins with a dot.
  private static func needsWork(_ path: UnsafeRawBufferPointer) throws(Failure) -> Bool {
    var afterSlash = false
    var needed = false
    for byte in path {
      switch byte {
      case 0: throw .nul
      case percent: needed = true
      case slash where afterSlash, dot where afterSlash: needed = true
      default: break
      }
      afterSlash = byte == slash
    }
    return needed
  }

  /// Checks the escapes, and that no reading of them leads above the root.
  private static func checkDepth(_ path: UnsafeRawBufferPointer) throws(Failure) {
    var depth = 0
    var segmentLength = 0
    var onlyDots = true
    func endSegment() throws(Failure) {
      if onlyDots, segmentLength == 2 {
        depth -= 1
        if depth < 0 { throw .aboveRoot }
      } else if segmentLength > 0, !(onlyDots && segmentLength == 1) {
        depth += 1
      }
      segmentLength = 0
      onlyDots = true
    }
    var index = 0
    while index < path.count {
      var byte = path[index]
      index += 1
      if byte == percent {
        guard let decoded = escapedByte(path, at: index) else { throw .malformedEscape }
        guard decoded != 0 else { throw .nul }
        byte = decoded
        index += 2
      }
      if byte == slash {
        try endSegment()
      } else {
        segmentLength += 1
        onlyDots = onlyDots && byte == dot
      }
    }
    try endSegment()
  }

  private static func decode(_ path: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    var index = 0
    while index < path.count {
      let byte = path[index]
      index += 1
      guard byte == percent, let decoded = escapedByte(path, at: index) else {
        output.append(byte)
        continue
      }
      if isReserved(decoded) {
        output.append(percent)
        output.append(upperCase(path[index]))
        output.append(upperCase(path[index + 1]))
      } else {
        output.append(decoded)
      }
      index += 2
    }
  }

  /// Merges slashes and removes dot segments in place: the result never grows.
  private static func removeSegments(_ bytes: inout [UInt8]) {
    let count = bytes.count
    var write = 0
    var read = 0
    while read < count {
      while read + 1 < count, bytes[read + 1] == slash { read += 1 }
      let start = read + 1
      var end = start
      while end < count, bytes[end] != slash { end += 1 }
      let length = end - start
      let isOneDot = length == 1 && bytes[start] == dot
      let isTwoDots = length == 2 && bytes[start] == dot && bytes[start + 1] == dot
      if isTwoDots {
        while write > 0 {
          write -= 1
          if bytes[write] == slash { break }
        }
      }
      if isOneDot || isTwoDots || length == 0 {
        if end == count {
          bytes[write] = slash
          write += 1
        }
      } else {
        for index in read..<end {
          bytes[write] = bytes[index]
          write += 1
        }
      }
      read = end
    }
    bytes.removeSubrange(write...)
  }

  private static func escapedByte(_ path: UnsafeRawBufferPointer, at index: Int) -> UInt8? {
    guard index + 1 < path.count, let high = digit(path[index]), let low = digit(path[index + 1]) else { return nil }
    return high << 4 | low
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  private static func upperCase(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") ? byte & 0xDF : byte
  }

  /// RFC 3986 §2.2, and `%` itself.
  private static func isReserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
      UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"),
      UInt8(ascii: ","), UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: ";"), UInt8(ascii: "="),
      UInt8(ascii: "?"), UInt8(ascii: "@"), UInt8(ascii: "["), UInt8(ascii: "]"):
      true
    default: false
    }
  }
}
