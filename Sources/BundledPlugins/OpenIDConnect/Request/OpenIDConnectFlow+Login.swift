import Crypto
import EntityModel
import PluginKit

/// The authorization code flow. Source: RFC 6749 §4.1, RFC 7636, OpenID Connect Core 1.0 §3.1.
extension OpenIDConnectFlow {
  private var purpose: String { "authorization \(settings.login.cookie.name)" }

  /// Arguments by which the provider answers a login.
  private static let callbackArguments = ["code", "state", "session_state", "iss", "error", "error_description"]

  private var pendingLogins: [PendingLogin] {
    guard let text = settings.login.cookie.value(in: credentials.cookies),
      let bytes = settings.session.seal.opened(text, for: purpose)
    else { return [] }
    return PendingLogin.decoded(bytes).filter { login in
      settings.login.timeout.map { Double(now - login.startedAt) < $0 } ?? true
    }
  }

  private func callbackText(_ name: String) -> String? {
    settings.login.usesFormPost ? credentials.field(name) ?? credentials.argument(name) : credentials.argument(name)
  }

  private func setLogins(_ logins: [PendingLogin]) {
    let present = Set(credentials.cookies.keys)
    let cookie = settings.login.cookie
    var lines: [String]?
    if logins.isEmpty {
      lines = cookie.removals(isHTTPS: isHTTPS, present: present)
    } else if let text = settings.session.seal.sealed(PendingLogin.encoded(logins), for: purpose) {
      lines = cookie.settings(text, isHTTPS: isHTTPS, present: present)
    }
    for line in lines ?? [] { context.response.headers.add("Set-Cookie", line) }
  }

  // MARK: Beginning

  /// Sends the client to the provider.
  func beginLogin() {
    guard let client, let endpoint = url(of: .authorization), let metadata = configuration?.metadata else {
      return answerUnexpected(
        ProviderFailure(reason: "\(settings.provider.issuer): no authorization_endpoint is known"))
    }
    let usesProofKey = settings.login.usesProofKey ?? (metadata.challengeMethods?.contains("S256") ?? false)
    let login = PendingLogin(
      state: RandomText.make(), nonce: RandomText.make(), verifier: usesProofKey ? RandomText.make() : nil,
      redirectURI: client.redirectURI ?? ownAddress(query: nil), origin: ownAddress(query: currentQuery),
      clientID: client.id, startedAt: now)
    var arguments: [(String, String)] = [
      ("response_type", "code"), ("client_id", client.id), ("redirect_uri", login.redirectURI),
      ("state", login.state), ("nonce", login.nonce),
    ]
    if !settings.scopes.isEmpty { arguments.append(("scope", settings.scopes.joined(separator: " "))) }
    if let verifier = login.verifier {
      arguments.append(("code_challenge", Base64URL.encoded(SHA256.hash(data: Array(verifier.utf8)))))
      arguments.append(("code_challenge_method", "S256"))
    }
    if settings.login.usesFormPost { arguments.append(("response_mode", "form_post")) }
    if let age = settings.maximumAge, age >= 0, age < 1e9 { arguments.append(("max_age", String(Int64(age)))) }
    if !settings.login.audience.isEmpty {
      arguments.append(("audience", settings.login.audience.joined(separator: " ")))
    }
    for argument in settings.login.arguments { arguments.append((argument.name, argument.value)) }
    for name in settings.login.clientArguments {
      guard let value = credentials.argument(name), !arguments.contains(where: { $0.0 == name }) else { continue }
      arguments.append((name, value))
    }
    if hasSessionCookie { endSession() }
    setLogins(pendingLogins.suffix(PendingLogin.maximumCount - 1) + [login])
    redirect(to: URLText.adding(arguments, to: endpoint))
  }

  private var currentQuery: String? {
    let query =
      context.queryOverride.map { String(decoding: $0, as: UTF8.self) }
      ?? context.withRawQuery { $0.map { String(decoding: $0, as: UTF8.self) } }
    guard let query, !query.isEmpty, query.utf8.count <= 2048 else { return nil }
    return query
  }

  /// The address under which the client reached this request.
  private func ownAddress(query: String?) -> String {
    let scheme = context.forwardedScheme
    let port = context.forwardedPort
    let usual = scheme == "https" ? 443 : 80
    return "\(scheme)://\(context.forwardedHost)" + (port == usual ? "" : ":\(port)") + context.rawForwardedPath
      + (query.map { "?" + $0 } ?? "")
  }

  // MARK: Completion

  /// Whether the request is the provider's answer to a login that this client has begun.
  var isCallback: Bool {
    guard settings.methods.contains(.authorizationCode), callbackText("state") != nil,
      callbackText("code") != nil || callbackText("error") != nil
    else { return false }
    return !pendingLogins.isEmpty
  }

  var isOfPendingLogin: Bool {
    let sent = callbackText("state")
    return pendingLogins.contains { $0.state == sent }
  }

  /// Gets the tokens of a login.
  func complete() {
    let logins = pendingLogins
    guard let login = logins.first(where: { $0.state == callbackText("state") }) else {
      return answerUnauthorized("the state is not that of a login of this client")
    }
    setLogins(logins.filter { $0.state != login.state })
    guard let code = callbackText("code"), !code.isEmpty else {
      return answerUnauthorized("the provider says: \(callbackText("error") ?? "no code")")
    }
    if let issuer = callbackText("iss"), issuer != configuration?.metadata.issuer {
      return answerUnauthorized("the answer is of another provider")
    }
    guard let owner = settings.clients.first(where: { $0.id == login.clientID }) else {
      return answerUnauthorized("the login is of a client that is not configured")
    }
    var grant: [(String, String)] = [
      ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", login.redirectURI),
    ]
    if let verifier = login.verifier { grant.append(("code_verifier", verifier)) }
    requestTokens(grant, by: owner, key: nil) { answer in
      switch answer {
      case .failed(let failure): self.answerUnexpected(failure)
      case .refused(let reason): self.answerUnauthorized(reason)
      case .tokens(let tokens, let headers):
        guard tokens.id != nil || !self.settings.scopes.contains("openid") else {
          return self.answerUnauthorized("the provider gives no ID token")
        }
        var evidence = Evidence(.authorizationCode, tokens)
        evidence.clientID = owner.id
        evidence.tokenHeaders = headers
        evidence.login = login
        self.verifyTokens(of: evidence, nonce: login.nonce) { self.admit($0) }
      }
    }
  }

  /// What the request looks like without the provider's answer in it.
  func removeCallback(_ login: PendingLogin) {
    for name in Self.callbackArguments { QueryText.removeArgument(name, from: context) }
    guard settings.login.preservesQuery, let mark = login.origin.firstIndex(of: "?") else { return }
    let origin = Array(login.origin[login.origin.index(after: mark)...].utf8)
    let own = context.queryOverride ?? context.withRawQuery { $0.map { Array($0) } ?? [] }
    context.queryOverride = own.isEmpty ? origin : own + [UInt8(ascii: "&")] + origin
  }

  // MARK: What follows

  /// Ends a login by its configured action; false where the request goes on to the upstream.
  func followLogin(_ evidence: Evidence) -> Bool {
    let login = settings.login
    guard login.methods.contains(evidence.method), login.action != .upstream else { return false }
    switch login.action {
    case .upstream: return false
    case .response:
      var members: [String: JSONValue] = [:]
      for (name, value) in loginTokens(evidence) { members[name] = value }
      answer(200, json: .object(members))
    case .redirect:
      let index = settings.clients.first { $0.id == evidence.clientID }?.index ?? 0
      let target = ProviderClient.element(login.redirectURIs, index) ?? evidence.login?.origin ?? "/"
      let arguments = loginTokens(evidence).map { name, value in
        (name, value.string ?? value.serializedString)
      }
      redirect(to: URLText.adding(arguments, to: target, inFragment: login.usesFragment))
    }
    return true
  }

  private func loginTokens(_ evidence: Evidence) -> [(String, JSONValue)] {
    settings.login.tokens.compactMap { name in
      switch name {
      case "id_token": evidence.tokens.id.map { (name, .string($0)) }
      case "access_token": evidence.tokens.access.map { (name, .string($0)) }
      case "refresh_token": evidence.tokens.refresh.map { (name, .string($0)) }
      case "tokens": evidence.tokens.document.isNull ? nil : (name, evidence.tokens.document)
      case "introspection": evidence.introspection.map { (name, .object($0.members)) }
      default: nil
      }
    }
  }
}
