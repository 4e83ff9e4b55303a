/// An IPv4 or IPv6 address as a number; IPv4 is held in its mapped IPv6 form so that comparisons need one code path.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
  public let high: UInt64
  public let low: UInt64
  public let isIPv4: Bool

  public init(high: UInt64, low: UInt64, isIPv4: Bool) {
    self.high = high
    self.low = low
    self.isIPv4 = isIPv4
  }

  /// Reads dotted IPv4 or RFC 4291 IPv6 text (brackets allowed around IPv6); nil for anything else.
  public init?(_ text: String) {
    var text = Substring(text)
    if text.hasPrefix("["), text.hasSuffix("]"), text.contains(":") { text = text.dropFirst().dropLast() }
    if text.contains(":") {
      guard let words = Self.ipv6Words(text) else { return nil }
      high = words[0..<4].reduce(0) { $0 << 16 | UInt64($1) }
      low = words[4..<8].reduce(0) { $0 << 16 | UInt64($1) }
      isIPv4 = false
    } else {
      guard let address = Self.ipv4(text) else { return nil }
      high = 0
      low = 0xFFFF_0000_0000 | UInt64(address)
      isIPv4 = true
    }
  }

  private static func ipv4(_ text: Substring) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var address: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
        let value = UInt32(part), value < 256
      else { return nil }
      address = address << 8 | value
    }
    return address
  }

  private static func ipv6Words(_ text: Substring) -> [UInt16]? {
    func words(_ part: Substring, allowsIPv4: Bool) -> [UInt16]? {
      if part.isEmpty { return [] }
      var result: [UInt16] = []
      let groups = part.split(separator: ":", omittingEmptySubsequences: false)
      for (index, group) in groups.enumerated() {
        if allowsIPv4, index == groups.count - 1, group.contains(".") {
          guard let address = ipv4(group) else { return nil }
          result.append(UInt16(address >> 16))
          result.append(UInt16(address & 0xFFFF))
        } else {
          guard (1...4).contains(group.utf8.count), group.utf8.allSatisfy({ hexDigitValue($0) != nil }),
            let word = UInt16(group, radix: 16)
          else { return nil }
          result.append(word)
        }
      }
      return result
    }
    if let gap = text.firstRange(of: "::") {
      guard let front = words(text[..<gap.lowerBound], allowsIPv4: false),
        let back = words(text[gap.upperBound...], allowsIPv4: true), front.count + back.count < 8
      else { return nil }
      return front + Array(repeating: 0, count: 8 - front.count - back.count) + back
    }
    guard let all = words(text, allowsIPv4: true), all.count == 8 else { return nil }
    return all
  }

  /// Dotted IPv4, or IPv6 in the canonical form of RFC 5952 (`2001:db8::1`).
  public var description: String {
    if isIPv4 {
      let address = UInt32(truncatingIfNeeded: low)
      return "\(address >> 24).\(address >> 16 & 0xFF).\(address >> 8 & 0xFF).\(address & 0xFF)"
    }
    let texts = words.map { String($0, radix: 16) }
    guard let gap = longestRunOfZeros else { return texts.joined(separator: ":") }
    return texts[..<gap.lowerBound].joined(separator: ":") + "::" + texts[gap.upperBound...].joined(separator: ":")
  }

  /// IPv6 with all eight groups of four digits; dotted IPv4 as it is.
  public var expandedDescription: String {
    if isIPv4 { return description }
    return words.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 4 - digits.count) + digits
    }.joined(separator: ":")
  }

  private var words: [UInt16] {
    (0..<8).map { index in
      UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - 16 * (index % 4)))
    }
  }

  /// The first of the longest runs of at least two groups of zero.
  private var longestRunOfZeros: Range<Int>? {
    var best: Range<Int>?
    var start: Int?
    for (index, word) in (words + [1]).enumerated() {
      if word == 0 {
        start = start ?? index
      } else if let first = start {
        if index - first >= 2, index - first > (best?.count ?? 0) { best = first..<index }
        start = nil
      }
    }
    return best
  }
}

/// A range of addresses written as `address/prefix length`; a bare address is the range of itself.
public struct CIDRBlock: Sendable, Hashable {
  public let base: IPAddress
  /// Length of the prefix in bits of the address's own family.
  public let prefixLength: Int

  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard let address = parts.first.flatMap({ IPAddress(String($0)) }), parts.count <= 2 else { return nil }
    let width = address.isIPv4 ? 32 : 128
    base = address
    if parts.count == 2 {
      guard let length = Int(parts[1]), parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), length <= width
      else { return nil }
      prefixLength = length
    } else {
      prefixLength = width
    }
  }

  public func contains(_ address: IPAddress) -> Bool {
    guard address.isIPv4 == base.isIPv4 else { return false }
    let bits = base.isIPv4 ? prefixLength + 96 : prefixLength
    let highBits = min(bits, 64)
    let lowBits = max(bits - 64, 0)
    let highMask: UInt64 = highBits == 0 ? 0 : ~0 << UInt64(64 - highBits)
    let lowMask: UInt64 = lowBits == 0 ? 0 : ~0 << UInt64(64 - lowBits)
    return (address.high ^ base.high) & highMask == 0 && (address.low ^ base.low) & lowMask == 0
  }
}
