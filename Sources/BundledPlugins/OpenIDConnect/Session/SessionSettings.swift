import EntityModel

/// How sessions are kept in their cookie.
struct SessionSettings: Sendable {
  let cookie: CookieSettings
  let audience: String
  /// Seconds; nil for no limit.
  let rollingTimeout: Double?
  let idlingTimeout: Double?
  let absoluteTimeout: Double?
  let bindings: Set<String>
  let methodsWithout: Set<AuthenticationMethod>
  let refreshesTokens: Bool
  let seal: CookieSeal

  init(_ config: JSONValue) {
    cookie = CookieSettings(config, "session", name: "session", sameSite: "Lax")
    audience = config.text("session_audience") ?? "default"
    rollingTimeout = Self.limit(config["session_rolling_timeout"], 3600)
    idlingTimeout = Self.limit(config["session_idling_timeout"], 900)
    absoluteTimeout = Self.limit(config["session_absolute_timeout"], 86400)
    bindings = Set(config.strings("session_bind"))
    methodsWithout = Set(config.strings("disable_session").compactMap { AuthenticationMethod(rawValue: $0) })
    refreshesTokens = config["refresh_tokens"]?.bool ?? true
    seal = CookieSeal(secret: config.text("session_secret"))
  }

  /// 0 stands for no limit.
  static func limit(_ value: JSONValue?, _ standard: Double) -> Double? {
    let seconds = value?.double ?? standard
    return seconds > 0 ? seconds : nil
  }
}

/// Name and attributes of a cookie. Source: RFC 6265.
struct CookieSettings: Sendable {
  /// Longest value of one cookie, in bytes; longer ones are split.
  static let maximumValueSize = 3800
  /// Cookies that one value is split into at most.
  static let maximumParts = 8

  let name: String
  let path: String
  private let attributes: String
  /// Nil where the scheme of the request decides.
  private let isSecure: Bool?

  init(_ config: JSONValue, _ kind: String, name: String, sameSite: String) {
    self.name = config.text("\(kind)_cookie_name") ?? name
    path = config.text("\(kind)_cookie_path") ?? "/"
    var attributes = "; Path=\(path)"
    if let domain = config.text("\(kind)_cookie_domain") { attributes += "; Domain=\(domain)" }
    let sameSite = config.text("\(kind)_cookie_same_site") ?? sameSite
    if sameSite != "Default" { attributes += "; SameSite=\(sameSite)" }
    if config["\(kind)_cookie_http_only"]?.bool ?? true { attributes += "; HttpOnly" }
    self.attributes = attributes
    isSecure = config["\(kind)_cookie_secure"]?.bool
  }

  func partName(_ index: Int) -> String { index == 0 ? name : name + String(index + 1) }

  /// Values of `Set-Cookie` that store a value; nil if it is too long for cookies.
  func settings(_ value: String, isHTTPS: Bool, present: Set<String>) -> [String]? {
    let bytes = Array(value.utf8)
    let count = max(1, (bytes.count + Self.maximumValueSize - 1) / Self.maximumValueSize)
    guard count <= Self.maximumParts else { return nil }
    var lines = (0..<count).map { index in
      let start = index * Self.maximumValueSize
      let part = bytes[start..<min(bytes.count, start + Self.maximumValueSize)]
      return "\(partName(index))=\(String(decoding: part, as: UTF8.self))" + all(isHTTPS)
    }
    lines += removals(isHTTPS: isHTTPS, present: present, from: count)
    return lines
  }

  /// Values of `Set-Cookie` that take away those parts that the client has.
  func removals(isHTTPS: Bool, present: Set<String>, from first: Int = 0) -> [String] {
    (first..<max(first, Self.maximumParts)).map(partName).filter(present.contains).map {
      "\($0)=; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0" + all(isHTTPS)
    }
  }

  private func all(_ isHTTPS: Bool) -> String { attributes + (isSecure ?? isHTTPS ? "; Secure" : "") }

  /// The value whose parts a request carries; nil without the first.
  func value(in cookies: [String: String]) -> String? {
    guard var value = cookies[name] else { return nil }
    for index in 1..<Self.maximumParts {
      guard let part = cookies[partName(index)] else { break }
      value += part
    }
    return value
  }
}
