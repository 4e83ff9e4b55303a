import Patterns

/// One path of a route.
enum RoutePath {
  /// Paths of one group share a place in the order of routes.
  enum Group: Hashable {
    case prefix(length: Int)
    case regex
  }

  static func group(of path: String) -> Group {
    path.hasPrefix("~") ? .regex : .prefix(length: path.utf8.count)
  }

  /// Paths by group, each in the given order.
  static func groups(of paths: [String]) -> [(group: Group, paths: [String])] {
    var groups: [(group: Group, paths: [String])] = []
    var places: [Group: Int] = [:]
    for path in paths {
      let group = group(of: path)
      if let place = places[group] {
        groups[place].paths.append(path)
      } else {
        places[group] = groups.count
        groups.append((group, [path]))
      }
    }
    return groups
  }
}

/// A compiled regex path: matches at the start of the path only.
final class RoutePathPattern: Sendable {
  let source: String
  let pattern: RE2Pattern
  /// Bytes with which every match begins.
  let literalPrefix: [UInt8]

  /// - Parameter source: the path without its `~`.
  init(_ source: String) throws(PatternError) {
    self.source = source
    pattern = try RE2Pattern(source)
    literalPrefix = Self.literalPrefix(of: Array(source.utf8))
  }

  /// Bytes with which every match must begin, as far as a plain look at the pattern can tell.
  static func literalPrefix(of source: [UInt8]) -> [UInt8] {
    guard !hasTopLevelAlternative(source) else { return [] }
    var prefix: [UInt8] = []
    /// Length of `prefix` before the last character: what stays if a quantifier follows.
    var beforeLast = 0
    var index = 0
    loop: while index < source.count {
      let byte = source[index]
      switch byte {
      case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "{"):
        prefix.removeSubrange(beforeLast...)
        break loop
      case UInt8(ascii: "\\"):
        // An escaped punctuation character stands for itself; letters and digits have meanings.
        guard index + 1 < source.count, isPunctuation(source[index + 1]) else { break loop }
        beforeLast = prefix.count
        prefix.append(source[index + 1])
        index += 2
      case UInt8(ascii: "."), UInt8(ascii: "["), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "|"),
        UInt8(ascii: "^"), UInt8(ascii: "$"), UInt8(ascii: "+"):
        break loop
      default:
        // Continuation bytes of UTF-8 belong to the character before them.
        if byte & 0xC0 != 0x80 { beforeLast = prefix.count }
        prefix.append(byte)
        index += 1
      }
    }
    return prefix
  }

  private static func hasTopLevelAlternative(_ source: [UInt8]) -> Bool {
    var depth = 0
    var index = 0
    while index < source.count {
      switch source[index] {
      case UInt8(ascii: "\\"):
        if index + 1 < source.count, source[index + 1] == UInt8(ascii: "Q") { return true }
        index += 1
      case UInt8(ascii: "["):
        index += 1
        if index < source.count, source[index] == UInt8(ascii: "^") { index += 1 }
        if index < source.count, source[index] == UInt8(ascii: "]") { index += 1 }
        while index < source.count, source[index] != UInt8(ascii: "]") {
          if source[index] == UInt8(ascii: "\\") { index += 1 }
          // A named class such as [:alpha:] holds a bracket of its own: do not try to tell.
          if index < source.count, source[index] == UInt8(ascii: "[") { return true }
          index += 1
        }
      case UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")"): depth -= 1
      case UInt8(ascii: "|") where depth <= 0: return true
      default: break
      }
      index += 1
    }
    return false
  }

  private static func isPunctuation(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "!")...UInt8(ascii: "/"), UInt8(ascii: ":")...UInt8(ascii: "@"),
      UInt8(ascii: "[")...UInt8(ascii: "`"), UInt8(ascii: "{")...UInt8(ascii: "~"):
      true
    default: false
    }
  }
}
