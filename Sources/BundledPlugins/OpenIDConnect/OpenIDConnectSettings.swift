import EntityModel
import PluginKit

/// Kinds of credentials and grants. Source: Kong fact, bundled-16 §5.
enum AuthenticationMethod: String, Sendable {
  case password, bearer, introspection, session
  case clientCredentials = "client_credentials"
  case authorizationCode = "authorization_code"
  case userInfo = "userinfo"
  case kongOAuth2 = "kong_oauth2"
  case refreshToken = "refresh_token"
}

/// What is wrong with a configuration whose fields are good one by one.
struct OpenIDConnectProblem: Error {
  let field: String
  let sentence: String
}

/// A configuration of openid-connect in the form in which requests use it.
struct OpenIDConnectSettings: Sendable {
  enum Place: String, Sendable { case header, query, body, cookie }

  /// Headers, arguments and values that accompany requests to one endpoint.
  struct Extras: Sendable {
    var headers: [NamedText] = []
    var arguments: [NamedText] = []
    /// Headers and arguments of the client's request that are passed on.
    var clientHeaders: [String] = []
    var clientArguments: [String] = []
    var clientHeadersAsArguments: [String] = []
  }

  let provider: ProviderSettings
  let endpoints: [ProviderMetadata.Endpoint: String]
  let endpointAuthentications: [ProviderMetadata.Endpoint: ClientAuthentication]
  let clients: [ProviderClient]
  let clientArgument: String
  /// Host of the issuer, for `WWW-Authenticate`.
  let realm: String

  let methods: Set<AuthenticationMethod>
  let bearerPlaces: Set<Place>
  let bearerCookie: String?
  let bearerHeader: String?
  let clientCredentialPlaces: Set<Place>
  let passwordPlaces: Set<Place>
  let refreshTokenPlaces: Set<Place>
  let refreshTokenName: String?
  let idTokenPlaces: Set<Place>
  let idTokenName: String?
  let hidesCredentials: Bool
  let runsOnPreflight: Bool
  let tokenCookie: (name: String, claim: String)?

  let verifiesSignatures: Bool
  let unverifiedMethods: Set<AuthenticationMethod>
  let verifiesClaims: Bool
  let verifiesNonce: Bool
  let acceptsSharedSecrets: Bool
  /// Seconds.
  let leeway: Double
  let maximumAge: Double?
  let reverifies: Bool
  let issuersAllowed: [String]
  let domains: [String]

  let requirements: [(claim: String, requirement: ClaimRequirement)]
  let claimsForbidden: [String]

  let consumerClaims: [[String]]
  let consumerFields: [String]
  let consumerIsOptional: Bool
  let ignoresCaseOfUsernames: Bool
  let consumerGroupsClaim: [String]
  let consumerGroupsAreOptional: Bool
  let authenticatedGroupsClaim: [String]
  let credentialClaim: [String]
  let anonymous: String?

  let scopes: [String]
  let tokenExtras: Extras
  let replayedHeaders: [String]
  let replayedHeadersPrefix: String
  let replayMethods: Set<AuthenticationMethod>?
  let introspectsSignedTokens: Bool
  let checksActive: Bool
  let introspectionHint: String?
  let introspectionTokenName: String
  let introspectionExtras: Extras
  let userInfoExtras: Extras
  let searchesUserInfo: Bool

  let caching: CacheSettings
  let upstream: TokenHeaders
  let downstream: TokenHeaders
  let refusals: RefusalSettings
  let login: LoginSettings
  let logout: LogoutSettings
  let session: SessionSettings

  init(_ config: JSONValue) throws(OpenIDConnectProblem) {
    provider = try ProviderSettings(config)
    var endpoints: [ProviderMetadata.Endpoint: String] = [:]
    var authentications: [ProviderMetadata.Endpoint: ClientAuthentication] = [:]
    for endpoint in ProviderMetadata.Endpoint.allCases {
      endpoints[endpoint] = config.text(endpoint.rawValue)
      authentications[endpoint] = config.text("\(endpoint.rawValue)_auth_method")
        .flatMap { ClientAuthentication(rawValue: $0) }
    }
    self.endpoints = endpoints
    endpointAuthentications = authentications
    clients = try ProviderClient.all(config)
    clientArgument = config.text("client_arg") ?? "client_id"
    realm = URLText.host(of: provider.issuer) ?? "kong"

    func methods(_ name: String) -> Set<AuthenticationMethod> {
      Set(config.strings(name).compactMap { AuthenticationMethod(rawValue: $0) })
    }
    func places(_ name: String) -> Set<Place> { Set(config.strings(name).compactMap { Place(rawValue: $0) }) }
    self.methods = methods("auth_methods")
    bearerPlaces = places("bearer_token_param_type")
    bearerCookie = config.text("bearer_token_cookie_name")
    bearerHeader = config.text("bearer_token_header_name")
    clientCredentialPlaces = places("client_credentials_param_type")
    passwordPlaces = places("password_param_type")
    refreshTokenPlaces = places("refresh_token_param_type")
    refreshTokenName = config.text("refresh_token_param_name")
    idTokenPlaces = places("id_token_param_type")
    idTokenName = config.text("id_token_param_name")
    hidesCredentials = config["hide_credentials"]?.bool ?? true
    runsOnPreflight = config["run_on_preflight"]?.bool ?? true
    tokenCookie = config.text("jwt_session_cookie").map { ($0, config.text("jwt_session_claim") ?? "sid") }

    verifiesSignatures = config["verify_signature"]?.bool ?? true
    unverifiedMethods = methods("ignore_signature")
    verifiesClaims = config["verify_claims"]?.bool ?? true
    verifiesNonce = config["verify_nonce"]?.bool ?? true
    acceptsSharedSecrets = config.flag("enable_hs_signatures")
    leeway = config["leeway"]?.double ?? 0
    maximumAge = config["max_age"]?.double
    reverifies = config.flag("reverify")
    issuersAllowed = config.strings("issuers_allowed")
    domains = config.strings("domains")

    var requirements: [(claim: String, requirement: ClaimRequirement)] = []
    for kind in ["scopes", "audience", "groups", "roles"] {
      if let requirement = ClaimRequirement(
        path: config.strings("\(kind)_claim"), required: config.strings("\(kind)_required"))
      {
        requirements.append((kind, requirement))
      }
    }
    self.requirements = requirements
    claimsForbidden = config.strings("claims_forbidden")

    consumerClaims = (config["consumer_claims"]?.array ?? []).map { $0.array?.compactMap(\.string) ?? [] }
      .filter { !$0.isEmpty }
    consumerFields = config.strings("consumer_by")
    consumerIsOptional = config.flag("consumer_optional")
    ignoresCaseOfUsernames = config.flag("by_username_ignore_case")
    consumerGroupsClaim = config.strings("consumer_groups_claim")
    consumerGroupsAreOptional = config.flag("consumer_groups_optional")
    authenticatedGroupsClaim = config.strings("authenticated_groups_claim")
    credentialClaim = config.strings("credential_claim")
    anonymous = config.text("anonymous")

    scopes = config.strings("scopes")
    tokenExtras = Extras(
      headers: NamedText.pairs(config, "token_headers_names", "token_headers_values"),
      arguments: NamedText.pairs(config, "token_post_args_names", "token_post_args_values"),
      clientHeaders: config.strings("token_headers_client"), clientArguments: config.strings("token_post_args_client"))
    replayedHeaders = config.strings("token_headers_replay")
    replayedHeadersPrefix = config.text("token_headers_prefix") ?? ""
    replayMethods = config["token_headers_grants"]?.array == nil ? nil : methods("token_headers_grants")
    introspectsSignedTokens = config.flag("introspect_jwt_tokens")
    checksActive = config["introspection_check_active"]?.bool ?? true
    introspectionHint = config.text("introspection_hint")
    introspectionTokenName = config.text("introspection_token_param_name") ?? "token"
    introspectionExtras = Extras(
      headers: NamedText.pairs(config, "introspection_headers_names", "introspection_headers_values"),
      arguments: NamedText.pairs(config, "introspection_post_args_names", "introspection_post_args_values"),
      clientHeaders: config.strings("introspection_headers_client"),
      clientArguments: config.strings("introspection_post_args_client"),
      clientHeadersAsArguments: config.strings("introspection_post_args_client_headers"))
    userInfoExtras = Extras(
      headers: NamedText.pairs(config, "userinfo_headers_names", "userinfo_headers_values"),
      arguments: NamedText.pairs(config, "userinfo_query_args_names", "userinfo_query_args_values"),
      clientHeaders: config.strings("userinfo_headers_client"),
      clientArguments: config.strings("userinfo_query_args_client"))
    searchesUserInfo = config.flag("search_user_info")

    caching = CacheSettings(config)
    upstream = TokenHeaders(config, "upstream")
    downstream = TokenHeaders(config, "downstream")
    refusals = RefusalSettings(config)
    login = LoginSettings(config)
    logout = LogoutSettings(config)
    session = SessionSettings(config)
  }

  /// Whether claims of the user info are needed.
  var needsUserInfo: Bool {
    searchesUserInfo || upstream.userInfo != nil || downstream.userInfo != nil
  }
}

/// How long answers of the provider are kept.
struct CacheSettings: Sendable {
  let keepsTokens: Bool
  let keepsIntrospections: Bool
  let keepsUserInfo: Bool
  let salt: String?
  let tellsScopesApart: Bool
  /// Seconds.
  private let lifetime: Double
  private let shortest: Double?
  private let longest: Double?
  private let refused: Double?

  init(_ config: JSONValue) {
    keepsTokens = config["cache_tokens"]?.bool ?? true
    keepsIntrospections = config["cache_introspection"]?.bool ?? true
    keepsUserInfo = config["cache_user_info"]?.bool ?? true
    salt = config.text("cache_tokens_salt")
    tellsScopesApart = config.flag("token_cache_key_include_scope")
    lifetime = config["cache_ttl"]?.double ?? 3600
    shortest = config["cache_ttl_min"]?.double
    longest = config["cache_ttl_max"]?.double
    refused = config["cache_ttl_neg"]?.double
  }

  /// - Parameter expiry: seconds since the epoch at which the answer itself ends, if it says so.
  func end(expiry: Double?, now: Int64) -> Int64? {
    var seconds = expiry.map { $0 - Double(now) } ?? lifetime
    if let shortest { seconds = max(seconds, shortest) }
    if let longest, longest > 0 { seconds = min(seconds, longest) }
    return Self.time(now, seconds)
  }

  func endOfRefusal(now: Int64) -> Int64? { refused.flatMap { Self.time(now, $0) } }

  private static func time(_ now: Int64, _ seconds: Double) -> Int64? {
    guard seconds.isFinite, seconds > 0 else { return nil }
    return now + Int64(min(seconds, 1e9))
  }
}

/// Headers that show tokens and claims, to the upstream or to the client.
struct TokenHeaders: Sendable {
  struct ClaimHeader: Sendable {
    let name: String
    let path: [String]
  }

  let accessToken: String?
  let accessTokenKey: String?
  let idToken: String?
  let idTokenKey: String?
  let refreshToken: String?
  let userInfo: String?
  let introspection: String?
  let sessionID: String?
  let claims: [ClaimHeader]
  let sessionFacts: [String]
  /// Every header named here.
  let names: [String]

  init(_ config: JSONValue, _ side: String) {
    func name(_ kind: String) -> String? { config.text("\(side)_\(kind)_header") }
    accessToken = name("access_token")
    accessTokenKey = name("access_token_jwk")
    idToken = name("id_token")
    idTokenKey = name("id_token_jwk")
    refreshToken = name("refresh_token")
    userInfo = name("user_info")
    introspection = name("introspection")
    sessionID = name("session_id")
    claims =
      zip(config.strings("\(side)_headers_names"), config.strings("\(side)_headers_claims"))
      .map { ClaimHeader(name: $0, path: [$1]) }
      + (config["\(side)_headers"]?.array ?? []).compactMap { entry in
        entry.text("header").map { ClaimHeader(name: $0, path: entry.strings("path")) }
      }
    sessionFacts = config.strings(side == "upstream" ? "session_request_headers" : "session_response_headers")
    let all = [
      accessToken, accessTokenKey, idToken, idTokenKey, refreshToken, userInfo, introspection, sessionID,
    ].compactMap { $0 }
    names =
      all.map { Self.parts($0).name } + claims.map(\.name) + sessionFacts.map { SessionFacts.headerName($0) }
  }

  /// `name` or `name:bearer`, which puts the scheme before the token.
  static func parts(_ text: String) -> (name: String, scheme: String?) {
    let parts = text.split(separator: ":", maxSplits: 1)
    guard parts.count == 2 else { return (parts.first.map(String.init) ?? text, nil) }
    return (String(parts[0]), parts[1].prefix(1).uppercased() + parts[1].dropFirst())
  }
}

/// Answers to requests that are not let through.
struct RefusalSettings: Sendable {
  let unauthorizedMessage: String
  let unauthorizedRedirects: [String]
  let unauthorizedEndsSession: Bool
  let forbiddenMessage: String
  let forbiddenRedirects: [String]
  let forbiddenEndsSession: Bool
  let unexpectedRedirects: [String]
  let displaysErrors: Bool
  let exposesErrorCode: Bool

  init(_ config: JSONValue) {
    unauthorizedMessage = config.text("unauthorized_error_message") ?? "Unauthorized"
    unauthorizedRedirects = config.strings("unauthorized_redirect_uri")
    unauthorizedEndsSession = config["unauthorized_destroy_session"]?.bool ?? true
    forbiddenMessage = config.text("forbidden_error_message") ?? "Forbidden"
    forbiddenRedirects = config.strings("forbidden_redirect_uri")
    forbiddenEndsSession = config["forbidden_destroy_session"]?.bool ?? true
    unexpectedRedirects = config.strings("unexpected_redirect_uri")
    displaysErrors = config.flag("display_errors")
    exposesErrorCode = config["expose_error_code"]?.bool ?? true
  }
}

/// The authorization code flow and what follows it.
struct LoginSettings: Sendable {
  enum Action: String, Sendable { case upstream, response, redirect }

  let action: Action
  let methods: Set<AuthenticationMethod>
  let redirectURIs: [String]
  let usesFragment: Bool
  let tokens: [String]
  let audience: [String]
  let arguments: [NamedText]
  let clientArguments: [String]
  let usesFormPost: Bool
  /// Nil where the provider's documents decide.
  let usesProofKey: Bool?
  let preservesQuery: Bool
  /// Seconds; nil for no limit.
  let timeout: Double?
  let cookie: CookieSettings

  init(_ config: JSONValue) {
    action = config.text("login_action").flatMap { Action(rawValue: $0) } ?? .upstream
    methods = Set(config.strings("login_methods").compactMap { AuthenticationMethod(rawValue: $0) })
    redirectURIs = config.strings("login_redirect_uri")
    usesFragment = config.text("login_redirect_mode") != "query"
    tokens = config.strings("login_tokens")
    audience = config.strings("audience")
    arguments = NamedText.pairs(config, "authorization_query_args_names", "authorization_query_args_values")
    clientArguments = config.strings("authorization_query_args_client")
    usesFormPost = config.text("response_mode") == "form_post"
    usesProofKey = config["require_proof_key_for_code_exchange"]?.bool
    preservesQuery = config.flag("preserve_query_args")
    timeout = SessionSettings.limit(config["authorization_rolling_timeout"], 600)
    cookie = CookieSettings(config, "authorization", name: "authorization", sameSite: "Default")
  }
}

/// What ends a session.
struct LogoutSettings: Sendable {
  let methods: Set<String>
  let queryArgument: String?
  let bodyArgument: String?
  let pathSuffix: String?
  let redirectURIs: [String]
  let revokesAccessToken: Bool
  let revokesRefreshToken: Bool
  let revocationTokenName: String

  init(_ config: JSONValue) {
    methods = Set(config.strings("logout_methods"))
    queryArgument = config.text("logout_query_arg")
    bodyArgument = config.text("logout_post_arg")
    pathSuffix = config.text("logout_uri_suffix")
    redirectURIs = config.strings("logout_redirect_uri")
    let revokes = config.flag("logout_revoke")
    revokesAccessToken = revokes && config["logout_revoke_access_token"]?.bool ?? true
    revokesRefreshToken = revokes && config["logout_revoke_refresh_token"]?.bool ?? true
    revocationTokenName = config.text("revocation_token_param_name") ?? "token"
  }
}
