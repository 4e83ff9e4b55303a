import EntityModel

/// How the text of a setting becomes a value: what is accepted, the reader, and the form shown to plugins.
struct SettingKind<Value: Sendable>: Sendable {
  let accepted: String
  let parse: @Sendable (String) throws(SettingValueError) -> Value
  let json: @Sendable (Value) -> JSONValue?

  init(
    _ accepted: String, json: @escaping @Sendable (Value) -> JSONValue?,
    parse: @escaping @Sendable (String) throws(SettingValueError) -> Value
  ) {
    self.accepted = accepted
    self.parse = parse
    self.json = json
  }

  /// The same kind where an empty text (possible only as default) means "not set".
  func orUnset() -> SettingKind<Value?> {
    let parse = parse
    let json = json
    return SettingKind<Value?>(accepted, json: { $0.flatMap(json) }) { text throws(SettingValueError) -> Value? in
      text.isEmpty ? nil : try parse(text)
    }
  }
}

extension SettingKind<Bool> {
  static let onOff = SettingKind("`on` or `off`", json: { .bool($0) }) { text throws(SettingValueError) -> Bool in
    switch text.lowercased() {
    case "on", "true": return true
    case "off", "false": return false
    default: throw SettingValueError("is neither on nor off")
    }
  }
}

extension SettingKind<Int> {
  static func integer(_ range: ClosedRange<Int>) -> SettingKind {
    let accepted =
      range.upperBound == Int.max
      ? "a whole number of at least \(range.lowerBound)"
      : "a whole number from \(range.lowerBound) to \(range.upperBound)"
    return SettingKind(accepted, json: { .integer(Int64($0)) }) { text throws(SettingValueError) -> Int in
      guard let number = Int(text) else { throw SettingValueError("is not a whole number") }
      guard range.contains(number) else { throw SettingValueError("is out of range") }
      return number
    }
  }

  /// Bytes in nginx's notation: `8k`, `10m`, `1g` or a plain number.
  static let size = SettingKind(
    "a size in bytes, with `k`, `m` or `g` for 1024, 1024² or 1024³ bytes", json: { .integer(Int64($0)) }
  ) { text throws(SettingValueError) -> Int in
    guard let bytes = SettingText.size(text) else { throw SettingValueError("is not a size") }
    return bytes
  }
}

extension SettingKind<Int> {
  /// ``size`` with a least value.
  static func size(atLeast least: Int) -> SettingKind {
    SettingKind(
      size.accepted + (least > 0 ? ", at least \(least >> 20)m" : ""), json: size.json
    ) { text throws(SettingValueError) -> Int in
      let bytes = try size.parse(text)
      guard bytes >= least else { throw SettingValueError("is too small") }
      return bytes
    }
  }
}

extension SettingKind<Duration> {
  /// Seconds as a decimal number, as Kong's own settings write them.
  static let seconds = SettingKind("a number of seconds, fractions allowed", json: SettingText.json(seconds:)) {
    text throws(SettingValueError) -> Duration in
    guard let seconds = Double(text), seconds.isFinite, seconds >= 0, seconds <= 3_153_600_000 else {
      throw SettingValueError("is not a number of seconds")
    }
    return .milliseconds(Int64((seconds * 1000).rounded()))
  }

  /// A time in nginx's notation: `30s`, `1h 30m`, `500ms`; a plain number is seconds.
  static let nginxTime = SettingKind(
    "a time such as `30s`, `500ms` or `1h30m`; a plain number is seconds", json: SettingText.json(seconds:)
  ) { text throws(SettingValueError) -> Duration in
    guard let duration = SettingText.time(text) else { throw SettingValueError("is not a time") }
    return duration
  }
}

extension SettingKind<String> {
  static let text = SettingKind("text", json: { .string($0) }) { text throws(SettingValueError) -> String in text }

  /// A path; ``GatewaySettings/resolve(_:)`` places relative ones under the prefix.
  static let path = SettingKind("a path; a relative one lies under `prefix`", json: { .string($0) }) {
    text throws(SettingValueError) -> String in
    guard !text.contains("\0") else { throw SettingValueError("has a NUL character") }
    return text
  }

  static let uuid = SettingKind("a UUID", json: { .string($0) }) { text throws(SettingValueError) -> String in
    let groups = text.split(separator: "-", omittingEmptySubsequences: false)
    guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12], groups.allSatisfy({ $0.allSatisfy(\.isHexDigit) }),
      text.utf8.count == 36
    else { throw SettingValueError("is not a UUID") }
    return text.lowercased()
  }
}

extension SettingKind<[String]> {
  /// Comma-separated values; empty ones are dropped, `off` alone is the empty list.
  static func list(_ accepted: String) -> SettingKind {
    SettingKind(accepted, json: { .array($0.map { .string($0) }) }) { text throws(SettingValueError) -> [String] in
      let items = SettingText.items(text)
      return items == ["off"] ? [] : items
    }
  }

  /// Addresses of name servers, `ip` or `ip:port`.
  static let nameServers = SettingKind(
    "a comma-separated list of `ip[:port]`, IPv6 in brackets", json: { .array($0.map { .string($0) }) }
  ) { text throws(SettingValueError) -> [String] in
    let items = SettingText.items(text)
    for item in items {
      let hasPort = IPAddress(item) == nil
      let endpoint = hasPort ? SettingText.endpoint(item) : (host: item, port: 53)
      guard let endpoint, IPAddress(endpoint.host) != nil, endpoint.port > 0 else {
        throw SettingValueError("has the entry \"\(item)\", which is not ip[:port]")
      }
    }
    return items
  }
}

/// A setting with a fixed set of words, some of which are known but not served yet.
protocol SettingChoice: RawRepresentable, CaseIterable, Sendable where RawValue == String {
  /// Words that Kong accepts and this program refuses, each with a sentence that says why.
  static var refused: [String: String] { get }
}

extension SettingChoice {
  static var refused: [String: String] { [:] }
}

extension SettingKind where Value: SettingChoice {
  static var choice: SettingKind {
    let words = Value.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")
    return SettingKind(
      Value.allCases.count > 1 ? "one of \(words)" : words, json: { .string($0.rawValue) }
    ) { text throws(SettingValueError) -> Value in
      let word = text.lowercased()
      if let choice = Value.allCases.first(where: { $0.rawValue.lowercased() == word }) { return choice }
      if let reason = Value.refused[word] { throw SettingValueError("is refused: \(reason)") }
      throw SettingValueError("is not a known word")
    }
  }
}

extension SettingKind<[ListenAddress]> {
  static let listeners = SettingKind(
    "`off`, or a comma-separated list of `host:port` with any of `ssl`, `http2`, `proxy_protocol`, `deferred`, "
      + "`bind`, `reuseport`, `backlog=N`",
    json: { $0.isEmpty ? ["off"] : .array($0.map { .string($0.text) }) }
  ) { text throws(SettingValueError) -> [ListenAddress] in
    let items = SettingText.items(text)
    if items == ["off"] { return [] }
    var addresses: [ListenAddress] = []
    for item in items { addresses.append(try ListenAddress(parsing: item)) }
    return addresses
  }
}

extension SettingKind<[PEMSource]> {
  static let pemList = SettingKind(
    "a comma-separated list of absolute paths, PEM texts or PEM texts in base64",
    json: { $0.isEmpty ? nil : .array($0.map { .string($0.shown) }) }
  ) { text throws(SettingValueError) -> [PEMSource] in
    SettingText.items(text).map(PEMSource.init(parsing:))
  }
}

extension SettingKind<[TrustedCertificates]> {
  static let trustedCertificates = SettingKind(
    "a comma-separated list of `system`, absolute paths, PEM texts or PEM texts in base64",
    json: { .array($0.map { .string($0.shown) }) }
  ) { text throws(SettingValueError) -> [TrustedCertificates] in
    let items = SettingText.items(text)
    if items.isEmpty { throw SettingValueError("names no certificate") }
    return items.map { $0 == "system" ? .system : .given(PEMSource(parsing: $0)) }
  }
}

extension SettingKind<PEMSource> {
  static let pem = SettingKind(
    "an absolute path, a PEM text or a PEM text in base64", json: { .string($0.shown) }
  ) { text throws(SettingValueError) -> PEMSource in
    PEMSource(parsing: text)
  }
}
