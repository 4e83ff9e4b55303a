import EntityModel

/// The nodes that read, check and make JSON Web Tokens. Source: RFC 7515, RFC 7519; Kong fact, bundled-16 §7.
enum DatakitToken {
  /// Outputs: header, payload, signature. Nobody looks at the signature.
  static func decode(_ token: DatakitValue) throws(DatakitFailure) -> [DatakitValue] {
    guard let text = token.text else { throw DatakitFailure("there is no token") }
    guard text.utf8.count <= SignedToken.maximumSize else { throw DatakitFailure("the token is too long") }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw DatakitFailure("the token does not have three parts") }
    return [try document(parts[0], "header"), try document(parts[1], "payload"), .json(.string(String(parts[2])))]
  }

  private static func document(_ part: Substring, _ name: String) throws(DatakitFailure) -> DatakitValue {
    guard let bytes = Base64URL.decoded(part), let json = try? JSONValue(parsing: bytes), json.object != nil else {
      throw DatakitFailure("the \(name) of the token is no JSON object")
    }
    return .json(json)
  }

  /// A key as a node gets it: a JSON Web Key or a set of them, as JSON or as its text; any other text is a shared
  /// secret.
  fileprivate enum Key {
    case document(JSONValue)
    case secret(SharedSecret)

    init(_ value: DatakitValue) throws(DatakitFailure) {
      var value = value
      if let text = value.text {
        // The text of a public key must never become a secret.
        if text.contains("-----BEGIN") { throw DatakitFailure("keys in PEM are not available: give a JSON Web Key") }
        guard let json = try? JSONValue(parsing: text), json.object != nil else {
          guard let secret = SharedSecret(text) else { throw DatakitFailure("the key is empty") }
          self = .secret(secret)
          return
        }
        value = .json(json)
      }
      guard case .json(let json) = value, json.object != nil else { throw DatakitFailure("there is no key") }
      if json["kty"] == "oct" {
        guard let secret = json["k"]?.string.flatMap({ Base64URL.decoded($0) }).flatMap({ SharedSecret(bytes: $0) })
        else { throw DatakitFailure("the key has no usable 'k'") }
        self = .secret(secret)
      } else {
        self = .document(json)
      }
    }
  }

  /// What a jwt_verify node demands.
  struct Verification: Sendable {
    let algorithms: [String]
    let issuers: [String]
    let audiences: [String]
    let requiredClaims: [String]
    /// In seconds.
    let leeway: Double
    let checksExpiry: Bool
    let checksBeginning: Bool

    init(_ config: JSONValue) {
      algorithms = config.strings("allowed_algorithms")
      issuers = config.strings("issuers")
      audiences = config.strings("audiences")
      requiredClaims = config.strings("required_claims")
      leeway = config["leeway"]?.double ?? 0
      checksExpiry = config["validate_exp"]?.bool ?? true
      checksBeginning = config["validate_nbf"]?.bool ?? true
    }

    /// Outputs: claims, header.
    ///
    /// - Parameter now: seconds since the epoch.
    func verify(token: DatakitValue, key: DatakitValue, now: Double) throws(DatakitFailure) -> [DatakitValue] {
      guard let text = token.text, let signed = SignedToken(text) else {
        throw DatakitFailure("the token is no signed JSON Web Token")
      }
      guard let algorithm = signed.algorithm, !signed.hasCriticalExtensions,
        algorithms.isEmpty || algorithms.contains(algorithm.rawValue)
      else { throw DatakitFailure("the algorithm of the token is not allowed") }
      let isSigned =
        switch try Key(key) {
        case .secret(let secret):
          secret.isValid(signed.signature, over: signed.signedBytes, by: algorithm)
        case .document(let document):
          (KeySet(document) ?? KeySet(["keys": [document]]))?.signer(of: signed) != nil
        }
      guard isSigned else { throw DatakitFailure("the signature of the token is not valid") }
      try check(signed.claims, now)
      guard let header = try DatakitToken.decode(token).first else { throw DatakitFailure("there is no header") }
      return [.json(.object(signed.claims.members)), header]
    }

    private func check(_ claims: Claims, _ now: Double) throws(DatakitFailure) {
      for name in requiredClaims where claims[name] ?? .null == .null {
        throw DatakitFailure("the token has no claim '\(name)'")
      }
      if checksExpiry, let expiry = claims["exp"], (expiry.double ?? 0) + leeway <= now {
        throw DatakitFailure("the token has expired")
      }
      if checksBeginning, let beginning = claims["nbf"], (beginning.double ?? .infinity) - leeway > now {
        throw DatakitFailure("the token is not valid yet")
      }
      if !issuers.isEmpty, !(claims["iss"]?.string.map(issuers.contains) ?? false) {
        throw DatakitFailure("the issuer of the token is not allowed")
      }
      if !audiences.isEmpty {
        let given = claims["aud"]?.string.map { [$0] } ?? claims["aud"]?.array?.compactMap(\.string) ?? []
        guard given.contains(where: audiences.contains) else {
          throw DatakitFailure("the audience of the token is not allowed")
        }
      }
    }
  }

  /// What a jwt_sign node makes.
  struct Signing: Sendable {
    let algorithm: SignatureAlgorithm
    /// In seconds.
    let expiresIn: Int64
    let notBefore: Int64
    let staticClaims: [String: JSONValue]
    let keyID: String?
    let type: String

    /// Nil for an algorithm that is not known.
    init?(_ config: JSONValue) {
      guard let name = config["algorithm"]?.string, let algorithm = SignatureAlgorithm(rawValue: name) else {
        return nil
      }
      self.algorithm = algorithm
      expiresIn = config["expires_in"]?.integer ?? 300
      notBefore = config["not_before"]?.integer ?? 0
      staticClaims = config["static_claims"]?.object ?? [:]
      keyID = config.text("kid")
      type = config.text("typ") ?? "JWT"
    }

    /// Outputs: token, claims, header.
    ///
    /// - Parameter now: seconds since the epoch.
    func sign(claims: DatakitValue, key: DatakitValue, now: Int64) throws(DatakitFailure) -> [DatakitValue] {
      var members = staticClaims.merging(claims.json.object ?? [:]) { $1 }
      members["iat"] = .integer(now)
      members["exp"] = .integer(now + expiresIn)
      members["nbf"] = .integer(now + notBefore)
      var header: [String: JSONValue] = ["alg": .string(algorithm.rawValue), "typ": .string(type)]
      var keyID = keyID
      var privateKey: SigningKey?
      var secret: SharedSecret?
      switch try Key(key) {
      case .secret(let shared): secret = shared
      case .document(let document):
        privateKey = SigningKey(document, algorithm: algorithm)
        keyID = keyID ?? document["kid"]?.string
      }
      guard algorithm.family == .hmac ? secret != nil : privateKey != nil else {
        throw DatakitFailure("the key does not fit the algorithm \(algorithm.rawValue)")
      }
      if let keyID { header["kid"] = .string(keyID) }
      let signed =
        Base64URL.encoded(JSONValue.object(header).serialized()) + "."
        + Base64URL.encoded(JSONValue.object(members).serialized())
      let bytes = Array(signed.utf8)
      guard
        let signature = secret.flatMap({ $0.signature(over: bytes, by: algorithm) })
          ?? privateKey.flatMap({ try? $0.signature(over: bytes) })
      else { throw DatakitFailure("the token cannot be signed") }
      return [
        .json(.string(signed + "." + Base64URL.encoded(signature))), .json(.object(members)), .json(.object(header)),
      ]
    }
  }
}
