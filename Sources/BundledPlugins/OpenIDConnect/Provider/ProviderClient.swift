import Crypto
import EntityModel

/// Ways in which a client tells the provider who it is. Source: OpenID Connect Core 1.0 §9.
enum ClientAuthentication: String, Sendable {
  case basic = "client_secret_basic"
  case post = "client_secret_post"
  case secretJWT = "client_secret_jwt"
  case privateKeyJWT = "private_key_jwt"
  case none
}

/// One of the clients that the gateway is to a provider.
struct ProviderClient: Sendable {
  let index: Int
  let id: String
  let secret: String?
  /// Nil if it is not configured.
  let authentication: ClientAuthentication?
  let sharedSecret: SharedSecret?
  let secretAlgorithm: SignatureAlgorithm
  let key: SigningKey?
  let redirectURI: String?

  /// The clients of a configuration, in their order.
  static func all(_ config: JSONValue) throws(OpenIDConnectProblem) -> [ProviderClient] {
    let secrets = config.strings("client_secret")
    let authentications = config.strings("client_auth")
    let algorithms = config.strings("client_alg")
    let keys = config["client_jwk"]?.array ?? []
    let redirects = config.strings("redirect_uri")
    var clients: [ProviderClient] = []
    for (index, id) in config.strings("client_id").enumerated() {
      let authentication = element(authentications, index).flatMap { ClientAuthentication(rawValue: $0) }
      let algorithm = element(algorithms, index).flatMap { SignatureAlgorithm(rawValue: $0) }
      let secret = secrets.indices.contains(index) ? secrets[index] : nil
      var key: SigningKey?
      if let document = element(keys, index) {
        key = SigningKey(document, algorithm: algorithm?.family == .hmac ? nil : algorithm)
        guard key != nil else {
          throw OpenIDConnectProblem(
            field: "client_jwk", sentence: "key \(index + 1) is no private key that can sign by its algorithm")
        }
      }
      for field in ["client_auth"] + authenticationFields
      where field == "client_auth" ? authentication == .privateKeyJWT : config.text(field) == "private_key_jwt" {
        guard key != nil else {
          throw OpenIDConnectProblem(
            field: field, sentence: "private_key_jwt needs a client_jwk; keys are not made by the gateway")
        }
      }
      clients.append(
        ProviderClient(
          index: index, id: id, secret: secret, authentication: authentication,
          sharedSecret: secret.flatMap { SharedSecret($0) },
          secretAlgorithm: algorithm?.family == .hmac ? algorithm ?? .hs256 : .hs256, key: key,
          redirectURI: element(redirects, index)))
    }
    return clients
  }

  private static let authenticationFields = [
    "token_endpoint_auth_method", "introspection_endpoint_auth_method", "revocation_endpoint_auth_method",
  ]

  /// The element at a client's place, or the first for clients beyond the list.
  static func element<Element>(_ list: [Element], _ index: Int) -> Element? {
    list.indices.contains(index) ? list[index] : list.first
  }

  /// A client that a request names itself by its id and secret.
  init(id: String, secret: String?, like other: ProviderClient?) {
    self.init(
      index: other?.index ?? 0, id: id, secret: secret, authentication: other?.authentication,
      sharedSecret: secret.flatMap { SharedSecret($0) }, secretAlgorithm: other?.secretAlgorithm ?? .hs256,
      key: nil, redirectURI: other?.redirectURI)
  }

  private init(
    index: Int, id: String, secret: String?, authentication: ClientAuthentication?, sharedSecret: SharedSecret?,
    secretAlgorithm: SignatureAlgorithm, key: SigningKey?, redirectURI: String?
  ) {
    self.index = index
    self.id = id
    self.secret = secret
    self.authentication = authentication
    self.sharedSecret = sharedSecret
    self.secretAlgorithm = secretAlgorithm
    self.key = key
    self.redirectURI = redirectURI
  }

  /// The way that is configured, or else one that the provider knows.
  func authentication(configured: ClientAuthentication?, _ metadata: ProviderMetadata) -> ClientAuthentication {
    if let way = configured ?? authentication { return way }
    guard secret != nil else { return key == nil ? .none : .privateKeyJWT }
    if let known = metadata.clientAuthentications, !known.contains("client_secret_basic"),
      known.contains("client_secret_post")
    {
      return .post
    }
    return .basic
  }

  /// Adds to a request's headers and arguments what authenticates the client.
  ///
  /// - Returns: false if the client lacks what the way needs.
  func authenticate(
    by way: ClientAuthentication, at endpoint: String, now: Int64, headers: inout [(name: String, value: String)],
    arguments: inout [(String, String)]
  ) -> Bool {
    switch way {
    case .none: arguments.append(("client_id", id))
    case .basic:
      guard let secret else { return false }
      let pair = FormText.encoded(id) + ":" + FormText.encoded(secret)
      headers.append((name: "Authorization", value: "Basic " + Base64Text.encoded(Array(pair.utf8))))
    case .post:
      guard let secret else { return false }
      arguments.append(("client_id", id))
      arguments.append(("client_secret", secret))
    case .secretJWT:
      guard let sharedSecret else { return false }
      let assertion = TokenSigning.token(
        claims: assertionClaims(endpoint, now), algorithm: secretAlgorithm, keyID: nil
      ) { sharedSecret.signature(over: $0, by: secretAlgorithm) }
      return addAssertion(assertion, &arguments)
    case .privateKeyJWT:
      guard let key else { return false }
      let assertion = TokenSigning.token(
        claims: assertionClaims(endpoint, now), algorithm: key.algorithm, keyID: key.id
      ) { try key.signature(over: $0) }
      return addAssertion(assertion, &arguments)
    }
    return true
  }

  private func addAssertion(_ assertion: String?, _ arguments: inout [(String, String)]) -> Bool {
    guard let assertion else { return false }
    arguments.append(("client_id", id))
    arguments.append(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))
    arguments.append(("client_assertion", assertion))
    return true
  }

  /// Source: RFC 7523 §3; an assertion is good for a minute.
  private func assertionClaims(_ endpoint: String, _ now: Int64) -> [String: JSONValue] {
    [
      "iss": .string(id), "sub": .string(id), "aud": .string(endpoint), "jti": .string(RandomText.make()),
      "iat": .integer(now), "exp": .integer(now + 60),
    ]
  }
}

/// Texts that nobody can guess: 256 bits.
enum RandomText {
  static func make() -> String {
    SymmetricKey(size: .bits256).withUnsafeBytes { Base64URL.encoded($0) }
  }
}

/// base64 with padding. Source: RFC 4648 §4.
enum Base64Text {
  static func encoded(_ bytes: [UInt8]) -> String {
    let text = Base64URL.encoded(bytes).replacing("-", with: "+").replacing("_", with: "/")
    return text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
  }

  static func decoded(_ text: some StringProtocol) -> [UInt8]? {
    let bare = text.prefix { $0 != "=" }
    guard text.dropFirst(bare.count).allSatisfy({ $0 == "=" }) else { return nil }
    return Base64URL.decoded(String(bare).replacing("+", with: "-").replacing("/", with: "_"))
  }
}
