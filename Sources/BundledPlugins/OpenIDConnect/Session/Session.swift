import Crypto
import EntityModel
import PluginKit

/// A session of a client, as its cookie holds it.
struct Session: Sendable {
  var id = RandomText.make()
  /// Seconds since the epoch: of its start, of its last renewal, of its last request that was noted.
  var startedAt: Int64
  var renewedAt: Int64
  var usedAt: Int64
  var subject: String?
  /// How the client was authenticated first.
  var method: AuthenticationMethod
  /// The client that the gateway was to the provider.
  var clientID: String?
  var binding: String?
  var tokens: TokenSet

  /// Seconds after which a request is noted anew, so that not every answer sets a cookie.
  private static let touchInterval: Int64 = 60

  func encoded() -> [UInt8] {
    var members: [String: JSONValue] = [
      "i": .string(id), "s": .integer(startedAt), "r": .integer(renewedAt), "u": .integer(usedAt),
      "m": .string(method.rawValue),
    ]
    members["n"] = subject.map { .string($0) }
    members["c"] = clientID.map { .string($0) }
    members["b"] = binding.map { .string($0) }
    members["ta"] = tokens.access.map { .string($0) }
    members["ti"] = tokens.id.map { .string($0) }
    members["tr"] = tokens.refresh.map { .string($0) }
    members["te"] = tokens.endsAt.map { .integer($0) }
    members["ts"] = tokens.scope.map { .string($0) }
    return JSONValue.object(members).serialized()
  }

  init(method: AuthenticationMethod, tokens: TokenSet, now: Int64) {
    startedAt = now
    renewedAt = now
    usedAt = now
    self.method = method
    self.tokens = tokens
  }

  init?(_ bytes: [UInt8]) {
    guard let value = try? JSONValue(parsing: bytes), let id = value["i"]?.string, let startedAt = value["s"]?.integer,
      let renewedAt = value["r"]?.integer, let usedAt = value["u"]?.integer,
      let method = value["m"]?.string.flatMap({ AuthenticationMethod(rawValue: $0) })
    else { return nil }
    self.id = id
    self.startedAt = startedAt
    self.renewedAt = renewedAt
    self.usedAt = usedAt
    self.method = method
    subject = value["n"]?.string
    clientID = value["c"]?.string
    binding = value["b"]?.string
    tokens = TokenSet(access: value["ta"]?.string)
    tokens.id = value["ti"]?.string
    tokens.refresh = value["tr"]?.string
    tokens.endsAt = value["te"]?.integer
    tokens.scope = value["ts"]?.string
  }

  /// Whether none of its times is over.
  func isAlive(_ settings: SessionSettings, now: Int64) -> Bool {
    func isOver(_ limit: Double?, since time: Int64) -> Bool { limit.map { Double(now - time) >= $0 } ?? false }
    return !isOver(settings.absoluteTimeout, since: startedAt) && !isOver(settings.rollingTimeout, since: renewedAt)
      && !isOver(settings.idlingTimeout, since: usedAt)
  }

  /// Notes a request.
  ///
  /// - Returns: whether the cookie must be set anew: after a minute, and when most of the rolling time is over.
  mutating func touch(_ settings: SessionSettings, now: Int64) -> Bool {
    let mustRenew = settings.rollingTimeout.map { Double(now - renewedAt) >= $0 * 0.75 } ?? false
    let mustNote =
      settings.idlingTimeout.map { Double(now - usedAt) >= min(Double(Self.touchInterval), $0 / 4) } ?? false
    guard mustRenew || mustNote else { return false }
    if mustRenew { renewedAt = now }
    usedAt = now
    return true
  }

  /// What the session belongs to of the connection and request, as one text; nil if nothing is configured.
  static func binding(_ settings: SessionSettings, _ context: RequestContext) -> String? {
    guard !settings.bindings.isEmpty else { return nil }
    var hash = SHA256()
    if settings.bindings.contains("ip") { hash.update(data: Array("ip \(context.clientIP)\n".utf8)) }
    if settings.bindings.contains("scheme") { hash.update(data: Array("scheme \(context.forwardedScheme)\n".utf8)) }
    if settings.bindings.contains("user-agent") {
      hash.update(data: Array("user-agent \(context.requestHeaders.first("user-agent") ?? "")\n".utf8))
    }
    return Base64URL.encoded(hash.finalize())
  }
}

/// Facts of a session that headers show. Source: Kong fact, bundled-16 §5 "Session".
enum SessionFacts {
  static func headerName(_ fact: String) -> String {
    "Session-" + fact.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined(separator: "-")
  }

  /// Times are the seconds that are left.
  static func value(_ fact: String, of session: Session, _ settings: SessionSettings, now: Int64) -> String? {
    func left(_ limit: Double?, since time: Int64) -> Int64? {
      limit.map { max(0, Int64(min($0, 1e9)) - (now - time)) }
    }
    let rolling = left(settings.rollingTimeout, since: session.renewedAt)
    let idling = left(settings.idlingTimeout, since: session.usedAt)
    let absolute = left(settings.absoluteTimeout, since: session.startedAt)
    switch fact {
    case "id": return session.id
    case "audience": return settings.audience
    case "subject": return session.subject
    case "timeout": return [rolling, idling, absolute].compactMap { $0 }.min().map(String.init)
    case "rolling-timeout": return rolling.map(String.init)
    case "idling-timeout": return idling.map(String.init)
    case "absolute-timeout": return absolute.map(String.init)
    default: return nil
    }
  }
}

/// Logins that a client has begun and not ended: one for each page that sent it to the provider.
struct PendingLogin: Sendable {
  /// Logins that are kept at once.
  static let maximumCount = 4

  let state: String
  let nonce: String
  let verifier: String?
  let redirectURI: String
  /// Address of the request that began it.
  let origin: String
  let clientID: String
  /// Seconds since the epoch.
  let startedAt: Int64

  static func encoded(_ logins: [PendingLogin]) -> [UInt8] {
    JSONValue.array(
      logins.suffix(maximumCount).map { login in
        var members: [String: JSONValue] = [
          "s": .string(login.state), "n": .string(login.nonce), "r": .string(login.redirectURI),
          "o": .string(login.origin), "c": .string(login.clientID), "t": .integer(login.startedAt),
        ]
        members["v"] = login.verifier.map { .string($0) }
        return .object(members)
      }
    ).serialized()
  }

  static func decoded(_ bytes: [UInt8]) -> [PendingLogin] {
    guard let list = try? JSONValue(parsing: bytes).array else { return [] }
    return list.compactMap { value in
      guard let state = value["s"]?.string, let nonce = value["n"]?.string, let redirect = value["r"]?.string,
        let origin = value["o"]?.string, let client = value["c"]?.string, let time = value["t"]?.integer
      else { return nil }
      return PendingLogin(
        state: state, nonce: nonce, verifier: value["v"]?.string, redirectURI: redirect, origin: origin,
        clientID: client, startedAt: time)
    }
  }
}
