import Patterns

/// The validators behind the typedefs: each takes a value and returns the message of a violation, nil if it is good.
///
/// Values that are no strings pass; the type check before them has spoken already. Messages are Kong's.
public enum ValueChecks {
  // MARK: Names

  public static func utf8Name(_ value: JSONValue) -> String? { checkName(value, allowsUnicode: true) }

  public static func name(_ value: JSONValue) -> String? { checkName(value, allowsUnicode: false) }

  private static func checkName(_ value: JSONValue, allowsUnicode: Bool) -> String? {
    guard let text = value.string else { return nil }
    let isGood = text.utf8.allSatisfy { byte in
      isAlphanumeric(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        || byte == UInt8(ascii: "~") || (allowsUnicode && byte >= 0x80)
    }
    if isGood { return nil }
    let accepted = allowsUnicode ? "the only accepted ascii characters" : "it must only contain characters that"
    return "invalid value '\(text)': \(accepted) are alphanumerics or ., -, _, and ~"
  }

  /// Names of streamed and cloned plugins: lower-case letters, digits and hyphens, first a letter, last no hyphen.
  public static func pluginName(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    let bytes = text.utf8
    if bytes.count > 4096 { return "length must be at most 4096" }
    let lowerCase = UInt8(ascii: "a")...UInt8(ascii: "z")
    guard let first = bytes.first, lowerCase.contains(first), bytes.last != UInt8(ascii: "-"),
      bytes.allSatisfy({ lowerCase.contains($0) || isDigit($0) || $0 == UInt8(ascii: "-") })
    else {
      return "invalid plugin name '\(text)': it must consist of lower-case letters, digits and hyphens, start with a"
        + " letter and not end with a hyphen"
    }
    return nil
  }

  public static func tag(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    let isGood = text.utf8.allSatisfy { byte in
      byte >= 0x80 || ((0x20..<0x7F).contains(byte) && byte != UInt8(ascii: ",") && byte != UInt8(ascii: "/"))
    }
    if isGood { return nil }
    return "invalid tag '\(text)': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"
  }

  public static func headerName(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    if text.utf8.allSatisfy({ isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }) { return nil }
    return "bad header name '\(text)', allowed characters are A-Z, a-z, 0-9, '_', and '-'"
  }

  /// A token of RFC 9110 §5.6.2.
  public static func cookieName(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    let punctuation = Set("!#$%&'*+-.^_`|~".utf8)
    if text.utf8.allSatisfy({ isAlphanumeric($0) || punctuation.contains($0) }) { return nil }
    return "invalid cookie name '\(text)': it contains characters that a token may not have"
  }

  // MARK: Regular expressions

  /// A path of a route: a normalized prefix, or `~` and a regular expression.
  public static func routePath(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    if text.hasPrefix("~") {
      let pattern = String(text.dropFirst())
      guard let reason = regexFailure(pattern) else { return nil }
      return "invalid regex: '\(pattern)' (\(reason))"
    }
    let normalized = PathNormalization.normalized(text)
    return normalized == text ? nil : "non-normalized path, consider use '\(normalized)' instead"
  }

  /// Kong compatibility: expressions are RE2's, so look-around and back-references are refused.
  public static func isRegex(_ text: String) -> Bool { regexFailure(text) == nil }

  private static func regexFailure(_ pattern: String) -> String? {
    do {
      _ = try RE2Pattern(pattern)
      return nil
    } catch {
      return error.reason
    }
  }

  // MARK: Bytes

  static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  static func isAlphanumeric(_ byte: UInt8) -> Bool {
    isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }
}
