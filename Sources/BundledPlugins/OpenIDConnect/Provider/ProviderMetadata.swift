import EntityModel

/// What a provider says of itself. Source: OpenID Connect Discovery 1.0 §3, RFC 8414 §2.
struct ProviderMetadata: Sendable {
  enum Endpoint: String, Sendable, CaseIterable {
    case authorization = "authorization_endpoint"
    case token = "token_endpoint"
    case introspection = "introspection_endpoint"
    case revocation = "revocation_endpoint"
    case userInfo = "userinfo_endpoint"
    case endSession = "end_session_endpoint"
  }

  let issuer: String
  let keySetURL: String?
  private let endpoints: [Endpoint: String]
  /// Nil if the document does not say.
  let challengeMethods: [String]?
  let clientAuthentications: [String]?

  /// Members of a wrong type count as absent. Nil if the document is no object.
  init?(_ document: JSONValue, settings: ProviderSettings) {
    guard let members = document.object else { return nil }
    func url(_ name: String) -> String? {
      guard let text = members[name]?.string, text.utf8.count <= 8192, URLText.isHTTP(text) else { return nil }
      return text
    }
    issuer = members["issuer"]?.string ?? settings.issuerWithoutSuffix
    keySetURL = settings.keySetURL ?? url("jwks_uri")
    var endpoints: [Endpoint: String] = [:]
    for endpoint in Endpoint.allCases { endpoints[endpoint] = url(endpoint.rawValue) }
    self.endpoints = endpoints
    challengeMethods = members["code_challenge_methods_supported"]?.array?.compactMap(\.string)
    clientAuthentications = members["token_endpoint_auth_methods_supported"]?.array?.compactMap(\.string)
  }

  subscript(endpoint: Endpoint) -> String? { endpoints[endpoint] }
}

/// The documents of a provider at one moment.
struct ProviderConfiguration: Sendable {
  let metadata: ProviderMetadata
  /// Nil if no key set could be had.
  let keys: KeySet?
  /// Seconds since the epoch.
  let fetchedAt: Int64
}

/// Why a provider cannot be asked.
struct ProviderFailure: Error, Sendable {
  let reason: String
}
