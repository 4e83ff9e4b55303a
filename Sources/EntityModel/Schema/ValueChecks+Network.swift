/// Validators of hosts, addresses, paths and URLs.
extension ValueChecks {
  /// What a text with the form of `host[:port]` is.
  enum HostForm {
    case address(IPAddress, port: Int?)
    case name(String, port: Int?)
    case invalid
    case invalidPort
  }

  static func hostForm(of text: String) -> HostForm {
    let colons = text.utf8.reduce(0) { $0 + ($1 == UInt8(ascii: ":") ? 1 : 0) }
    if colons > 1 || text.hasPrefix("[") { return bracketedForm(of: text) }
    var host = Substring(text)
    var port: Int?
    if let colon = text.lastIndex(of: ":") {
      host = text[..<colon]
      let digits = text[text.index(after: colon)...]
      guard !digits.isEmpty, digits.utf8.allSatisfy(isDigit) else { return .invalid }
      guard let number = Int(digits), number <= 65535 else { return .invalidPort }
      port = number
    }
    guard !host.isEmpty else { return .invalid }
    if host.utf8.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") }) {
      guard let address = IPAddress(String(host)) else { return .invalid }
      return .address(address, port: port)
    }
    let isGood = host.utf8.allSatisfy {
      isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_")
    }
    guard isGood, !host.split(separator: ".").contains(where: { $0.hasSuffix("-") }) else { return .invalid }
    return .name(String(host), port: port)
  }

  private static func bracketedForm(of text: String) -> HostForm {
    guard text.hasPrefix("["), let close = text.firstIndex(of: "]") else {
      guard let address = IPAddress(text), !address.isIPv4 else { return .invalid }
      return .address(address, port: nil)
    }
    guard let address = IPAddress(String(text[...close])), !address.isIPv4 else { return .invalid }
    let rest = text[text.index(after: close)...]
    if rest.isEmpty { return .address(address, port: nil) }
    guard rest.hasPrefix(":"), rest.utf8.count > 1, rest.utf8.dropFirst().allSatisfy(isDigit) else { return .invalid }
    guard let port = Int(rest.dropFirst()), port <= 65535 else { return .invalidPort }
    return .address(address, port: port)
  }

  public static func host(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    switch hostForm(of: text) {
    case .invalid: return "invalid value: \(text)"
    case .address(_, port: nil), .name(_, port: nil): return nil
    case .address, .name, .invalidPort: return "must not have a port"
    }
  }

  public static func hostWithOptionalPort(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    switch hostForm(of: text) {
    case .invalid: return "invalid value: \(text)"
    case .invalidPort: return "invalid port number"
    case .address, .name: return nil
    }
  }

  public static func sni(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    switch hostForm(of: text) {
    case .invalid: return "invalid value: \(text)"
    case .address: return "must not be an IP"
    case .name(_, port: nil): return nil
    case .name, .invalidPort: return "must not have a port"
    }
  }

  /// Host names of routes and SNIs: one `*` as the leftmost or rightmost label.
  public static func wildcardHost(_ value: JSONValue) -> String? { wildcardHost(value, allowsPort: false) }

  /// As `wildcardHost`, with a port.
  public static func wildcardHostWithOptionalPort(_ value: JSONValue) -> String? {
    wildcardHost(value, allowsPort: true)
  }

  private static func wildcardHost(_ value: JSONValue, allowsPort: Bool) -> String? {
    guard let text = value.string else { return nil }
    let stars = text.utf8.reduce(0) { $0 + ($1 == UInt8(ascii: "*") ? 1 : 0) }
    if stars > 1 { return "invalid wildcard: must have at most one wildcard" }
    if stars == 0 { return allowsPort ? hostWithOptionalPort(value) : host(value) }
    if text == "*", !allowsPort { return nil }
    let name = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)[0]
    guard name.hasPrefix("*.") || name.hasSuffix(".*") else {
      return "invalid wildcard: must be placed at leftmost or rightmost label"
    }
    let plain = JSONValue.string(String(text.map { $0 == "*" ? "a" : $0 }))
    switch hostForm(of: plain.string ?? "") {
    case .name(_, port: nil): return nil
    case .name: return allowsPort ? nil : "must not have a port"
    case .invalidPort: return allowsPort ? "invalid port number" : "must not have a port"
    case .invalid, .address: return "invalid value: \(text)"
    }
  }

  /// `host[:port]` of a target.
  public static func target(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    switch hostForm(of: text) {
    case .address, .name: return nil
    case .invalid, .invalidPort: return "Invalid target ('\(text)'); not a valid hostname or ip address"
    }
  }

  /// The name of an upstream: a host name, no address, no port.
  public static func upstreamName(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    switch hostForm(of: text) {
    case .name(_, port: nil): return nil
    case .address: return "Invalid name ('\(text)'); no ip addresses allowed"
    case .name, .invalidPort: return "Invalid name ('\(text)'); no port allowed"
    case .invalid: return "Invalid name ('\(text)'); must be a valid hostname"
    }
  }

  // MARK: Addresses

  public static func ip(_ value: JSONValue) -> String? {
    guard let text = value.string, IPAddress(text) == nil else { return nil }
    return "not an ip address: \(text)"
  }

  public static func cidr(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    return text.contains("/") && CIDRBlock(text) != nil ? nil : "invalid cidr range: '\(text)'"
  }

  public static func cidrV4(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    if text.contains("/"), let block = CIDRBlock(text), block.base.isIPv4 { return nil }
    return "invalid ipv4 cidr range: '\(text)'"
  }

  public static func ipOrCIDR(_ value: JSONValue) -> String? {
    guard let text = value.string, CIDRBlock(text) == nil else { return nil }
    return "invalid ip or cidr range: '\(text)'"
  }

  // MARK: Paths and URLs

  /// A path of RFC 3986 with valid percent escapes.
  public static func path(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    let punctuation = Set("-._~!$&'()*+,;=:@/%".utf8)
    guard text.utf8.allSatisfy({ isAlphanumeric($0) || punctuation.contains($0) }) else {
      return "invalid path: '\(text)' (characters outside of the reserved list of RFC 3986 found)"
    }
    let bytes = Array(text.utf8)
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "%") {
      let escape = bytes[index..<min(index + 3, bytes.count)]
      if escape.count < 3 || escape.dropFirst().contains(where: { hexDigitValue($0) == nil }) {
        return "invalid url-encoded value: '\(String(decoding: escape, as: UTF8.self))'"
      }
    }
    return nil
  }

  /// An absolute URL with scheme and host.
  public static func url(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    let parts = URLParts(text)
    if parts.host == nil { return "missing host in url" }
    if parts.scheme == nil { return "missing scheme in url" }
    return nil
  }
}

/// The parts of a URL as a service's `url` shorthand takes them (RFC 3986 §3, without query and fragment).
public struct URLParts: Sendable, Hashable {
  public var scheme: String?
  public var host: String?
  public var port: Int?
  public var path: String?

  public init(_ text: String) {
    var rest = Substring(text)
    if let end = rest.firstIndex(where: { $0 == "?" || $0 == "#" }) { rest = rest[..<end] }
    if let colon = rest.firstIndex(of: ":") {
      let candidate = rest[..<colon]
      let isScheme = candidate.utf8.enumerated().allSatisfy { index, byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
          || (index > 0
            && (ValueChecks.isDigit(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
              || byte == UInt8(ascii: ".")))
      }
      if isScheme, !candidate.isEmpty {
        scheme = String(candidate)
        rest = rest[rest.index(after: colon)...]
      }
    }
    if rest.hasPrefix("//") {
      rest = rest.dropFirst(2)
      let end = rest.firstIndex(of: "/") ?? rest.endIndex
      var authority = rest[..<end]
      rest = rest[end...]
      if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
      if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
        port = Int(authority[authority.index(after: colon)...])
        authority = authority[..<colon]
      }
      if authority.hasPrefix("["), authority.hasSuffix("]") { authority = authority.dropFirst().dropLast() }
      if !authority.isEmpty { host = String(authority) }
    }
    if !rest.isEmpty { path = String(rest) }
  }
}
