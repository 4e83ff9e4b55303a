import EntityModel

/// What tokens must be like, who they stand for and what they may do.
extension OpenIDConnectFields {
  static let verification: Fields = [
    .init(
      "verify_parameters",
      flag("Whether the configuration is compared with the discovered one.", default: false)
        .unavailable("the configuration is not compared with the discovered one; use false", unless: false)),
    .init("verify_nonce", flag("Whether the nonce of the authorization code flow is verified.", default: true)),
    .init("verify_claims", flag("Whether the standard claims of tokens are verified.", default: true)),
    .init("verify_signature", flag("Whether signatures of tokens are verified.", default: true)),
    .init(
      "ignore_signature",
      choices(
        "Grants whose tokens are not verified.",
        [
          "password", "client_credentials", "authorization_code", "refresh_token", "session", "introspection",
          "userinfo",
        ], default: [])),
    .init("enable_hs_signatures", flag("Whether tokens signed with the client secret are accepted.", default: false)),
    .init("leeway", number("Seconds by which clocks may differ.", default: 0)),
    .init("max_age", number("Seconds since the user authenticated at most.")),
    .init("reverify", flag("Whether tokens of sessions are verified on each request.", default: false)),
    .init("issuers_allowed", secrets("Issuers that tokens may name.")),
    .init("domains", texts("Values that the claim hd may have.")),
    .init(
      "resolve_distributed_claims",
      flag("Whether claims are fetched from where the token refers to.", default: false)
        .unavailable("distributed claims are not fetched; use false", unless: false)),
    .init(
      "proof_of_possession_mtls",
      choice("Whether tokens are bound to client certificates.", ["off", "strict", "optional"], default: "off")
        .unavailable(noProofOfPossession, unless: "off")),
    .init(
      "proof_of_possession_mtls_from_header",
      .record(RecordSchema(certificateHeader)).asRequired(false).unavailable(noProofOfPossession)
        .described("Header that shows the client's certificate.")),
    .init(
      "proof_of_possession_dpop",
      choice("Whether tokens are bound to keys of the client.", ["off", "strict", "optional"], default: "off")
        .unavailable(noProofOfPossession, unless: "off")),
    .init(
      "proof_of_possession_auth_methods_validation",
      flag("Whether only methods that know proof of possession may be configured with it.", default: true)),
    .init(
      "dpop_use_nonce",
      flag("Whether clients must prove possession with a nonce.", default: false)
        .unavailable(noProofOfPossession, unless: false)),
    .init("dpop_proof_lifetime", number("Seconds that a proof of possession may be used.", default: 300)),
  ]

  private static let noProofOfPossession = "proof of possession is not available; use 'off'"

  private static let certificateHeader: Fields = [
    .init("certificate_header_name", FieldSchema.string.asRequired().described("Header with the certificate.")),
    .init(
      "certificate_header_format",
      choice("Encoding of the certificate.", ["base64_encoded", "url_encoded"], default: "url_encoded")),
    .init(
      "ca_certificates",
      FieldSchema.array(of: .string).asRequired().described("Ids of the authorities that are trusted.")),
    .init("secure_source", flag("Whether only trusted peers may send the header.", default: true)),
    .init("allow_partial_chain", flag("Whether an intermediate certificate is enough.", default: false)),
    .init(
      "revocation_check_mode",
      choice(
        "How revocation is looked up.", ["SKIP", "IGNORE_CA_ERROR", "STRICT"], default: "IGNORE_CA_ERROR")),
    .init("cert_cache_ttl", number("Milliseconds that revocation answers are kept.", default: 60000)),
    .init("http_timeout", number("Milliseconds that a revocation look-up may take.", default: 30000)),
    .init("ssl_verify", flag("Whether responders are verified.", default: true)),
    .init("http_proxy_host", CommonFields.host.described("Host of the proxy for http.")),
    .init("http_proxy_port", CommonFields.port.described("Port of the proxy for http.")),
    .init("https_proxy_host", CommonFields.host.described("Host of the proxy for https.")),
    .init("https_proxy_port", CommonFields.port.described("Port of the proxy for https.")),
  ]

  static let authorization: Fields = [
    .init("scopes_claim", texts("Path of the claim with the scopes.", default: ["scope"])),
    .init("scopes_required", texts("Scopes of which one element must be granted in full.")),
    .init("audience_claim", texts("Path of the claim with the audience.", default: ["aud"])),
    .init("audience_required", texts("Audiences of which one element must be there in full.")),
    .init("groups_claim", texts("Path of the claim with the groups.", default: ["groups"])),
    .init("groups_required", texts("Groups of which one element must be there in full.")),
    .init("roles_claim", texts("Path of the claim with the roles.", default: ["roles"])),
    .init("roles_required", texts("Roles of which one element must be there in full.")),
    .init("claims_forbidden", texts("Claims that a token must not have.")),
  ]

  static let identity: Fields = [
    .init(
      "consumer_claims",
      .array(of: .array(of: .string)).described("Paths of claims that name the consumer; the first that is there.")),
    .init(
      "consumer_by",
      choices(
        "Fields of consumers that the claim is compared with.", ["id", "username", "custom_id"],
        default: ["username", "custom_id"])),
    .init("consumer_optional", flag("Whether requests pass that no consumer is found for.", default: false)),
    .init("by_username_ignore_case", flag("Whether the case of user names is of no matter.", default: false)),
    .init("consumer_groups_claim", texts("Path of the claim with the names of consumer groups.")),
    .init(
      "consumer_groups_optional", flag("Whether requests pass that no consumer group is found for.", default: false)),
    .init("authenticated_groups_claim", texts("Path of the claim with the groups that acl compares.")),
    .init("credential_claim", texts("Path of the claim that stands for a credential.", default: ["sub"])),
    .init("anonymous", text("Consumer, by id or username, that stands for requests without good credentials.")),
    .init(
      "principals",
      .record(
        RecordSchema([
          "enabled": flag("Whether tokens belong to principals.", default: false)
            .unavailable("principals are not available; tokens belong to the consumers of this gateway", unless: false),
          "directory": text("Directory of the principals.", default: "default"),
          "error_on_miss": flag("Whether a token without principal is refused.", default: true),
          "match_consumer": flag("Whether the principal's consumer is taken.", default: true),
          "match_consumer_groups": flag("Whether the principal's consumer groups are taken.", default: true),
          "principal_by": text("Kind of identity that is looked up."),
          "principal_claim": FieldSchema.array(of: .string).checked(by: .lengthAtLeast(1))
            .described("Path of the claim that names the principal."),
        ])
      ).asRequired().described("Principals in place of consumers.")),
  ]

  static let refusals: Fields = [
    .init("unauthorized_error_message", text("Message of answers 401.", default: "Unauthorized")),
    .init("unauthorized_redirect_uri", urls("Where unauthorized clients are sent.")),
    .init("unauthorized_destroy_session", flag("Whether the session of unauthorized requests ends.", default: true)),
    .init("forbidden_error_message", text("Message of answers 403.", default: "Forbidden")),
    .init("forbidden_redirect_uri", urls("Where forbidden clients are sent.")),
    .init("forbidden_destroy_session", flag("Whether the session of forbidden requests ends.", default: true)),
    .init("unexpected_redirect_uri", urls("Where clients are sent when something went wrong.")),
    .init("display_errors", flag("Whether answers tell why a request is refused.", default: false)),
    .init("expose_error_code", flag("Whether WWW-Authenticate names the error.", default: true)),
  ]

  static let headers: Fields = {
    let kinds = [
      ("access_token_header", "access token"), ("access_token_jwk_header", "key of the access token"),
      ("id_token_header", "ID token"), ("id_token_jwk_header", "key of the ID token"),
      ("refresh_token_header", "refresh token"), ("user_info_header", "user info"),
      ("user_info_jwt_header", "signed user info"), ("introspection_header", "introspection answer"),
      ("introspection_jwt_header", "signed introspection answer"), ("session_id_header", "id of the session"),
    ]
    var fields: Fields = []
    for (prefix, reader) in [("upstream", "upstream"), ("downstream", "client")] {
      for (name, content) in kinds {
        var field = text("Header that shows the \(reader) the \(content).")
        if name == "access_token_header", prefix == "upstream" { field = field.defaulting(to: "authorization:bearer") }
        if name.contains("_jwt_") { field = field.unavailable("the provider is asked for JSON, so there is no JWT") }
        fields.append(.init("\(prefix)_\(name)", field))
      }
      fields.append(.init("\(prefix)_headers_claims", texts("Claims that the \(reader) is shown in headers.")))
      fields.append(.init("\(prefix)_headers_names", texts("Names of the headers of those claims.")))
      fields.append(
        .init(
          "\(prefix)_headers",
          .array(
            of: .record(
              RecordSchema([
                "header": FieldSchema.string.asRequired().described("Name of the header."),
                "path": FieldSchema.array(of: .string).asRequired().checked(by: .lengthAtLeast(1))
                  .described("Path of the claim."),
              ]))
          ).described("Headers that show the \(reader) claims, by their paths.")))
    }
    return fields
  }()
}
