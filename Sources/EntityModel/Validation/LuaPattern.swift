/// A pattern of Lua's string library (Lua 5.1 manual §5.4.1), matched over bytes within a budget of steps.
///
/// Schemas bring such patterns, streamed ones included, so a match must end: a pathological pattern runs out of budget
/// instead of time.
public struct LuaPattern: Sendable {
  public static let defaultBudget = 100_000
  static let maximumDepth = 200

  let bytes: [UInt8]

  public init(_ pattern: String) { bytes = Array(pattern.utf8) }

  /// Whether the pattern occurs in the text; nil when the budget is used up or the pattern is malformed.
  public func matches(_ text: String, budget: Int = defaultBudget) -> Bool? {
    let subject = Array(text.utf8)
    let isAnchored = bytes.first == UInt8(ascii: "^")
    var run = Run(pattern: bytes, subject: subject, steps: budget)
    var start = 0
    while true {
      run.captures.removeAll(keepingCapacity: true)
      if run.match(start, isAnchored ? 1 : 0, depth: 0) != nil { return true }
      if run.hasFailed { return nil }
      start += 1
      if isAnchored || start > subject.count { return false }
    }
  }

  private struct Run {
    let pattern: [UInt8]
    let subject: [UInt8]
    var steps: Int
    var hasFailed = false
    /// Start and length; nil for one that is still open.
    var captures: [(start: Int, length: Int?)] = []

    private var isFinished: Bool { !captures.contains { $0.length == nil } }

    private mutating func spend() -> Bool {
      steps -= 1
      if steps < 0 { hasFailed = true }
      return !hasFailed
    }

    private mutating func fail() -> Int? {
      hasFailed = true
      return nil
    }

    /// The end of a match of the pattern from `p` on at `s`.
    mutating func match(_ s: Int, _ p: Int, depth: Int) -> Int? {
      var s = s
      var p = p
      while true {
        guard spend(), depth < LuaPattern.maximumDepth else { return fail() }
        guard p < pattern.count else { return isFinished ? s : fail() }
        switch pattern[p] {
        case UInt8(ascii: "("):
          let isPosition = p + 1 < pattern.count && pattern[p + 1] == UInt8(ascii: ")")
          captures.append((s, isPosition ? 0 : nil))
          if let end = match(s, p + (isPosition ? 2 : 1), depth: depth + 1) { return end }
          if !captures.isEmpty { captures.removeLast() }
          return nil
        case UInt8(ascii: ")"):
          guard let open = captures.lastIndex(where: { $0.length == nil }) else { return fail() }
          captures[open].length = s - captures[open].start
          if let end = match(s, p + 1, depth: depth + 1) { return end }
          if open < captures.count { captures[open].length = nil }
          return nil
        case UInt8(ascii: "$") where p + 1 == pattern.count:
          guard isFinished else { return fail() }
          return s == subject.count ? s : nil
        case UInt8(ascii: "%") where p + 1 < pattern.count && pattern[p + 1] == UInt8(ascii: "b"):
          guard p + 3 < pattern.count else { return fail() }
          guard let end = matchBalance(s, pattern[p + 2], pattern[p + 3]) else { return nil }
          s = end
          p += 4
          continue
        case UInt8(ascii: "%") where p + 1 < pattern.count && pattern[p + 1] == UInt8(ascii: "f"):
          p += 2
          guard p < pattern.count, pattern[p] == UInt8(ascii: "["), let end = itemEnd(p) else { return fail() }
          let previous = s == 0 ? 0 : subject[s - 1]
          let current = s < subject.count ? subject[s] : 0
          guard !setContains(previous, p, end), setContains(current, p, end) else { return nil }
          p = end
          continue
        case UInt8(ascii: "%") where p + 1 < pattern.count && ValueChecks.isDigit(pattern[p + 1]):
          let index = Int(pattern[p + 1]) - 0x31
          guard index >= 0, index < captures.count, let length = captures[index].length else { return fail() }
          let start = captures[index].start
          guard subject.count - s >= length, subject[start..<start + length].elementsEqual(subject[s..<s + length])
          else { return nil }
          s += length
          p += 2
          continue
        default: break
        }
        guard let end = itemEnd(p) else { return fail() }
        let quantifier = end < pattern.count ? pattern[end] : 0
        switch quantifier {
        case UInt8(ascii: "?"):
          if s < subject.count, itemMatches(subject[s], p, end),
            let rest = match(s + 1, end + 1, depth: depth + 1)
          {
            return rest
          }
          if hasFailed { return nil }
          p = end + 1
        case UInt8(ascii: "*"): return matchLongest(s, p, end, minimum: 0, depth: depth)
        case UInt8(ascii: "+"): return matchLongest(s, p, end, minimum: 1, depth: depth)
        case UInt8(ascii: "-"):
          while true {
            if let rest = match(s, end + 1, depth: depth + 1) { return rest }
            guard !hasFailed, spend(), s < subject.count, itemMatches(subject[s], p, end) else { return nil }
            s += 1
          }
        default:
          guard s < subject.count, itemMatches(subject[s], p, end) else { return nil }
          s += 1
          p = end
        }
      }
    }

    private mutating func matchLongest(_ s: Int, _ p: Int, _ end: Int, minimum: Int, depth: Int) -> Int? {
      var count = 0
      while s + count < subject.count, itemMatches(subject[s + count], p, end) {
        count += 1
        guard spend() else { return nil }
      }
      while count >= minimum {
        if let rest = match(s + count, end + 1, depth: depth + 1) { return rest }
        if hasFailed { return nil }
        count -= 1
      }
      return nil
    }

    private mutating func matchBalance(_ s: Int, _ open: UInt8, _ close: UInt8) -> Int? {
      guard s < subject.count, subject[s] == open else { return nil }
      var level = 1
      var index = s + 1
      while index < subject.count {
        guard spend() else { return nil }
        if subject[index] == close {
          level -= 1
          if level == 0 { return index + 1 }
        } else if subject[index] == open {
          level += 1
        }
        index += 1
      }
      return nil
    }

    /// The position behind the single-character item at `p`; nil if it is not complete.
    private func itemEnd(_ p: Int) -> Int? {
      switch pattern[p] {
      case UInt8(ascii: "%"): return p + 1 < pattern.count ? p + 2 : nil
      case UInt8(ascii: "["):
        var q = p + 1
        if q < pattern.count, pattern[q] == UInt8(ascii: "^") { q += 1 }
        repeat {
          guard q < pattern.count else { return nil }
          q += pattern[q] == UInt8(ascii: "%") ? 2 : 1
        } while q >= pattern.count || pattern[q] != UInt8(ascii: "]")
        return q + 1
      default: return p + 1
      }
    }

    private func itemMatches(_ byte: UInt8, _ p: Int, _ end: Int) -> Bool {
      switch pattern[p] {
      case UInt8(ascii: "."): true
      case UInt8(ascii: "%"): classContains(byte, pattern[p + 1])
      case UInt8(ascii: "["): setContains(byte, p, end)
      default: pattern[p] == byte
      }
    }

    private func setContains(_ byte: UInt8, _ p: Int, _ end: Int) -> Bool {
      var q = p + 1
      let last = end - 1
      var isNegated = false
      if pattern[q] == UInt8(ascii: "^") {
        isNegated = true
        q += 1
      }
      while q < last {
        if pattern[q] == UInt8(ascii: "%"), q + 1 < last {
          if classContains(byte, pattern[q + 1]) { return !isNegated }
          q += 2
        } else if q + 2 < last, pattern[q + 1] == UInt8(ascii: "-") {
          if pattern[q] <= byte, byte <= pattern[q + 2] { return !isNegated }
          q += 3
        } else {
          if pattern[q] == byte { return !isNegated }
          q += 1
        }
      }
      return isNegated
    }

    private func classContains(_ byte: UInt8, _ name: UInt8) -> Bool {
      let isInside: Bool
      switch name | 0x20 {
      case UInt8(ascii: "a"): isInside = isLetter(byte)
      case UInt8(ascii: "c"): isInside = byte < 0x20 || byte == 0x7F
      case UInt8(ascii: "d"): isInside = ValueChecks.isDigit(byte)
      case UInt8(ascii: "g"): isInside = (0x21..<0x7F).contains(byte)
      case UInt8(ascii: "l"): isInside = (0x61...0x7A).contains(byte)
      case UInt8(ascii: "p"): isInside = (0x21..<0x7F).contains(byte) && !ValueChecks.isAlphanumeric(byte)
      case UInt8(ascii: "s"): isInside = byte == 0x20 || (0x09...0x0D).contains(byte)
      case UInt8(ascii: "u"): isInside = (0x41...0x5A).contains(byte)
      case UInt8(ascii: "w"): isInside = ValueChecks.isAlphanumeric(byte)
      case UInt8(ascii: "x"): isInside = hexDigitValue(byte) != nil
      case UInt8(ascii: "z"): isInside = byte == 0
      default: return name == byte
      }
      guard isLetter(name) else { return name == byte }
      return (0x41...0x5A).contains(name) ? !isInside : isInside
    }

    private func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
  }
}
