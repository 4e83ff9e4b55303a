import EntityModel
import PluginKit

/// Requests whose credentials are good: what they may do, whom they stand for, what the upstream is shown.
extension OpenIDConnectFlow {
  func admit(_ evidence: Evidence) {
    if let cookie = settings.tokenCookie {
      let expected = credentials.cookies[cookie.name]
      guard expected != nil, evidence.accessClaims?.text(at: [cookie.claim]) == expected else {
        return answerUnauthorized("the token does not belong to the cookie \(cookie.name)", isInvalidToken: true)
      }
    }
    if let problem = authorizationProblem(evidence) { return answerForbidden(problem) }
    guard settings.needsUserInfo, evidence.userInfo == nil, let token = evidence.tokens.access else {
      return identify(evidence)
    }
    fetchUserInfo(token) { answer in
      switch answer {
      case .failed(let failure): self.answerUnexpected(failure)
      case .refused(let reason): self.answerUnauthorized(reason, isInvalidToken: true)
      case .claims(let claims):
        var evidence = evidence
        evidence.userInfo = claims
        self.identify(evidence)
      }
    }
  }

  /// What the request lacks: claims are those of the access token, or what the provider said of an opaque one.
  private func authorizationProblem(_ evidence: Evidence) -> String? {
    let claims = evidence.introspection ?? evidence.accessClaims ?? evidence.userInfo ?? evidence.idClaims
    for name in settings.claimsForbidden where claims?.value(at: [name]) != nil {
      return "the token has the forbidden claim \(name)"
    }
    for (claim, requirement) in settings.requirements {
      var words = claims?.words(at: requirement.path) ?? []
      if claim == "scopes", words.isEmpty, let text = evidence.tokens.scope {
        words = text.split(separator: " ").map(String.init)
      }
      guard requirement.isMet(by: words) else { return "the required \(claim) are not there" }
    }
    return nil
  }

  private func text(at path: [String], _ evidence: Evidence) -> String? {
    evidence.claims.lazy.compactMap { $0.text(at: path) }.first
  }

  private func value(at path: [String], _ evidence: Evidence) -> JSONValue? {
    evidence.claims.lazy.compactMap { $0.value(at: path) }.first
  }

  // MARK: Identity

  private func identify(_ evidence: Evidence) {
    var consumer: ConsumerInfo?
    if !settings.consumerClaims.isEmpty {
      let name = settings.consumerClaims.lazy.compactMap { self.text(at: $0, evidence) }.first
      consumer = name.flatMap(foundConsumer)
      guard consumer != nil || settings.consumerIsOptional else {
        return answerForbidden("no consumer was found for the token")
      }
    }
    var groups: [JSONValue]?
    if !settings.consumerGroupsClaim.isEmpty {
      let names = evidence.claims.lazy.map { $0.words(at: self.settings.consumerGroupsClaim) }.first { !$0.isEmpty }
      let found = (names ?? []).compactMap { executor.consumers.consumerGroup(name: $0) }
      guard !found.isEmpty || settings.consumerGroupsAreOptional else {
        return answerForbidden("no consumer group was found for the token")
      }
      groups = found.isEmpty ? nil : found.sorted { ($0.text("name") ?? "") < ($1.text("name") ?? "") }
    }
    if !settings.authenticatedGroupsClaim.isEmpty {
      let path = settings.authenticatedGroupsClaim
      context.authenticatedGroups = evidence.claims.lazy.map { $0.words(at: path) }.first { !$0.isEmpty }
    }
    let credential = text(at: settings.credentialClaim, evidence)
    context.credential = credential.map { .object(["id": .string($0)]) } ?? .object([:])
    become(consumer)
    if let groups { context.consumerGroups = groups }
    setHeader("X-Credential-Identifier", credential)
    context.requestHeaders.remove("X-Anonymous-Consumer")
    letThrough(evidence)
  }

  private func foundConsumer(_ name: String) -> ConsumerInfo? {
    for field in settings.consumerFields {
      let consumer: ConsumerInfo? =
        switch field {
        case "id": executor.consumers.consumer(id: name)
        case "username":
          executor.consumersByLowercasedName.map { $0[name.lowercased()] }
            ?? executor.consumers.consumer(username: name)
        case "custom_id": executor.consumers.consumer(customID: name)
        default: nil
        }
      if let consumer { return consumer }
    }
    return nil
  }

  /// Shows the upstream the consumer, or that there is none.
  func become(_ consumer: ConsumerInfo?) {
    if let consumer {
      context.consumer = consumer
      context.consumerGroups = executor.consumers.consumerGroups(ofConsumer: consumer.id)
    }
    setHeader("X-Consumer-ID", consumer?.id)
    setHeader("X-Consumer-Custom-ID", consumer?.customID)
    setHeader("X-Consumer-Username", consumer?.username)
  }

  private func setHeader(_ name: String, _ value: String?) {
    if let value { context.requestHeaders.set(name, value) } else { context.requestHeaders.remove(name) }
  }

  // MARK: Headers

  private func letThrough(_ evidence: Evidence) {
    var evidence = evidence
    keepSession(&evidence)
    if settings.hidesCredentials { hideCredentials(evidence) }
    for name in settings.upstream.names { context.requestHeaders.remove(name) }
    for (name, value) in headers(settings.upstream, evidence) { context.requestHeaders.set(name, value) }
    for (name, value) in headers(settings.downstream, evidence) { context.response.headers.set(name, value) }
    if settings.replayMethods?.contains(evidence.method) ?? true {
      for header in evidence.tokenHeaders { context.response.headers.set(header.name, header.value) }
    }
    if followLogin(evidence) { return }
    if let login = evidence.login { removeCallback(login) }
    finish()
  }

  private func hideCredentials(_ evidence: Evidence) {
    credentials.hide(evidence.places)
    let cookies = [settings.session.cookie, settings.login.cookie]
    let names = Set(cookies.flatMap { cookie in (0..<CookieSettings.maximumParts).map(cookie.partName) })
    credentials.hideCookies(names.contains)
  }

  /// Tokens as they are; documents as JSON in base64, for they may hold what a header may not.
  private func headers(_ wanted: TokenHeaders, _ evidence: Evidence) -> [(String, String)] {
    guard !wanted.names.isEmpty else { return [] }
    var headers: [(String, String)] = []
    func add(_ header: String?, _ value: String?) {
      guard let header, let value else { return }
      let (name, scheme) = TokenHeaders.parts(header)
      headers.append((name, scheme.map { "\($0) \(value)" } ?? value))
    }
    func encoded(_ document: JSONValue?) -> String? { document.map { Base64Text.encoded($0.serialized()) } }
    add(wanted.accessToken, evidence.tokens.access)
    add(wanted.accessTokenKey, encoded(evidence.accessKey))
    add(wanted.idToken, evidence.tokens.id)
    add(wanted.idTokenKey, encoded(evidence.idKey))
    add(wanted.refreshToken, evidence.tokens.refresh)
    add(wanted.userInfo, encoded(evidence.userInfo.map { .object($0.members) }))
    add(wanted.introspection, encoded(evidence.introspection.map { .object($0.members) }))
    add(wanted.sessionID, evidence.session?.id)
    for claim in wanted.claims {
      guard let value = value(at: claim.path, evidence) else { continue }
      headers.append((claim.name, Claims.text(value) ?? Base64Text.encoded(value.serialized())))
    }
    if let session = evidence.session {
      for fact in wanted.sessionFacts {
        guard let value = SessionFacts.value(fact, of: session, settings.session, now: now) else { continue }
        headers.append((SessionFacts.headerName(fact), value))
      }
    }
    return headers
  }
}
