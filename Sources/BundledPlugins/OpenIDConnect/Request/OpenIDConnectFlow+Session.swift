import EntityModel

/// Sessions that clients have from earlier requests.
extension OpenIDConnectFlow {
  private var purpose: String { "session \(settings.session.cookie.name) \(settings.session.audience)" }

  /// The session of the request's cookie, if it is good.
  func openedSession() -> Session? {
    guard let text = settings.session.cookie.value(in: credentials.cookies) else { return nil }
    hasSessionCookie = true
    guard let bytes = settings.session.seal.opened(text, for: purpose), let session = Session(bytes),
      session.isAlive(settings.session, now: now), session.binding == Session.binding(settings.session, context)
    else { return nil }
    return session
  }

  /// Lets the session count, after its access token has been refreshed where it is over.
  func proceed(_ session: Session) {
    guard let endsAt = session.tokens.endsAt, now >= endsAt else { return resume(session) }
    guard settings.session.refreshesTokens, let token = session.tokens.refresh else {
      if Double(now) - settings.leeway < Double(endsAt) { return resume(session) }
      return search()
    }
    let owner = settings.clients.first { $0.id == session.clientID } ?? client
    // Requests that come together with one cookie share the new tokens: many providers take a refresh token once.
    requestTokens(
      [("grant_type", "refresh_token"), ("refresh_token", token)], by: owner, key: ["session", token]
    ) { answer in
      switch answer {
      case .failed(let failure): self.answerUnexpected(failure)
      case .refused: self.search()
      case .tokens(var tokens, let headers):
        tokens.refresh = tokens.refresh ?? token
        var evidence = Evidence(.session, tokens)
        self.verifyTokens(of: evidence, nonce: nil) { verified in
          var session = session
          evidence = verified
          if evidence.tokens.id == nil {
            evidence.tokens.id = session.tokens.id
            evidence.idClaims = session.tokens.id.flatMap { SignedToken($0) }?.claims
          }
          session.tokens = evidence.tokens
          session.renewedAt = self.now
          session.usedAt = self.now
          evidence.session = session
          evidence.sessionHasChanged = true
          evidence.clientID = session.clientID
          evidence.tokenHeaders = headers
          self.askAgain(evidence)
        }
      }
    }
  }

  private func resume(_ session: Session) {
    var session = session
    var evidence = Evidence(.session, session.tokens)
    evidence.sessionHasChanged = session.touch(settings.session, now: now)
    evidence.session = session
    evidence.clientID = session.clientID
    if settings.reverifies {
      return verifyTokens(of: evidence, nonce: nil) { self.askAgain($0) }
    }
    // A token that only the provider was asked about was never verified here.
    if settings.methods.contains(.bearer) || (session.method != .introspection && session.method != .userInfo) {
      evidence.accessClaims = session.tokens.access.flatMap { SignedToken($0) }?.claims
    }
    evidence.idClaims = session.tokens.id.flatMap { SignedToken($0) }?.claims
    askAgain(evidence)
  }

  /// What the provider said of the session's token is not in the cookie; it is asked again, or its kept answer taken.
  private func askAgain(_ evidence: Evidence) {
    guard let session = evidence.session, let token = evidence.tokens.access else { return admit(evidence) }
    func took(_ answer: EndpointAnswer, _ take: (inout Evidence, Claims) -> Void) {
      switch answer {
      case .failed(let failure): answerUnexpected(failure)
      case .refused: search()
      case .claims(let claims):
        var evidence = evidence
        take(&evidence, claims)
        admit(evidence)
      }
    }
    switch session.method {
    case .introspection: introspect(token) { took($0) { $0.introspection = $1 } }
    case .userInfo: fetchUserInfo(token) { took($0) { $0.userInfo = $1 } }
    default: admit(evidence)
    }
  }

  /// Starts or renews the session of an admitted request.
  func keepSession(_ evidence: inout Evidence) {
    guard settings.methods.contains(.session) else { return }
    if evidence.session == nil {
      guard evidence.method != .session, !settings.session.methodsWithout.contains(evidence.method) else { return }
      var session = Session(method: evidence.method, tokens: evidence.tokens, now: now)
      session.tokens.document = .null
      session.clientID = evidence.clientID ?? client?.id
      session.binding = Session.binding(settings.session, context)
      session.subject = evidence.claims.lazy.compactMap { $0.text(at: ["sub"]) }.first
      evidence.session = session
      evidence.sessionHasChanged = true
    }
    guard evidence.sessionHasChanged, let session = evidence.session,
      let text = settings.session.seal.sealed(session.encoded(), for: purpose)
    else { return }
    let present = Set(credentials.cookies.keys)
    guard let lines = settings.session.cookie.settings(text, isHTTPS: isHTTPS, present: present) else {
      executor.logger.warning("openid-connect: the session is too large for cookies, none is started")
      evidence.session = nil
      return
    }
    for line in lines { context.response.headers.add("Set-Cookie", line) }
  }

  /// Takes the session away from the client.
  func endSession() {
    let present = Set(credentials.cookies.keys)
    for line in settings.session.cookie.removals(isHTTPS: isHTTPS, present: present) {
      context.response.headers.add("Set-Cookie", line)
    }
  }

  // MARK: Logout

  var isLogout: Bool {
    let logout = settings.logout
    guard logout.methods.contains(context.method.name) else { return false }
    if let suffix = logout.pathSuffix, context.normalizedPath.reversed().starts(with: suffix.utf8.reversed()) {
      return true
    }
    if let name = logout.queryArgument, credentials.hasArgument(name) { return true }
    if let name = logout.bodyArgument, credentials.field(name) != nil { return true }
    return false
  }

  /// Ends the session: here, for its tokens if that is configured, and at the provider.
  func logOut(_ session: Session) {
    endSession()
    var tokens: [(String, String)] = []
    if settings.logout.revokesRefreshToken, let token = session.tokens.refresh {
      tokens.append((token, "refresh_token"))
    }
    if settings.logout.revokesAccessToken, let token = session.tokens.access { tokens.append((token, "access_token")) }
    revoke(tokens[...]) {
      let client = self.settings.clients.first { $0.id == session.clientID } ?? self.client
      let target = ProviderClient.element(self.settings.logout.redirectURIs, client?.index ?? 0)
      if let url = self.url(of: .endSession) {
        var arguments: [(String, String)] = []
        if let token = session.tokens.id { arguments.append(("id_token_hint", token)) }
        if let id = client?.id { arguments.append(("client_id", id)) }
        if let target { arguments.append(("post_logout_redirect_uri", target)) }
        return self.redirect(to: URLText.adding(arguments, to: url))
      }
      if let target { return self.redirect(to: target) }
      self.answer(200, "Logged out")
    }
  }

  private func revoke(_ tokens: ArraySlice<(String, String)>, then: @escaping () -> Void) {
    guard let (token, hint) = tokens.first else { return then() }
    revoke(token, hint: hint) { self.revoke(tokens.dropFirst(), then: then) }
  }
}
