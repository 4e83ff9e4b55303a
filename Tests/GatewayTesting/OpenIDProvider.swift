import Crypto
import EntityModel
import Foundation
import Synchronization
import _CryptoExtras

/// An OpenID provider for tests: discovery, keys that change, tokens, introspection, user info, revocation and logins.
///
/// It shares no code with the plugin that it tests. Answers are computed from whole requests, so that it serves in
/// memory as well as behind a `ScriptedUpstream`.
public final class OpenIDProvider: Sendable {
  public struct Request: Sendable {
    public var method: String
    public var path: String
    public var query: [String: String]
    public var headers: [(name: String, value: String)]
    public var form: [String: String]

    public func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
  }

  public struct Answer: Sendable {
    public var status: Int
    public var headers: [(name: String, value: String)]
    public var body: String

    public init(_ status: Int, headers: [(name: String, value: String)] = [], body: String = "") {
      self.status = status
      self.headers = headers
      self.body = body
    }

    public init(_ status: Int = 200, json: JSONValue) {
      self.init(status, headers: [(name: "Content-Type", value: "application/json")], body: json.serializedString)
    }
  }

  private enum Key {
    case rsa(_RSA.Signing.PrivateKey)
    case p256(P256.Signing.PrivateKey)
  }

  private struct Login {
    var client: String
    var redirect: String
    var nonce: String?
    var challenge: String?
    var subject: String
  }

  private struct State {
    var keys: [(id: String, key: Key)] = []
    var codes: [String: Login] = [:]
    var refreshTokens: [String: String] = [:]
    var opaqueTokens: [String: JSONValue] = [:]
    var overrides: [String: Answer] = [:]
    var requests: [Request] = []
    var number = 0
  }

  public let issuer: String
  /// Ids and secrets of clients.
  public let clients: [String: String]
  private let state = Mutex(State())
  private let settings: Mutex<Settings>

  public struct Settings: Sendable {
    /// Seconds since the epoch.
    public var now: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }
    /// Seconds that tokens live.
    public var lifetime: Int64 = 300
    /// Whether access tokens are opaque.
    public var issuesOpaqueTokens = false
    /// Claims of every token.
    public var claims: [String: JSONValue] = [:]
    public var omitsIDToken = false
    public var nonceOverride: String?
  }

  public init(issuer: String, clients: [String: String] = ["gateway": "gateway secret"]) {
    self.issuer = issuer
    self.clients = clients
    settings = Mutex(Settings())
    state.withLock { $0.keys = [("p1", .p256(P256.Signing.PrivateKey()))] }
  }

  public func configure(_ change: (inout Settings) -> Void) { settings.withLock { change(&$0) } }

  /// Requests so far, in order.
  public var requests: [Request] { state.withLock { $0.requests } }
  public func requests(to path: String) -> [Request] { requests.filter { $0.path == path } }

  /// Answers that path with something else from now on; nil for its own answer again.
  public func override(_ path: String, _ answer: Answer?) { state.withLock { $0.overrides[path] = answer } }

  /// Puts a new key in the place of the others.
  public func rotateKeys(toRSA usesRSA: Bool = false, id: String) throws {
    let key: Key = usesRSA ? .rsa(try _RSA.Signing.PrivateKey(keySize: .bits2048)) : .p256(P256.Signing.PrivateKey())
    state.withLock { $0.keys = [(id, key)] }
  }

  /// The text of the first key as it stands in the key set, for tests of key confusion.
  public var publicKeyText: String { keySet["keys"]?.array?.first?.serializedString ?? "" }

  // MARK: Tokens

  private func encoded(_ bytes: some Sequence<UInt8>) -> String {
    Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
      .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
  }

  private func document(_ value: JSONValue) -> String { encoded(value.serialized()) }

  /// A token signed with the first key; `changes` replace claims, null removes them.
  public func token(_ changes: [String: JSONValue] = [:], header: [String: JSONValue] = [:]) throws -> String {
    let settings = settings.withLock { $0 }
    let now = settings.now()
    var claims: [String: JSONValue] = [
      "iss": .string(issuer), "sub": "alice", "aud": "gateway", "iat": .integer(now),
      "exp": .integer(now + settings.lifetime), "scope": "openid profile",
    ]
    claims.merge(settings.claims) { _, new in new }
    claims.merge(changes) { _, new in new }
    let (id, key) = state.withLock { $0.keys[0] }
    let algorithm: JSONValue = if case .rsa = key { "RS256" } else { "ES256" }
    let head = JSONValue.object(["alg": algorithm, "kid": .string(id), "typ": "JWT"].merging(header) { _, new in new })
    let signed = document(head) + "." + document(.object(claims.filter { !$0.value.isNull }))
    let digest = SHA256.hash(data: Data(signed.utf8))
    let signature: Data =
      switch key {
      case .rsa(let key): try key.signature(for: digest, padding: .insecurePKCS1v1_5).rawRepresentation
      case .p256(let key): try key.signature(for: digest).rawRepresentation
      }
    return signed + "." + encoded(signature)
  }

  /// A token of algorithm none.
  public func unsignedToken() throws -> String {
    let parts = try token().split(separator: ".")
    return document(["alg": "none", "typ": "JWT"]) + "." + parts[1] + "."
  }

  /// A token whose HMAC has a text for its secret: the public key, or a client's secret.
  public func token(signedWithSecret secret: String, keyID: String? = nil) throws -> String {
    let parts = try token().split(separator: ".")
    var header: [String: JSONValue] = ["alg": "HS256", "typ": "JWT"]
    if let keyID { header["kid"] = .string(keyID) }
    let signed = document(.object(header)) + "." + parts[1]
    let code = HMAC<SHA256>.authenticationCode(
      for: Data(signed.utf8), using: SymmetricKey(data: Data(secret.utf8)))
    return signed + "." + encoded(code)
  }

  /// An opaque token that introspection and user info know.
  public func opaqueToken(_ claims: [String: JSONValue] = [:]) -> String {
    let settings = settings.withLock { $0 }
    let claims = [
      "active": true, "iss": .string(issuer), "sub": "alice", "scope": "openid profile",
      "exp": .integer(settings.now() + settings.lifetime),
    ].merging(settings.claims) { _, new in new }.merging(claims) { _, new in new }
    return state.withLock { state in
      state.number += 1
      let token = "opaque-\(state.number)"
      state.opaqueTokens[token] = .object(claims)
      return token
    }
  }

  /// A refresh token for that user.
  public func refreshToken(for subject: String) -> String {
    state.withLock { state in
      state.number += 1
      let token = "refresh-\(state.number)"
      state.refreshTokens[token] = subject
      return token
    }
  }

  // MARK: Answers

  private var keySet: JSONValue {
    let keys = state.withLock { $0.keys }
    return [
      "keys": .array(
        keys.map { id, key in
          switch key {
          case .rsa(let key):
            let numbers = try? key.publicKey.getKeyPrimitives()
            return [
              "kty": "RSA", "kid": .string(id), "use": "sig", "alg": "RS256",
              "n": .string(encoded(numbers?.modulus ?? Data())),
              "e": .string(encoded(numbers?.publicExponent ?? Data())),
            ]
          case .p256(let key):
            let point = key.publicKey.rawRepresentation
            return [
              "kty": "EC", "crv": "P-256", "kid": .string(id), "use": "sig", "alg": "ES256",
              "x": .string(encoded(point.prefix(32))), "y": .string(encoded(point.suffix(32))),
            ]
          }
        })
    ]
  }

  private var discovery: JSONValue {
    func url(_ path: String) -> JSONValue { .string(issuer + path) }
    return [
      "issuer": .string(issuer), "jwks_uri": url("/jwks"), "authorization_endpoint": url("/authorize"),
      "token_endpoint": url("/token"), "introspection_endpoint": url("/introspect"),
      "userinfo_endpoint": url("/userinfo"), "revocation_endpoint": url("/revoke"),
      "end_session_endpoint": url("/logout"), "code_challenge_methods_supported": ["S256"],
      "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    ]
  }

  public func answer(_ request: Request) -> Answer {
    if let override = state.withLock({ state in
      state.requests.append(request)
      return state.overrides[request.path]
    }) {
      return override
    }
    switch (request.method, request.path) {
    case ("GET", "/.well-known/openid-configuration"): return Answer(json: discovery)
    case ("GET", "/jwks"): return Answer(json: keySet)
    case ("GET", "/authorize"): return authorize(request)
    case ("POST", "/token"): return isClient(request) ? token(request) : Answer(401, json: ["error": "invalid_client"])
    case ("POST", "/introspect"):
      guard isClient(request) else { return Answer(401, json: ["error": "invalid_client"]) }
      let token = request.form["token"] ?? ""
      return Answer(json: state.withLock { $0.opaqueTokens[token] } ?? ["active": false])
    case ("POST", "/revoke"):
      guard isClient(request) else { return Answer(401, json: ["error": "invalid_client"]) }
      let token = request.form["token"] ?? ""
      state.withLock { state in
        state.opaqueTokens[token] = nil
        state.refreshTokens[token] = nil
      }
      return Answer(200)
    case ("GET", "/userinfo"):
      let token = request.header("authorization")?.split(separator: " ").last.map(String.init) ?? ""
      let isKnown = token.split(separator: ".").count == 3 || state.withLock { $0.opaqueTokens[token] != nil }
      return isKnown
        ? Answer(json: ["sub": "alice", "email": "alice@example.org", "nickname": "al"])
        : Answer(401, json: ["error": "invalid_token"])
    default: return Answer(404)
    }
  }

  /// Basic, form, or a signed assertion of a known client.
  private func isClient(_ request: Request) -> Bool {
    if let header = request.header("authorization"), header.hasPrefix("Basic "),
      let data = Data(base64Encoded: String(header.dropFirst(6)))
    {
      let parts = String(decoding: data, as: UTF8.self).split(separator: ":", maxSplits: 1)
        .map { $0.removingPercentEncoding ?? "" }
      return parts.count == 2 && clients[parts[0]] == parts[1]
    }
    guard let id = request.form["client_id"], let secret = clients[id] else { return false }
    if request.form["client_secret"] == secret { return true }
    guard let assertion = request.form["client_assertion"] else { return false }
    let parts = assertion.split(separator: ".").map(String.init)
    guard parts.count == 3 else { return false }
    let code = HMAC<SHA256>.authenticationCode(
      for: Data((parts[0] + "." + parts[1]).utf8), using: SymmetricKey(data: Data(secret.utf8)))
    return encoded(code) == parts[2]
  }

  /// Logs `alice` in at once, without asking.
  private func authorize(_ request: Request) -> Answer {
    guard let client = request.query["client_id"], clients[client] != nil,
      let redirect = request.query["redirect_uri"], let sent = request.query["state"],
      request.query["response_type"] == "code"
    else { return Answer(400) }
    let code = state.withLock { state in
      state.number += 1
      state.codes["code-\(state.number)"] = Login(
        client: client, redirect: redirect, nonce: request.query["nonce"], challenge: request.query["code_challenge"],
        subject: "alice")
      return "code-\(state.number)"
    }
    let separator = redirect.contains("?") ? "&" : "?"
    return Answer(302, headers: [(name: "Location", value: "\(redirect)\(separator)code=\(code)&state=\(sent)")])
  }

  private func token(_ request: Request) -> Answer {
    let form = request.form
    switch form["grant_type"] {
    case "client_credentials": return issue(["sub": "service"], isLogin: false)
    case "password":
      guard form["username"] == "alice", form["password"] == "wonderland" else {
        return Answer(400, json: ["error": "invalid_grant"])
      }
      return issue([:], isLogin: true)
    case "refresh_token":
      guard let token = form["refresh_token"],
        let subject = state.withLock({ $0.refreshTokens.removeValue(forKey: token) })
      else { return Answer(400, json: ["error": "invalid_grant"]) }
      return issue(["sub": .string(subject)], isLogin: true)
    case "authorization_code":
      guard let code = form["code"], let login = state.withLock({ $0.codes.removeValue(forKey: code) }),
        login.redirect == form["redirect_uri"]
      else { return Answer(400, json: ["error": "invalid_grant"]) }
      if let challenge = login.challenge {
        guard let verifier = form["code_verifier"], encoded(SHA256.hash(data: Data(verifier.utf8))) == challenge else {
          return Answer(400, json: ["error": "invalid_grant"])
        }
      }
      let nonce = settings.withLock { $0.nonceOverride } ?? login.nonce
      return issue(["nonce": nonce.map { .string($0) } ?? .null, "sub": .string(login.subject)], isLogin: true)
    default: return Answer(400, json: ["error": "unsupported_grant_type"])
    }
  }

  private func issue(_ claims: [String: JSONValue], isLogin: Bool) -> Answer {
    let settings = settings.withLock { $0 }
    guard let access = settings.issuesOpaqueTokens ? opaqueToken(claims) : try? token(claims) else {
      return Answer(500)
    }
    var document: [String: JSONValue] = [
      "access_token": .string(access), "token_type": "Bearer", "expires_in": .integer(settings.lifetime),
      "scope": "openid profile",
    ]
    if isLogin {
      document["refresh_token"] = .string(refreshToken(for: claims["sub"]?.string ?? "alice"))
      if !settings.omitsIDToken, let token = try? token(claims) { document["id_token"] = .string(token) }
    }
    return Answer(json: .object(document))
  }
}

extension OpenIDProvider.Request {
  /// A request as texts; the body is read as a form.
  public init(method: String, target: String, headers: [(name: String, value: String)], body: String) {
    let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
    self.init(
      method: method, path: parts.first ?? "/", query: Self.fields(parts.count == 2 ? parts[1] : ""), headers: headers,
      form: Self.fields(body))
  }

  private static func fields(_ text: String) -> [String: String] {
    var fields: [String: String] = [:]
    for pair in text.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
        $0.replacingOccurrences(of: "+", with: " ").removingPercentEncoding ?? ""
      }
      if parts.count == 2 { fields[parts[0]] = parts[1] }
    }
    return fields
  }
}

extension OpenIDProvider {
  /// A provider that is reached by HTTP, and the server it stands behind.
  public static func served(
    clients: [String: String] = ["gateway": "gateway secret"]
  ) async throws -> (provider: OpenIDProvider, server: ScriptedUpstream) {
    let box = ProviderBox()
    let server = try await ScriptedUpstream.start { request in
      guard let provider = box.provider else { return .close }
      let line = request.requestLine.split(separator: " ").map(String.init)
      guard line.count == 3 else { return .close }
      let headers = request.head.split(separator: "\r\n").dropFirst().compactMap { header in
        header.firstIndex(of: ":").map { colon in
          (name: String(header[..<colon]), value: String(header[header.index(after: colon)...].drop { $0 == " " }))
        }
      }
      let answer = provider.answer(
        Request(method: line[0], target: line[1], headers: headers, body: request.text))
      let lines = answer.headers.map { "\($0.name): \($0.value)\r\n" }.joined()
      return .send(
        "HTTP/1.1 \(answer.status) X\r\n\(lines)Content-Length: \(answer.body.utf8.count)\r\n\r\n\(answer.body)")
    }
    let provider = OpenIDProvider(issuer: "http://127.0.0.1:\(server.port)", clients: clients)
    box.set(provider)
    return (provider, server)
  }

  /// The provider is made once its port is known, which is after its server has started.
  private final class ProviderBox: Sendable {
    private let held = Mutex<OpenIDProvider?>(nil)
    var provider: OpenIDProvider? { held.withLock { $0 } }
    func set(_ provider: OpenIDProvider) { held.withLock { $0 = provider } }
  }
}
