/// Lua patterns with captures over bytes; the work of one search is bounded.
///
/// Source: Lua 5.1 reference manual, §5.4.1.
struct TemplatePattern {
  struct Match {
    var start: Int
    var end: Int
    /// The captured bytes; a position capture gives its place, counted from 1.
    var captures: [TemplateValue]
  }

  private let pattern: [UInt8]
  private let isAnchored: Bool
  private let text: [UInt8]
  private var open: [(start: Int, end: Int)] = []
  private var stepsLeft = 200_000

  private static let unclosed = -1
  private static let position = -2

  init(_ pattern: [UInt8], in text: [UInt8]) {
    isAnchored = pattern.first == UInt8(ascii: "^")
    self.pattern = isAnchored ? Array(pattern.dropFirst()) : pattern
    self.text = text
  }

  /// The first match at or after `start`.
  mutating func search(from start: Int) throws(TemplateFailure) -> Match? {
    var start = start
    while start <= text.count {
      open = []
      if let end = try match(start, 0, depth: 0) {
        return Match(start: start, end: end, captures: try captures())
      }
      if isAnchored { return nil }
      start += 1
    }
    return nil
  }

  private func captures() throws(TemplateFailure) -> [TemplateValue] {
    var values: [TemplateValue] = []
    for capture in open {
      switch capture.end {
      case Self.unclosed: throw TemplateFailure("unfinished capture")
      case Self.position: values.append(.number(Double(capture.start + 1)))
      default: values.append(.string(String(decoding: text[capture.start..<capture.end], as: UTF8.self)))
      }
    }
    return values
  }

  private mutating func match(_ s: Int, _ p: Int, depth: Int) throws(TemplateFailure) -> Int? {
    stepsLeft -= 1
    if stepsLeft < 0 || depth > 200 { throw TemplateFailure("pattern too complex") }
    if p == pattern.count { return s }
    switch pattern[p] {
    case UInt8(ascii: "("):
      let isPosition = p + 1 < pattern.count && pattern[p + 1] == UInt8(ascii: ")")
      if open.count >= 32 { throw TemplateFailure("too many captures") }
      open.append((s, isPosition ? Self.position : Self.unclosed))
      if let end = try match(s, p + (isPosition ? 2 : 1), depth: depth + 1) { return end }
      open.removeLast()
      return nil
    case UInt8(ascii: ")"):
      guard let index = open.lastIndex(where: { $0.end == Self.unclosed }) else {
        throw TemplateFailure("invalid pattern capture")
      }
      open[index].end = s
      if let end = try match(s, p + 1, depth: depth + 1) { return end }
      open[index].end = Self.unclosed
      return nil
    case UInt8(ascii: "$") where p + 1 == pattern.count: return s == text.count ? s : nil
    case UInt8(ascii: "%") where p + 1 < pattern.count && pattern[p + 1] == UInt8(ascii: "b"):
      guard p + 3 < pattern.count else { throw TemplateFailure("unbalanced pattern") }
      guard let end = balanced(s, pattern[p + 2], pattern[p + 3]) else { return nil }
      return try match(end, p + 4, depth: depth + 1)
    case UInt8(ascii: "%") where p + 1 < pattern.count && pattern[p + 1] == UInt8(ascii: "f"):
      guard p + 2 < pattern.count, pattern[p + 2] == UInt8(ascii: "[") else {
        throw TemplateFailure("missing '[' after '%f' in pattern")
      }
      let end = try itemEnd(p + 2)
      let before = s == 0 ? 0 : text[s - 1]
      let here = s < text.count ? text[s] : 0
      guard !set(before, p + 2, end - 1), set(here, p + 2, end - 1) else { return nil }
      return try match(s, end, depth: depth + 1)
    case UInt8(ascii: "%") where p + 1 < pattern.count && (0x30...0x39).contains(pattern[p + 1]):
      let index = Int(pattern[p + 1]) - 0x31
      guard open.indices.contains(index), open[index].end >= 0 else { throw TemplateFailure("invalid capture index") }
      let captured = text[open[index].start..<open[index].end]
      guard text[s...].starts(with: captured) else { return nil }
      return try match(s + captured.count, p + 2, depth: depth + 1)
    default: return try matchItem(s, p, depth: depth)
    }
  }

  private mutating func matchItem(_ s: Int, _ p: Int, depth: Int) throws(TemplateFailure) -> Int? {
    let end = try itemEnd(p)
    let mark = end < pattern.count ? pattern[end] : 0
    switch mark {
    case UInt8(ascii: "?"):
      if s < text.count, item(text[s], p, end), let result = try match(s + 1, end + 1, depth: depth + 1) {
        return result
      }
      return try match(s, end + 1, depth: depth + 1)
    case UInt8(ascii: "*"), UInt8(ascii: "+"):
      var count = 0
      while s + count < text.count, item(text[s + count], p, end) { count += 1 }
      stepsLeft -= count
      let minimum = mark == UInt8(ascii: "+") ? 1 : 0
      while count >= minimum {
        if let result = try match(s + count, end + 1, depth: depth + 1) { return result }
        count -= 1
      }
      return nil
    case UInt8(ascii: "-"):
      var s = s
      while true {
        if let result = try match(s, end + 1, depth: depth + 1) { return result }
        guard s < text.count, item(text[s], p, end) else { return nil }
        s += 1
      }
    default:
      guard s < text.count, item(text[s], p, end) else { return nil }
      return try match(s + 1, end, depth: depth + 1)
    }
  }

  private mutating func balanced(_ s: Int, _ first: UInt8, _ last: UInt8) -> Int? {
    guard s < text.count, text[s] == first else { return nil }
    var depth = 1
    var place = s + 1
    defer { stepsLeft -= place - s }
    while place < text.count {
      if text[place] == last {
        depth -= 1
        if depth == 0 { return place + 1 }
      } else if text[place] == first {
        depth += 1
      }
      place += 1
    }
    return nil
  }

  /// Place after the single-character item at `p`.
  private func itemEnd(_ p: Int) throws(TemplateFailure) -> Int {
    switch pattern[p] {
    case UInt8(ascii: "%"):
      guard p + 1 < pattern.count else { throw TemplateFailure("malformed pattern (ends with '%')") }
      return p + 2
    case UInt8(ascii: "["):
      var place = p + 1
      if place < pattern.count, pattern[place] == UInt8(ascii: "^") { place += 1 }
      var isFirst = true
      while place < pattern.count, isFirst || pattern[place] != UInt8(ascii: "]") {
        isFirst = false
        place += pattern[place] == UInt8(ascii: "%") ? 2 : 1
      }
      guard place < pattern.count else { throw TemplateFailure("malformed pattern (missing ']')") }
      return place + 1
    default: return p + 1
    }
  }

  private func item(_ byte: UInt8, _ p: Int, _ end: Int) -> Bool {
    switch pattern[p] {
    case UInt8(ascii: "."): true
    case UInt8(ascii: "%"): Self.isInClass(byte, pattern[p + 1])
    case UInt8(ascii: "["): set(byte, p, end - 1)
    case let literal: literal == byte
    }
  }

  /// Whether the set from `p` to its `]` at `last` has the byte.
  private func set(_ byte: UInt8, _ p: Int, _ last: Int) -> Bool {
    var place = p + 1
    let isNegated = pattern[place] == UInt8(ascii: "^")
    if isNegated { place += 1 }
    while place < last {
      if pattern[place] == UInt8(ascii: "%"), place + 1 < last {
        if Self.isInClass(byte, pattern[place + 1]) { return !isNegated }
        place += 2
      } else if place + 2 < last, pattern[place + 1] == UInt8(ascii: "-") {
        if pattern[place] <= byte, byte <= pattern[place + 2] { return !isNegated }
        place += 3
      } else {
        if pattern[place] == byte { return !isNegated }
        place += 1
      }
    }
    return isNegated
  }

  private static func isInClass(_ byte: UInt8, _ name: UInt8) -> Bool {
    let isLetter = (0x61...0x7A).contains(byte | 0x20)
    let isDigit = (0x30...0x39).contains(byte)
    let result: Bool
    switch name | 0x20 {
    case UInt8(ascii: "a"): result = isLetter
    case UInt8(ascii: "c"): result = byte < 0x20 || byte == 0x7F
    case UInt8(ascii: "d"): result = isDigit
    case UInt8(ascii: "l"): result = (0x61...0x7A).contains(byte)
    case UInt8(ascii: "p"): result = (0x21...0x7E).contains(byte) && !isLetter && !isDigit
    case UInt8(ascii: "s"): result = byte == 0x20 || (0x09...0x0D).contains(byte)
    case UInt8(ascii: "u"): result = (0x41...0x5A).contains(byte)
    case UInt8(ascii: "w"): result = isLetter || isDigit
    case UInt8(ascii: "x"): result = isDigit || (0x61...0x66).contains(byte | 0x20)
    case UInt8(ascii: "z"): result = byte == 0
    default: return name == byte
    }
    // The name in upper case is the complement. Names that are no letters never come here.
    return name & 0x20 == 0 ? !result : result
  }
}
