import EntityModel

/// Tokens that the gateway gets from the provider with what the client brings.
extension OpenIDConnectFlow {
  /// One try to get tokens.
  struct Grant {
    let method: AuthenticationMethod
    let fields: [(String, String)]
    let client: ProviderClient?
    let key: [String?]
    let places: [CredentialPlace]
  }

  private var scopeFields: [(String, String)] {
    settings.scopes.isEmpty ? [] : [("scope", settings.scopes.joined(separator: " "))]
  }

  /// The grants that the request has credentials for. A user name and a password in `Authorization` may as well be a
  /// client's id and secret: one is tried after the other.
  var grants: [Grant] {
    var grants: [Grant] = []
    if settings.methods.contains(.password), let found = credentials.password(settings) {
      grants.append(
        Grant(
          method: .password,
          fields: [("grant_type", "password"), ("username", found.texts[0]), ("password", found.texts[1])]
            + scopeFields, client: client, key: ["password"] + found.texts.map(Optional.some), places: found.places))
    }
    if settings.methods.contains(.clientCredentials), let found = credentials.clientCredentials(settings) {
      grants.append(
        Grant(
          method: .clientCredentials, fields: [("grant_type", "client_credentials")] + scopeFields,
          client: ProviderClient(id: found.texts[0], secret: found.texts[1], like: client),
          key: ["client_credentials"] + found.texts.map(Optional.some), places: found.places))
    }
    return grants
  }

  func tryGrants(_ grants: ArraySlice<Grant>, refusals: [String]) {
    guard let grant = grants.first else {
      return answerUnauthorized(refusals.first ?? "the provider gives no tokens", isInvalidToken: true)
    }
    requestTokens(grant.fields, by: grant.client, key: grant.key) { answer in
      switch answer {
      case .failed(let failure): self.answerUnexpected(failure)
      case .refused(let reason): self.tryGrants(grants.dropFirst(), refusals: refusals + [reason])
      case .tokens(let tokens, let headers):
        var evidence = Evidence(grant.method, tokens)
        evidence.places = grant.places
        evidence.tokenHeaders = headers
        evidence.clientID = grant.client?.id
        self.verifyTokens(of: evidence, nonce: nil) { self.admit($0) }
      }
    }
  }

  func refresh(_ found: FoundCredential) {
    requestTokens(
      [("grant_type", "refresh_token"), ("refresh_token", found.texts[0])] + scopeFields, by: client,
      key: ["refresh_token", found.texts[0]]
    ) { answer in
      switch answer {
      case .failed(let failure): self.answerUnexpected(failure)
      case .refused(let reason): self.answerUnauthorized(reason, isInvalidToken: true)
      case .tokens(var tokens, let headers):
        tokens.refresh = tokens.refresh ?? found.texts[0]
        var evidence = Evidence(.refreshToken, tokens)
        evidence.places = found.places
        evidence.tokenHeaders = headers
        self.verifyTokens(of: evidence, nonce: nil) { self.admit($0) }
      }
    }
  }

  /// Verifies the tokens that the provider gave; an access token that is opaque is taken as it is.
  func verifyTokens(of evidence: Evidence, nonce: String?, then: @escaping (Evidence) -> Void) {
    verify(evidence.tokens.id, as: .id(nonce: nonce), by: evidence.method) { idToken, idKey in
      self.verify(evidence.tokens.access, as: .access, by: evidence.method) { accessToken, accessKey in
        var evidence = evidence
        evidence.idClaims = idToken?.claims
        evidence.idKey = idKey
        evidence.accessClaims = accessToken?.claims
        evidence.accessKey = accessKey
        if evidence.tokens.endsAt == nil { evidence.tokens.endsAt = accessToken.flatMap { Self.expiry($0.claims) } }
        then(evidence)
      }
    }
  }

  private func verify(
    _ text: String?, as kind: TokenKind, by method: AuthenticationMethod,
    then: @escaping (SignedToken?, JSONValue?) -> Void
  ) {
    guard let text else { return then(nil, nil) }
    guard let token = SignedToken(text) else {
      if case .id = kind { return answerUnauthorized("the ID token is no signed token", isInvalidToken: true) }
      return then(nil, nil)
    }
    verify(token, as: kind, by: method) { verdict in
      switch verdict {
      case .failed(let failure): self.answerUnexpected(failure)
      case .refused(let reason): self.answerUnauthorized(reason, isInvalidToken: true)
      case .good(let key): then(token, key)
      }
    }
  }
}
