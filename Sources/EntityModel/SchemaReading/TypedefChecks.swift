import X509

/// The checks of the typedefs that go beyond the schema language; each returns the message of a violation.
///
/// Source: Kong fact, schema-library §8 (messages included).
enum TypedefChecks {
  static func host(_ text: String) -> String? {
    if isIPv6(text) { return nil }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    if parts.count == 2, isPort(parts[1]), isHostName(parts[0]) { return "must not have a port" }
    return isHostName(Substring(text)) ? nil : "invalid value: \(text)"
  }

  static func hostWithOptionalPort(_ text: String) -> String? {
    if isIPv6(text) { return nil }
    if text.hasPrefix("["), let end = text.lastIndex(of: "]") {
      let rest = text[text.index(after: end)...]
      guard IPAddress(String(text[...end])) != nil, rest.first == ":", isPort(rest.dropFirst()) else {
        return "invalid value: \(text)"
      }
      return nil
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 2, isHostName(parts[0]), parts.count == 1 || isPort(parts[1]) else {
      return "invalid value: \(text)"
    }
    return nil
  }

  static func serverName(_ text: String) -> String? {
    if IPAddress(text) != nil { return "must not be an IP" }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    if parts.count == 2, isPort(parts[1]) {
      return IPAddress(String(parts[0])) == nil ? "must not have a port" : "must not be an IP"
    }
    return isHostName(Substring(text)) ? nil : "invalid value: \(text)"
  }

  static func wildcardHost(_ text: String) -> String? {
    guard text.contains("*") else { return hostWithOptionalPort(text) }
    if text.filter({ $0 == "*" }).count > 1 { return "invalid wildcard: must have at most one wildcard" }
    let name = text.split(separator: ":", maxSplits: 1)[0]
    guard name.hasPrefix("*.") || name.hasSuffix(".*") else {
      return "invalid wildcard: must be placed at leftmost or rightmost label"
    }
    return hostWithOptionalPort(text.replacing("*", with: "x")) == nil ? nil : "invalid value: \(text)"
  }

  static func address(_ text: String) -> String? {
    IPAddress(text) == nil ? "not an ip address: \(text)" : nil
  }

  static func addressOrRange(_ text: String) -> String? {
    CIDRBlock(text) == nil ? "invalid ip or cidr range: '\(text)'" : nil
  }

  static func range(_ text: String) -> String? {
    text.contains("/") && CIDRBlock(text) != nil ? nil : "invalid cidr range: '\(text)'"
  }

  static func rangeOfIPv4(_ text: String) -> String? {
    guard text.contains("/"), let block = CIDRBlock(text), block.base.isIPv4 else {
      return "invalid ipv4 cidr range: '\(text)'"
    }
    return nil
  }

  static func path(_ text: String) -> String? {
    let bytes = Array(text.utf8)
    var index = 0
    while index < bytes.count {
      guard isPathByte(bytes[index]) else {
        return "invalid path: '\(text)' (characters outside of the reserved list of RFC 3986 found)"
      }
      if bytes[index] == UInt8(ascii: "%") {
        let digits = bytes[(index + 1)...].prefix(2)
        guard digits.count == 2, digits.allSatisfy({ hexDigitValue($0) != nil }) else {
          return "invalid url-encoded value: '%\(String(decoding: digits, as: UTF8.self))'"
        }
      }
      index += 1
    }
    return nil
  }

  static func url(_ text: String) -> String? {
    let separator = text.firstRange(of: "://")
    if separator == nil, !text.hasPrefix("//") { return "missing host in url" }
    let rest = separator.map { text[$0.upperBound...] } ?? text.dropFirst(2)
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
    if host.isEmpty || host.hasPrefix(":") { return "missing host in url" }
    return separator == nil || separator?.lowerBound == text.startIndex ? "missing scheme in url" : nil
  }

  static func headerName(_ text: String) -> String? {
    let isGood = !text.isEmpty && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2D || $0 == 0x5F }
    return isGood ? nil : "bad header name '\(text)', allowed characters are A-Z, a-z, 0-9, '_', and '-'"
  }

  static func cookieName(_ text: String) -> String? {
    let others = Set("!#$%&'*+-.^_`|~".utf8)
    let isGood = !text.isEmpty && text.utf8.allSatisfy { isAlphanumeric($0) || others.contains($0) }
    return isGood ? nil : "bad cookie name '\(text)', allowed are the characters of an RFC 6265 token"
  }

  static func name(_ text: String) -> String? {
    text.utf8.allSatisfy(isNameByte)
      ? nil : "invalid value '\(text)': it must only contain alphanumeric and '., -, _, ~' characters"
  }

  static func utf8Name(_ text: String) -> String? {
    text.utf8.allSatisfy { isNameByte($0) || $0 >= 0x80 }
      ? nil : "invalid value '\(text)': the only accepted ascii characters are alphanumerics or ., -, _, and ~"
  }

  static func tag(_ text: String) -> String? {
    let isGood = text.utf8.allSatisfy { $0 >= 0x80 || ((0x20...0x7E).contains($0) && $0 != 0x2C && $0 != 0x2F) }
    return isGood
      ? nil : "invalid tag '\(text)': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"
  }

  static func certificate(_ text: String) -> String? {
    do {
      _ = try Certificate(pemEncoded: text)
      return nil
    } catch {
      return "invalid certificate: expected a certificate in PEM form"
    }
  }

  static func privateKey(_ text: String) -> String? {
    do {
      _ = try Certificate.PrivateKey(pemEncoded: text)
      return nil
    } catch {
      return "invalid key: expected a private key in PEM form"
    }
  }

  private static func isIPv6(_ text: String) -> Bool {
    text.contains(":") && IPAddress(text) != nil
  }

  private static func isPort(_ text: Substring) -> Bool {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) } && UInt16(text) != nil
  }

  private static func isHostName(_ text: Substring) -> Bool {
    let name = text.hasSuffix(".") ? text.dropLast() : text
    guard (1...253).contains(name.utf8.count) else { return false }
    return name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
      !label.isEmpty && !label.hasPrefix("-") && !label.hasSuffix("-")
        && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2D || $0 == 0x5F }
    }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    isAlphanumeric(byte) || byte == 0x2E || byte == 0x2D || byte == 0x5F || byte == 0x7E
  }

  /// Unreserved characters, sub-delimiters and the other characters of an RFC 3986 path, and `%`.
  private static func isPathByte(_ byte: UInt8) -> Bool {
    isNameByte(byte) || "!$&'()*+,;=:@/%".utf8.contains(byte)
  }
}
