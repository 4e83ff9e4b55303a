import EntityModel

/// Verification of tokens: signature, then claims.
extension OpenIDConnectFlow {
  enum Verdict {
    /// The key is nil for shared secrets and for tokens that are not verified.
    case good(key: JSONValue?)
    case refused(String)
    case failed(ProviderFailure)
  }

  enum TokenKind {
    case access
    /// With the nonce that it must have, if any.
    case id(nonce: String?)
  }

  func verify(
    _ token: SignedToken, as kind: TokenKind, by method: AuthenticationMethod, then: @escaping (Verdict) -> Void
  ) {
    verifySignature(of: token, by: method) { verdict in
      guard case .good = verdict else { return then(verdict) }
      if let problem = self.problem(with: token.claims, as: kind) { return then(.refused(problem)) }
      then(verdict)
    }
  }

  private func verifySignature(
    of token: SignedToken, by method: AuthenticationMethod, then: @escaping (Verdict) -> Void
  ) {
    guard settings.verifiesSignatures, !settings.unverifiedMethods.contains(method) else {
      return then(.good(key: nil))
    }
    guard let algorithm = token.algorithm else { return then(.refused("the token's algorithm is not accepted")) }
    if token.hasCriticalExtensions { return then(.refused("the token demands extensions")) }
    if algorithm.family == .hmac {
      guard settings.acceptsSharedSecrets else {
        return then(.refused("tokens signed with a shared secret are not accepted"))
      }
      let bytes = token.signedBytes
      let isGood = settings.clients.contains {
        $0.sharedSecret?.isValid(token.signature, over: bytes, by: algorithm) ?? false
      }
      return then(isGood ? .good(key: nil) : .refused("the token's signature is not valid"))
    }
    if let key = configuration?.keys?.signer(of: token) { return then(.good(key: key.document)) }
    // The provider may have changed its keys.
    provider.rediscovered(by: exchange, at: now) { result in
      switch result {
      case .failure(let failure): then(.failed(failure))
      case .success(let configuration):
        self.update(configuration)
        guard let keys = configuration.keys else {
          return then(.failed(ProviderFailure(reason: "\(self.settings.provider.issuer): no key set can be had")))
        }
        if let key = keys.signer(of: token) { return then(.good(key: key.document)) }
        then(.refused("the token's signature is not valid, or its key is not known"))
      }
    }
  }

  /// What is wrong with the standard claims. Source: RFC 7519 §4.1, OpenID Connect Core 1.0 §3.1.3.7.
  private func problem(with claims: Claims, as kind: TokenKind) -> String? {
    guard settings.verifiesClaims else { return nil }
    guard let issuer = claims["iss"]?.string else { return "the token names no issuer" }
    let issuers =
      settings.issuersAllowed.isEmpty ? [configuration?.metadata.issuer].compactMap { $0 } : settings.issuersAllowed
    guard issuers.contains(issuer) else { return "the token's issuer is not accepted" }
    if let problem = timeProblem(with: claims) { return problem }
    guard case .id(let nonce) = kind else { return nil }
    guard claims["exp"] != nil else { return "the ID token has no expiry" }
    guard claims["sub"]?.string?.isEmpty == false else { return "the ID token names no subject" }
    let audience = claims.value(at: ["aud"])
    let clients = audience?.array?.compactMap(\.string) ?? audience?.string.map { [$0] } ?? []
    let own = Set(settings.clients.map(\.id))
    guard clients.contains(where: own.contains) else { return "the ID token is for another client" }
    if let party = claims["azp"]?.string {
      guard own.contains(party) else { return "the ID token is for another party" }
    }
    if let nonce, settings.verifiesNonce {
      guard claims["nonce"]?.string == nonce else { return "the ID token's nonce is not that of the login" }
    }
    if !settings.domains.isEmpty {
      guard let domain = claims["hd"]?.string, settings.domains.contains(domain) else {
        return "the ID token's domain is not accepted"
      }
    }
    if let maximum = settings.maximumAge {
      guard let time = claims["auth_time"]?.double, Double(now) - settings.leeway - time <= maximum else {
        return "the user authenticated too long ago"
      }
    }
    return nil
  }

  /// What is wrong with the times of a token or of an introspection answer.
  func timeProblem(with claims: Claims) -> String? {
    let time = Double(now)
    for name in ["exp", "nbf", "iat"] {
      guard let value = claims.value(at: [name]) else { continue }
      guard let claimed = value.double else { return "the token's \(name) is no number" }
      if name == "exp" {
        if time - settings.leeway >= claimed { return "the token has expired" }
      } else if claimed > time + settings.leeway {
        return name == "nbf" ? "the token is not valid yet" : "the token was issued in the future"
      }
    }
    return nil
  }
}
