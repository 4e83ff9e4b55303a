import Patterns

/// The values that a route accepts for one header.
///
/// Source: Kong fact, proxy-behaviour §2: values are compared without regard to case; `~*` introduces a regular
/// expression, which may match anywhere in the value.
public struct RouteHeaderRule: Sendable {
  /// Lower-case.
  let name: [UInt8]
  private let values: [[UInt8]]
  private let patterns: [RE2Pattern]

  init(name: String, values: [String]) throws(PatternError) {
    self.name = Array(name.lowercased().utf8)
    var plain: [[UInt8]] = []
    var patterns: [RE2Pattern] = []
    for value in values {
      if value.hasPrefix("~*") {
        patterns.append(try RE2Pattern(String(value.dropFirst(2)), options: .init(isCaseInsensitive: true)))
      } else {
        plain.append(Array(value.utf8))
      }
    }
    self.values = plain
    self.patterns = patterns
  }

  public func accepts(_ value: UnsafeRawBufferPointer) -> Bool {
    for candidate in values where candidate.count == value.count {
      if candidate.withUnsafeBytes({ ASCII.equalIgnoringCase($0, value) }) { return true }
    }
    for pattern in patterns where pattern.matches(value) { return true }
    return false
  }
}

enum ASCII {
  static func equalIgnoringCase(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    for index in 0..<left.count where lowerCase(left[index]) != lowerCase(right[index]) { return false }
    return true
  }

  static func lowerCase(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }
}
