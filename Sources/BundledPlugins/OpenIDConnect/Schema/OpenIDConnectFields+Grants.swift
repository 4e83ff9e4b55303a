import EntityModel

/// Where credentials stand in a request and what is asked of the provider with them.
extension OpenIDConnectFields {
  static let credentials: Fields = [
    .init(
      "auth_methods", choices("Kinds of credentials and grants that are accepted.", methods, default: .array(methods))),
    .init(
      "bearer_token_param_type",
      choices("Where an access token may stand.", places + ["cookie"], default: .array(places))),
    .init("bearer_token_cookie_name", text("Cookie that may hold the access token.")),
    .init("bearer_token_header_name", text("The only header that may hold the access token.")),
    .init(
      "client_credentials_param_type",
      choices("Where id and secret of a client may stand.", places, default: .array(places))),
    .init(
      "password_param_type",
      choices("Where user name and password may stand.", places, default: .array(places))),
    .init("id_token_param_name", text("Parameter that may hold the ID token.")),
    .init("id_token_param_type", choices("Where an ID token may stand.", places, default: .array(places))),
    .init("refresh_token_param_name", text("Parameter that may hold the refresh token.")),
    .init("refresh_token_param_type", choices("Where a refresh token may stand.", places, default: .array(places))),
    .init("refresh_tokens", flag("Whether expired access tokens of sessions are refreshed.", default: true)),
    .init("hide_credentials", flag("Whether credentials are kept from the upstream.", default: true)),
    .init("run_on_preflight", flag("Whether OPTIONS requests need credentials as well.", default: true)),
    .init("jwt_session_cookie", text("Cookie whose value a claim of the access token must equal.")),
    .init("jwt_session_claim", text("Claim that is compared with that cookie.", default: "sid")),
  ]

  static let tokenRequests: Fields = [
    .init("token_headers_client", texts("Headers of the request that the token endpoint gets.")),
    .init("token_headers_names", texts("Names of further headers for the token endpoint.")),
    .init("token_headers_values", texts("Values of further headers for the token endpoint.")),
    .init("token_headers_replay", texts("Headers of the token endpoint that the client gets.")),
    .init("token_headers_prefix", text("Prefix of the names of such headers.")),
    .init(
      "token_headers_grants",
      choices(
        "Grants with which the client gets them.",
        ["password", "client_credentials", "authorization_code", "refresh_token"])),
    .init("token_post_args_client", texts("Arguments of the request that the token endpoint gets.")),
    .init("token_post_args_names", texts("Names of further arguments for the token endpoint.")),
    .init("token_post_args_values", texts("Values of further arguments for the token endpoint.")),
    .init(
      "token_exchange",
      .record(RecordSchema(tokenExchange)).asRequired(false).unavailable(noTokenExchange)
        .described("Tokens of other providers that are exchanged.")),
  ]

  private static let tokenExchange: Fields = [
    .init(
      "cache",
      .record(
        RecordSchema([
          "enabled": flag("Whether exchanged tokens are kept.", default: true),
          "ttl": .integer.described("Seconds that exchanged tokens are kept."),
        ])
      ).described("How exchanged tokens are kept.")),
    .init(
      "request",
      .record(
        RecordSchema([
          "audience": texts("Audience of exchanged tokens."),
          "empty_audience": flag("Whether no audience is asked for.", default: false),
          "empty_scopes": flag("Whether no scopes are asked for.", default: false),
          "scopes": texts("Scopes of exchanged tokens."),
        ])
      ).described("What is asked of the token exchange.")),
    .init(
      "subject_token_issuers",
      .array(
        of: .record(
          RecordSchema([
            "issuer": FieldSchema.string.asRequired().described("Issuer of the tokens that are exchanged."),
            "jwks_uri": text("Address of that issuer's key set."),
            "verify_signature": flag("Whether signatures of its tokens are verified.", default: false),
            "conditions": .record(
              RecordSchema([
                "has_audience": texts("Audiences that the token has."),
                "has_scopes": texts("Scopes that the token has."),
                "missing_audience": texts("Audiences that the token lacks."),
                "missing_scopes": texts("Scopes that the token lacks."),
              ])
            ).described("Tokens that are exchanged."),
          ]))
      ).asRequired().checked(by: .lengthAtLeast(1)).described("Issuers whose tokens are exchanged.")),
  ]

  static let introspection: Fields = [
    .init("introspect_jwt_tokens", flag("Whether access tokens that are JWT are introspected too.", default: false)),
    .init(
      "introspection_accept",
      choice(
        "Media type that the introspection endpoint is asked for.",
        ["application/json", "application/token-introspection+jwt", "application/jwt"], default: "application/json"
      ).unavailable(
        "signed introspection answers are not available; use 'application/json'", unless: "application/json")),
    .init(
      "introspection_check_active", flag("Whether an introspected token must be said to be active.", default: true)),
    .init("introspection_hint", text("Type of token that introspection is told.", default: "access_token")),
    .init("introspection_token_param_name", text("Argument of introspection with the token.", default: "token")),
    .init("introspection_headers_client", texts("Headers of the request that the introspection endpoint gets.")),
    .init("introspection_headers_names", texts("Names of further headers for the introspection endpoint.")),
    .init(
      "introspection_headers_values",
      secrets("Values of further headers for the introspection endpoint.", isEncrypted: true)),
    .init("introspection_post_args_client", texts("Arguments of the request that introspection gets.")),
    .init("introspection_post_args_client_headers", texts("Headers of the request that become such arguments.")),
    .init("introspection_post_args_names", texts("Names of further arguments for introspection.")),
    .init("introspection_post_args_values", texts("Values of further arguments for introspection.")),
  ]

  static let userInfo: Fields = [
    .init("search_user_info", flag("Whether claims are looked for in the user info too.", default: false)),
    .init(
      "userinfo_accept",
      choice(
        "Media type that the user info endpoint is asked for.", ["application/json", "application/jwt"],
        default: "application/json"
      ).unavailable("signed user info is not available; use 'application/json'", unless: "application/json")),
    .init("userinfo_headers_client", texts("Headers of the request that the user info endpoint gets.")),
    .init("userinfo_headers_names", texts("Names of further headers for the user info endpoint.")),
    .init("userinfo_headers_values", texts("Values of further headers for the user info endpoint.")),
    .init("userinfo_query_args_client", texts("Arguments of the request that the user info endpoint gets.")),
    .init("userinfo_query_args_names", texts("Names of further arguments for the user info endpoint.")),
    .init("userinfo_query_args_values", texts("Values of further arguments for the user info endpoint.")),
  ]
}
