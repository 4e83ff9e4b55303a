import EntityModel

/// The authorization code flow, sessions, and their end.
extension OpenIDConnectFields {
  static let authorizationCode: Fields = [
    .init("authorization_query_args_names", texts("Names of further arguments for the authorization endpoint.")),
    .init("authorization_query_args_values", texts("Values of further arguments for the authorization endpoint.")),
    .init("authorization_query_args_client", texts("Arguments of the request that the authorization endpoint gets.")),
    .init("authorization_cookie_name", cookieName("Cookie of a login under way.", "authorization")),
    .init("authorization_cookie_path", text("Path of the cookie of a login under way.", default: "/")),
    .init("authorization_cookie_domain", text("Domain of the cookie of a login under way.")),
    .init(
      "authorization_cookie_same_site",
      choice("SameSite of the cookie of a login under way.", sameSite, default: "Default")),
    .init(
      "authorization_cookie_http_only",
      flag("Whether scripts are kept from the cookie of a login under way.", default: true)),
    .init(
      "authorization_cookie_secure", choiceFlag("Whether the cookie of a login under way is sent by https only.")),
    .init("authorization_rolling_timeout", number("Seconds that a login may take; 0 for no limit.", default: 600)),
    .init(
      "response_mode",
      choice(
        "How the provider hands over the code.",
        ["query", "form_post", "fragment", "query.jwt", "form_post.jwt", "fragment.jwt", "jwt"], default: "query"
      ).unavailable(
        ["fragment", "query.jwt", "form_post.jwt", "fragment.jwt", "jwt"],
        "this response mode is not available; use 'query' or 'form_post'")),
    .init(
      "response_type",
      texts("What the authorization endpoint is asked for.", default: ["code"])
        .unavailable("only the code flow is available; use ['code']", unless: ["code"])),
    .init(
      "require_proof_key_for_code_exchange",
      choiceFlag("Whether codes are bound to a proof key; unset, where the provider says that it can.")),
    .init(
      "require_pushed_authorization_requests",
      choiceFlag("Whether authorization requests are pushed.").unavailable(noPushedRequests, unless: false)),
    .init(
      "require_signed_request_object",
      choiceFlag("Whether authorization requests are signed.")
        .unavailable("signed request objects are not available; use false", unless: false)),
    .init("preserve_query_args", flag("Whether the query outlives a login.", default: false)),
  ]

  static let login: Fields = [
    .init(
      "login_action",
      choice("What follows a login.", ["upstream", "response", "redirect"], default: "upstream")),
    .init("login_methods", choices("Grants that are logins.", methods, default: ["authorization_code"])),
    .init("login_redirect_uri", urls("Where clients are sent after a login.", isReferenceable: true)),
    .init(
      "login_redirect_mode",
      choice("Where in that address the tokens stand.", ["query", "fragment"], default: "fragment")),
    .init(
      "login_tokens",
      choices(
        "Tokens that the client gets.", ["id_token", "access_token", "refresh_token", "tokens", "introspection"],
        default: ["id_token"])),
  ]

  static let logout: Fields = [
    .init(
      "logout_methods",
      choices("Methods of requests that log out.", ["POST", "GET", "DELETE"], default: ["POST", "DELETE"])),
    .init("logout_query_arg", text("Argument of the query that logs out.")),
    .init("logout_post_arg", text("Argument of the body that logs out.")),
    .init("logout_uri_suffix", text("End of the path that logs out.")),
    .init("logout_redirect_uri", urls("Where clients are sent after a logout.", isReferenceable: true)),
    .init("logout_revoke", flag("Whether tokens are revoked at a logout.", default: false)),
    .init("logout_revoke_access_token", flag("Whether that holds for the access token.", default: true)),
    .init("logout_revoke_refresh_token", flag("Whether that holds for the refresh token.", default: true)),
    .init("revocation_token_param_name", text("Argument of revocation with the token.", default: "token")),
  ]

  static let session: Fields = [
    .init("disable_session", choices("Grants that start no session.", methods)),
    .init("session_secret", secret("Secret that cookies are encrypted with.")),
    .init("session_audience", text("Audience of the session.", default: "default")),
    .init("session_cookie_name", cookieName("Cookie of the session.", "session")),
    .init("session_cookie_path", text("Path of the cookie of the session.", default: "/")),
    .init("session_cookie_domain", text("Domain of the cookie of the session.")),
    .init("session_cookie_same_site", choice("SameSite of the cookie of the session.", sameSite, default: "Lax")),
    .init(
      "session_cookie_http_only", flag("Whether scripts are kept from the cookie of the session.", default: true)),
    .init("session_cookie_secure", choiceFlag("Whether the cookie of the session is sent by https only.")),
    .init("session_rolling_timeout", number("Seconds after which a session ends unless renewed.", default: 3600)),
    .init("session_idling_timeout", number("Seconds without requests after which a session ends.", default: 900)),
    .init("session_absolute_timeout", number("Seconds after which a session ends.", default: 86400)),
    .init("session_bind", choices("What a session is bound to.", ["ip", "scheme", "user-agent"])),
    .init("session_request_headers", choices("Facts of the session that the upstream is shown.", sessionHeaders)),
    .init("session_response_headers", choices("Facts of the session that the client is shown.", sessionHeaders)),
    .init(
      "session_remember",
      flag("Whether sessions outlive the browser.", default: false)
        .unavailable("persistent sessions are not available; use false", unless: false)),
    .init("session_remember_cookie_name", cookieName("Cookie of persistent sessions.", "remember")),
    .init(
      "session_remember_rolling_timeout", number("Seconds after which a persistent session ends.", default: 604800)),
    .init(
      "session_remember_absolute_timeout",
      number("Seconds after which a persistent session ends in any case.", default: 2_592_000)),
    .init(
      "session_enforce_same_subject",
      flag("Whether all audiences share one subject.", default: false).unavailable(oneAudience, unless: false)),
    .init(
      "session_hash_subject",
      flag("Whether the subject is stored hashed.", default: false).unavailable(noSessionStore, unless: false)),
    .init(
      "session_store_metadata",
      flag("Whether facts about sessions are stored.", default: false).unavailable(noSessionStore, unless: false)),
    .init(
      "session_hash_storage_key",
      flag("Whether the key of the store is hashed.", default: false).unavailable(noSessionStore, unless: false)),
    .init(
      "session_storage",
      choice("Where sessions are kept.", ["cookie", "memcache", "memcached", "redis"], default: "cookie")
        .unavailable(noSessionStore, unless: "cookie")),
    .init("session_memcached_prefix", text("Prefix of keys in memcached.")),
    .init("session_memcached_socket", text("Socket of memcached.")),
    .init("session_memcached_host", text("Host of memcached.", default: "127.0.0.1")),
    .init("session_memcached_port", CommonFields.port.defaulting(to: 11211).described("Port of memcached.")),
    .init("session_memcached_ssl", choiceFlag("Whether memcached is reached by TLS.")),
    .init("session_memcached_ssl_verify", flag("Whether memcached's certificate is verified.", default: true)),
    .init("redis", redis(isForSessions: true)),
  ]

  private static let noSessionStore = "sessions are kept in their cookie only; use session_storage 'cookie'"
  private static let oneAudience = "a session has one audience here; use false"

  private static func cookieName(_ description: String, _ name: String) -> FieldSchema {
    CommonFields.cookieName.defaulting(to: .string(name)).described(description)
  }

  static func redis(isForSessions: Bool) -> FieldSchema {
    func node(_ host: String) -> FieldSchema {
      FieldSchema.array(
        of: .record(
          RecordSchema([
            .init(host, text("Host of the node.", default: "127.0.0.1")),
            .init("port", CommonFields.port.defaulting(to: 6379).described("Port of the node.")),
          ]))
      ).checked(by: .lengthAtLeast(1))
    }
    func milliseconds(_ description: String) -> FieldSchema {
      CommonFields.timeout.defaulting(to: 2000).described(description)
    }
    var fields: Fields = [
      .init("host", text("Host of the server.", default: "127.0.0.1").asReferenceable()),
      .init("port", CommonFields.port.defaulting(to: 6379).asReferenceable().described("Port of the server.")),
      .init("connect_timeout", milliseconds("Milliseconds that connecting may take.")),
      .init("send_timeout", milliseconds("Milliseconds that sending may take.")),
      .init("read_timeout", milliseconds("Milliseconds that reading may take.")),
      .init("username", text("User of the server.").asReferenceable()),
      .init("password", secret("Password of the server.")),
      .init("sentinel_username", text("User of the sentinels.").asReferenceable()),
      .init("sentinel_password", secret("Password of the sentinels.")),
      .init("database", .integer.defaulting(to: 0).described("Number of the database.")),
      .init(
        "keepalive_pool_size",
        .integer.defaulting(to: 256).checked(by: .between(1, 2_147_483_646)).described("Connections that are kept.")),
      .init(
        "keepalive_backlog",
        .integer.checked(by: .between(0, 2_147_483_646)).described("Requests that wait for a connection.")),
      .init("sentinel_master", text("Name of the master.")),
      .init("sentinel_role", choice("Role of the server that is asked.", ["master", "slave", "any"])),
      .init("sentinel_nodes", node("host").described("The sentinels.")),
      .init("cluster_nodes", node("ip").described("Nodes of the cluster.")),
      .init("cluster_max_redirections", .integer.defaulting(to: 5).described("Redirections that are followed.")),
      .init("ssl", flag("Whether the server is reached by TLS.", default: false)),
      .init("ssl_verify", flag("Whether the server's certificate is verified.", default: true)),
      .init("server_name", CommonFields.sni.asReferenceable().described("Name that the server's certificate has.")),
      .init("connection_is_proxied", flag("Whether a proxy stands before the server.", default: false)),
      .init("cloud_authentication", .record(RecordSchema(cloudAuthentication)).described("Authentication by a cloud.")),
    ]
    if isForSessions {
      fields.append(.init("prefix", text("Prefix of keys in the store.")))
      fields.append(.init("socket", text("Socket of the server.")))
    }
    return FieldSchema.record(RecordSchema(fields)).asRequired()
      .described(isForSessions ? "Server of session_storage redis." : "Server of cluster_cache_strategy redis.")
  }

  private static let cloudAuthentication: Fields = [
    .init("auth_provider", choice("Cloud that authenticates.", ["aws", "gcp", "azure"]).asReferenceable()),
    .init("aws_cache_name", text("Name of the cache in AWS.").asReferenceable()),
    .init("aws_region", text("Region of the cache in AWS.").asReferenceable()),
    .init("aws_is_serverless", flag("Whether the cache in AWS is serverless.", default: true)),
    .init("aws_access_key_id", secret("Access key of AWS.")),
    .init("aws_secret_access_key", secret("Secret key of AWS.")),
    .init("aws_assume_role_arn", secret("Role that is assumed in AWS.")),
    .init("aws_role_session_name", secret("Name of the role session in AWS.")),
    .init("gcp_service_account_json", secret("Service account of Google Cloud.")),
    .init("azure_client_id", secret("Client of Azure.")),
    .init("azure_client_secret", secret("Client secret of Azure.")),
    .init("azure_tenant_id", secret("Tenant of Azure.")),
  ]
}
