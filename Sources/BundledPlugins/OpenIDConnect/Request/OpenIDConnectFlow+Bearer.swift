import EntityModel

/// Access tokens that the client brings.
extension OpenIDConnectFlow {
  func checkBearer(_ found: FoundCredential) {
    let text = found.texts[0]
    var evidence = Evidence(.bearer, TokenSet(access: text))
    evidence.places = found.places
    guard let token = SignedToken(text), settings.methods.contains(.bearer) else {
      return checkByProvider(text, evidence)
    }
    verify(token, as: .access, by: .bearer) { verdict in
      switch verdict {
      case .failed(let failure): self.answerUnexpected(failure)
      case .refused(let reason): self.answerUnauthorized(reason, isInvalidToken: true)
      case .good(let key):
        evidence.accessClaims = token.claims
        evidence.accessKey = key
        evidence.tokens.endsAt = Self.expiry(token.claims)
        if self.settings.introspectsSignedTokens, self.settings.methods.contains(.introspection) {
          self.checkByProvider(text, evidence)
        } else {
          self.addIDToken(evidence)
        }
      }
    }
  }

  static func expiry(_ claims: Claims) -> Int64? {
    guard let time = claims["exp"]?.double, time.isFinite, abs(time) < 1e15 else { return nil }
    return Int64(time)
  }

  /// Asks the provider about a token that cannot be read, or that it shall be asked about.
  private func checkByProvider(_ text: String, _ evidence: Evidence) {
    func took(_ answer: EndpointAnswer, _ method: AuthenticationMethod, _ take: (inout Evidence, Claims) -> Void) {
      switch answer {
      case .failed(let failure): answerUnexpected(failure)
      case .refused(let reason): answerUnauthorized(reason, isInvalidToken: true)
      case .claims(let said):
        var result = Evidence(method, evidence.tokens)
        result.places = evidence.places
        result.accessClaims = evidence.accessClaims
        result.accessKey = evidence.accessKey
        result.tokens.endsAt = Self.expiry(said) ?? evidence.tokens.endsAt
        take(&result, said)
        addIDToken(result)
      }
    }
    if settings.methods.contains(.introspection), url(of: .introspection) != nil {
      introspect(text) { took($0, .introspection) { $0.introspection = $1 } }
    } else if settings.methods.contains(.userInfo), url(of: .userInfo) != nil {
      fetchUserInfo(text) { took($0, .userInfo) { $0.userInfo = $1 } }
    } else {
      answerUnauthorized("the token is no signed token, and the provider is not asked", isInvalidToken: true)
    }
  }

  /// The ID token that may accompany an access token, and then must be good. It is for a client, so without one it is
  /// not looked at.
  private func addIDToken(_ evidence: Evidence) {
    guard !settings.clients.isEmpty, let found = credentials.idToken(settings),
      let token = SignedToken(found.texts[0])
    else { return admit(evidence) }
    verify(token, as: .id(nonce: nil), by: .bearer) { verdict in
      var evidence = evidence
      switch verdict {
      case .failed(let failure): return self.answerUnexpected(failure)
      case .refused(let reason): return self.answerUnauthorized(reason, isInvalidToken: true)
      case .good(let key):
        evidence.tokens.id = token.text
        evidence.idClaims = token.claims
        evidence.idKey = key
        evidence.places += found.places
      }
      self.admit(evidence)
    }
  }
}
