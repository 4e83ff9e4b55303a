import EntityModel

/// Who the provider is, how it is reached and as which client.
extension OpenIDConnectFields {
  static let provider: Fields = [
    .init("issuer", url("Discovery address of the provider, or its issuer identifier.").asReferenceable().asRequired()),
    .init("using_pseudo_issuer", flag("Whether discovery is left out: endpoints are all configured.", default: false)),
    .init("discovery_headers_names", texts("Names of headers that discovery requests carry.")),
    .init("discovery_headers_values", texts("Values of headers that discovery requests carry.")),
    .init("extra_jwks_uris", secrets("Addresses of further key sets that are trusted.")),
    .init("jwks_endpoint", url("Address of the key set, in place of the discovered one.")),
    .init("rediscovery_lifetime", number("Seconds between two discoveries at least.", default: 30)),
    .init("authorization_endpoint", url("Authorization endpoint, in place of the discovered one.")),
    .init("token_endpoint", url("Token endpoint, in place of the discovered one.")),
    .init("introspection_endpoint", url("Introspection endpoint, in place of the discovered one.").asReferenceable()),
    .init("revocation_endpoint", url("Revocation endpoint, in place of the discovered one.")),
    .init("userinfo_endpoint", url("User info endpoint, in place of the discovered one.")),
    .init("end_session_endpoint", url("End session endpoint, in place of the discovered one.")),
    .init(
      "pushed_authorization_request_endpoint",
      url("Endpoint of pushed authorization requests.").unavailable(noPushedRequests)),
    .init("token_exchange_endpoint", url("Endpoint of the legacy token exchange.").unavailable(noTokenExchange)),
    .init("mtls_token_endpoint", url("Token endpoint for client certificates.").unavailable(noClientCertificates)),
    .init(
      "mtls_introspection_endpoint",
      url("Introspection endpoint for client certificates.").unavailable(noClientCertificates)),
    .init(
      "mtls_revocation_endpoint",
      url("Revocation endpoint for client certificates.").unavailable(noClientCertificates)),
  ]

  static let client: Fields = [
    .init("client_id", secrets("Ids of the clients that the gateway is to the provider.", isEncrypted: true)),
    .init("client_secret", secrets("Secrets of the clients, in the order of their ids.", isEncrypted: true)),
    .init(
      "client_auth",
      choices("How each client authenticates at the provider.", clientAuthentications)
        .unavailable(["tls_client_auth", "self_signed_tls_client_auth"], noClientCertificates)),
    .init("client_alg", choices("Algorithm of each client's signed assertions.", algorithms)),
    .init(
      "client_jwk",
      .array(of: .record(RecordSchema(jsonWebKey))).described("Key of each client for private_key_jwt.")),
    .init("client_arg", text("Request parameter that chooses the client by its id.", default: "client_id")),
    .init("redirect_uri", urls("Redirect address of each client; without it the address of the request.")),
    .init("scopes", secrets("Scopes that are asked for.").defaulting(to: ["openid"])),
    .init("audience", texts("Audience that the authorization endpoint is asked for.")),
    .init("token_endpoint_auth_method", endpointAuthentication("Client authentication at the token endpoint.")),
    .init(
      "introspection_endpoint_auth_method",
      endpointAuthentication("Client authentication at the introspection endpoint.")),
    .init(
      "revocation_endpoint_auth_method", endpointAuthentication("Client authentication at the revocation endpoint.")),
    .init(
      "pushed_authorization_request_endpoint_auth_method",
      choice("Client authentication of pushed authorization requests.", clientAuthentications)
        .unavailable(noPushedRequests)),
    .init("tls_client_auth_cert_id", text("Id of the client certificate.").unavailable(noClientCertificates)),
    .init(
      "tls_client_auth_ssl_verify",
      flag("Whether the provider's certificate is verified where the client shows one.", default: true)
        .unavailable(noClientCertificates, unless: true)),
  ]

  private static func endpointAuthentication(_ description: String) -> FieldSchema {
    choice(description, clientAuthentications)
      .unavailable(["tls_client_auth", "self_signed_tls_client_auth"], noClientCertificates)
  }

  /// Source: RFC 7517 §4, RFC 7518 §6.
  private static let jsonWebKey: Fields = {
    let secretNames: Set<String> = ["d", "dp", "dq", "k", "oth", "p", "q", "qi", "r", "t"]
    let lists: Set<String> = ["key_ops", "x5c"]
    let names = [
      "issuer", "kty", "use", "key_ops", "alg", "kid", "x5u", "x5c", "x5t", "x5t#S256", "k", "x", "y", "crv", "n", "e",
      "d", "p", "q", "dp", "dq", "qi", "oth", "r", "t",
    ]
    return names.map { name in
      if lists.contains(name) { return .init(name, texts("Member \(name) of the JSON Web Key.")) }
      return .init(
        name, secretNames.contains(name)
          ? secret("Member \(name) of the JSON Web Key.") : text("Member \(name) of the JSON Web Key."))
    }
  }()

  static let transport: Fields = [
    .init("timeout", number("Milliseconds that an exchange with the provider may take.", default: 10000)),
    .init("keepalive", flag("Whether connections to the provider are kept.", default: true)),
    .init(
      "http_version",
      number("HTTP version of requests to the provider.", default: 1.1)
        .checked(by: .custom("http_version") { [1, 1.1].contains($0.double) ? nil : "must be 1.0 or 1.1" })
        .unavailable("HTTP/1.0 is not spoken to providers; use 1.1", unless: 1.1)),
    .init("ssl_verify", flag("Whether the provider's certificate is verified.", default: true)),
    .init("http_proxy", url("Proxy for providers that are reached by http.")),
    .init("http_proxy_authorization", text("Authorization header for the proxy of http.").asReferenceable()),
    .init("https_proxy", url("Proxy for providers that are reached by https.")),
    .init("https_proxy_authorization", text("Authorization header for the proxy of https.").asReferenceable()),
    .init("no_proxy", text("Hosts that are reached without proxy, with commas between them.")),
  ]

  static let caching: Fields = [
    .init("cache_ttl", number("Seconds that answers without an expiry are kept.", default: 3600)),
    .init("cache_ttl_max", number("Seconds that answers are kept at most.")),
    .init("cache_ttl_min", number("Seconds that answers are kept at least.")),
    .init("cache_ttl_neg", number("Seconds that refusals of the provider are kept.")),
    .init(
      "cache_ttl_resurrect",
      number("Seconds that answers outlive their expiry while the provider is away.")
        .unavailable("answers are not used beyond their expiry; leave cache_ttl_resurrect unset")),
    .init("cache_tokens", flag("Whether answers of the token endpoint are kept.", default: true)),
    .init("cache_tokens_salt", text("Text that the keys of kept tokens are salted with.")),
    .init(
      "token_cache_key_include_scope",
      flag("Whether kept tokens of different scopes are told apart.", default: false)),
    .init("cache_introspection", flag("Whether introspection answers are kept.", default: true)),
    .init(
      "cache_token_exchange", flag("Whether answers of the legacy token exchange are kept.", default: true)),
    .init("cache_user_info", flag("Whether user info is kept.", default: true)),
    .init(
      "cluster_cache_strategy",
      choice("Store that nodes share their kept answers by.", ["off", "redis"], default: "off")
        .unavailable("answers are not shared between nodes; use 'off'", unless: "off")),
    .init(
      "cluster_cache_items",
      choices("Kinds of answers that nodes share.", ["introspection", "tokens"], default: ["introspection"])),
    .init("cluster_cache_redis", redis(isForSessions: false)),
  ]

  static let noPushedRequests =
    "pushed authorization requests are not available; parameters go to the authorization endpoint by the browser"
  static let noTokenExchange = "token exchange is not available"
  static let noClientCertificates =
    "authentication by client certificate is not available; use client_secret_basic, client_secret_post, "
    + "client_secret_jwt, private_key_jwt or none"
}
