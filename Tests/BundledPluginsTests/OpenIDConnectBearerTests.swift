import EntityModel
import GatewayTesting
import Testing

@testable import BundledPlugins
@testable import PluginKit

@Suite("openid-connect: access tokens of clients")
struct OpenIDConnectBearerTests {
  static let consumers = ConsumerDirectory(
    ConfigSnapshot(
      entities: [
        "consumers": [
          ["id": "c1", "username": "alice", "custom_id": "a-1"], ["id": "c2", "username": "Bob"],
          ["id": "c9", "username": "guest"],
        ],
        "consumer_groups": [["id": "g1", "name": "gold"], ["id": "g2", "name": "basic"]],
      ], hash: "", number: 1))

  @Test("a signed token passes, and the upstream gets it, the subject and no spoofed identity")
  func passing() throws {
    let bed = try OpenIDConnectBed()
    let token = try bed.provider.token()
    let request = bed.bearer(token, [("X-Consumer-ID", "fake"), ("X-Anonymous-Consumer", "true")])
    #expect(request.status == nil)
    #expect(request.header("authorization") == "Bearer \(token)")
    #expect(request.header("x-credential-identifier") == "alice")
    #expect(request.context.credential?["id"] == "alice")
    #expect(request.header("x-consumer-id") == nil && request.header("x-anonymous-consumer") == nil)
    #expect(request.context.consumer == nil)
  }

  @Test(
    "tokens that are not good are refused with 401 and the error of RFC 6750",
    arguments: [
      ["exp": 1_999_999_999], ["nbf": 2_000_000_100], ["iat": 2_000_000_100], ["iss": "https://other.example"],
      ["iss": .null], ["exp": "soon"], ["iss": 5],
    ] as [JSONValue])
  func badClaims(_ changes: JSONValue) throws {
    let bed = try OpenIDConnectBed()
    let request = bed.bearer(try bed.provider.token(changes.object ?? [:]))
    #expect(request.status == 401)
    #expect(request.answer == #"{"message":"Unauthorized"}"#)
    #expect(
      request.responseHeader("www-authenticate") == #"Bearer realm="op.example", error="invalid_token""#)
  }

  @Test("leeway forgives clocks, and accepted issuers may be named")
  func leeway() throws {
    let bed = try OpenIDConnectBed(["leeway": 30, "issuers_allowed": ["https://other.example"]])
    #expect(
      bed.bearer(try bed.provider.token(["exp": 1_999_999_980, "iss": "https://other.example"])).status == nil)
    #expect(bed.bearer(try bed.provider.token(["exp": 1_999_999_970, "iss": "https://other.example"])).status == 401)
    #expect(bed.bearer(try bed.provider.token()).status == 401)
  }

  @Test("forged tokens are refused: no algorithm, the public key as a secret, another key, changed claims")
  func forged() throws {
    for config: [String: JSONValue] in [[:], ["enable_hs_signatures": true]] {
      let bed = try OpenIDConnectBed(config)
      let good = try bed.provider.token()
      let parts = good.split(separator: ".").map(String.init)
      let other = OpenIDProvider(issuer: OpenIDConnectBed.issuer)
      other.configure { $0.now = { 2_000_000_000 } }
      let payload = Base64URL.encoded(Array(#"{"iss":"https://op.example/realm","sub":"root"}"#.utf8))
      for token in [
        try bed.provider.unsignedToken(), try bed.provider.token(signedWithSecret: bed.provider.publicKeyText),
        try bed.provider.token(signedWithSecret: bed.provider.publicKeyText, keyID: "p1"), try other.token(),
        [parts[0], payload, parts[2]].joined(separator: "."), parts[0] + "." + parts[1] + ".",
        try bed.provider.token(header: ["alg": "none"]), try bed.provider.token(header: ["alg": "RS256"]),
        try bed.provider.token(header: ["crit": ["b64"], "b64": false]), try bed.provider.token(signedWithSecret: "x"),
      ] {
        #expect(bed.bearer(token).status == 401)
      }
      #expect(bed.bearer(good).status == nil)
      // The secret of the client is a key only where that is wanted.
      let secret = try bed.provider.token(signedWithSecret: "gateway secret")
      #expect(bed.bearer(secret).status == (config.isEmpty ? 401 : nil))
    }
  }

  @Test("a new key of the provider is found, at most once in the time between discoveries")
  func rotation() throws {
    let bed = try OpenIDConnectBed()
    #expect(bed.bearer(try bed.provider.token()).status == nil)
    #expect(bed.bearer(try bed.provider.token()).status == nil)
    #expect(bed.provider.requests(to: "/jwks").count == 1)
    let old = try bed.provider.token()
    try bed.provider.rotateKeys(toRSA: true, id: "r2")
    // Within the 30 s of rediscovery_lifetime.
    #expect(bed.bearer(try bed.provider.token()).status == 401)
    #expect(bed.provider.requests(to: "/jwks").count == 1)
    bed.pass(31)
    #expect(bed.bearer(try bed.provider.token()).status == nil)
    #expect(bed.provider.requests(to: "/jwks").count == 2)
    #expect(bed.bearer(old).status == 401)
    for _ in 0..<20 { bed.bearer(try bed.provider.token(header: ["kid": "unknown"])) }
    #expect(bed.provider.requests(to: "/jwks").count == 2)
    // A key that is replaced under its old name is found too.
    try bed.provider.rotateKeys(id: "r2")
    bed.pass(31)
    #expect(bed.bearer(try bed.provider.token()).status == nil)
    #expect(bed.provider.requests(to: "/.well-known/openid-configuration").count == 3)
  }

  @Test("a token is found in each place that is looked into, and hidden there")
  func places() throws {
    let bed = try OpenIDConnectBed([
      "bearer_token_param_type": ["header", "query", "body", "cookie"], "bearer_token_cookie_name": "token",
      "upstream_access_token_header": "x-token",
    ])
    let token = try bed.provider.token()
    let query = bed.send(.get, "/?a=1&access_token=\(token)")
    #expect(query.header("x-token") == token)
    #expect(query.query == "a=1")
    for (type, body) in [
      ("application/x-www-form-urlencoded", "a=1&access_token=\(token)"),
      ("application/json", #"{"a":"1","access_token":"\#(token)"}"#),
    ] {
      let request = bed.send(.post, "/", headers: [("Content-Type", type)], body: body)
      #expect(request.header("x-token") == token)
      #expect(request.bodyText?.contains("access_token") == false)
      #expect(request.header("content-length") == request.bodyText.map { String($0.utf8.count) })
    }
    let cookie = bed.send(headers: [("Cookie", "a=b; token=\(token); c=d")])
    #expect(cookie.header("x-token") == token)
    #expect(cookie.header("cookie") == "a=b; c=d")
    for name in ["Access-Token", "X-Access-Token"] {
      let request = bed.send(headers: [(name, token)])
      #expect(request.header("x-token") == token && request.header(name) == nil)
    }
    let own = try OpenIDConnectBed(["bearer_token_header_name": "X-Own", "hide_credentials": false])
    let good = try own.provider.token()
    #expect(own.send(headers: [("X-Own", good)]).header("x-own") == good)
    #expect(own.send(headers: [("Authorization", "Bearer \(good)")]).status == 302)
    let header = try OpenIDConnectBed(["bearer_token_param_type": ["header"], "auth_methods": ["bearer"]])
    #expect(header.send(.get, "/?access_token=\(try header.provider.token())").status == 401)
  }

  @Test("without credentials a bearer-only instance answers 401 and says where")
  func missing() throws {
    let bed = try OpenIDConnectBed(["auth_methods": ["bearer"]])
    let request = bed.send()
    #expect(request.status == 401)
    #expect(request.responseHeader("www-authenticate") == #"Bearer realm="op.example""#)
    let told = try OpenIDConnectBed([
      "auth_methods": ["bearer"], "display_errors": true, "unauthorized_error_message": "no",
      "expose_error_code": false,
    ])
    let refused = told.bearer(try told.provider.token(["exp": 5]))
    #expect(refused.answer == #"{"message":"no (the token has expired)"}"#)
    #expect(refused.responseHeader("www-authenticate") == #"Bearer realm="op.example""#)
    let sent = try OpenIDConnectBed(["auth_methods": ["bearer"], "unauthorized_redirect_uri": ["https://a.example/in"]])
    #expect(sent.send().responseHeader("location") == "https://a.example/in")
    #expect(try OpenIDConnectBed(["run_on_preflight": false]).send(.options).status == nil)
  }

  @Test(
    "what the token must say",
    arguments: [
      (["audience_required": ["gateway"]], nil), (["audience_required": ["other"]], 403),
      (["audience_required": ["other", "gateway"]], nil), (["audience_required": ["other gateway"]], 403),
      (["scopes_required": ["openid profile"]], nil), (["scopes_required": ["openid admin"]], 403),
      (["scopes_required": ["admin", "profile"]], nil), (["groups_required": ["staff"]], nil),
      (["groups_required": ["boss"]], 403), (["roles_claim": ["realm", "roles"], "roles_required": ["r1 r2"]], nil),
      (["roles_required": ["r1"]], 403), (["claims_forbidden": ["groups"]], 403),
      (["claims_forbidden": ["other"]], nil), (["scopes_claim": ["nothing"], "scopes_required": ["a"]], 403),
    ] as [(JSONValue, Int?)])
  func requirements(_ config: JSONValue, _ status: Int?) throws {
    let bed = try OpenIDConnectBed(config.object ?? [:])
    let token = try bed.provider.token(["groups": ["staff", "users"], "realm": ["roles": ["r1", "r2"]]])
    let request = bed.bearer(token)
    #expect(request.status == status)
    if status == 403 {
      #expect(request.answer == #"{"message":"Forbidden"}"#)
      #expect(
        request.responseHeader("www-authenticate") == #"Bearer realm="op.example", error="insufficient_scope""#)
    }
  }

  @Test(
    "a claim names the consumer",
    arguments: [
      (["consumer_claims": [["sub"]]], "alice", "c1"), (["consumer_claims": [["sub"]]], "a-1", "c1"),
      (["consumer_claims": [["sub"]]], "nobody", nil), (["consumer_claims": [["none"], ["sub"]]], "alice", "c1"),
      (["consumer_claim": ["sub"], "consumer_by": ["id"]], "c2", "c2"), (["consumer_claim": ["sub"]], "c2", nil),
      (["consumer_claim": ["sub"]], "bob", nil),
      (["consumer_claim": ["sub"], "by_username_ignore_case": true], "bOB", "c2"),
    ] as [(JSONValue, String, String?)])
  func consumer(_ config: JSONValue, _ subject: String, _ id: String?) throws {
    let bed = try OpenIDConnectBed(config.object ?? [:], consumers: Self.consumers)
    let request = bed.bearer(try bed.provider.token(["sub": .string(subject)]))
    #expect(request.context.consumer?.id == id)
    #expect(request.header("x-consumer-id") == id)
    #expect(request.status == (id == nil ? 403 : nil))
    let members = (config.object ?? [:]).merging(["consumer_optional": true]) { old, _ in old }
    let optional = try OpenIDConnectBed(members, consumers: Self.consumers)
    #expect(optional.bearer(try optional.provider.token(["sub": .string(subject)])).status == nil)
  }

  @Test("claims name consumer groups, and groups for acl")
  func groups() throws {
    let bed = try OpenIDConnectBed(
      ["consumer_groups_claim": ["tiers"], "authenticated_groups_claim": ["groups"]], consumers: Self.consumers)
    let request = bed.bearer(try bed.provider.token(["tiers": ["gold", "basic", "lead"], "groups": "staff users"]))
    #expect(request.context.consumerGroups.compactMap { $0["name"]?.string } == ["basic", "gold"])
    #expect(request.context.authenticatedGroups == ["staff", "users"])
    try request.access(ACL.definition, ["allow": ["staff"]])
    #expect(request.status == nil)
    #expect(request.header("x-authenticated-groups") == "staff, users")
    #expect(bed.bearer(try bed.provider.token(["tiers": "lead"])).status == 403)
    let optional = try OpenIDConnectBed(["consumer_groups_claim": ["tiers"], "consumer_groups_optional": true])
    #expect(optional.bearer(try optional.provider.token()).status == nil)
  }

  @Test("the anonymous consumer stands in for requests without good credentials")
  func anonymous() throws {
    let bed = try OpenIDConnectBed(
      ["anonymous": "guest", "auth_methods": ["bearer"], "upstream_headers_claims": ["sub"],
        "upstream_headers_names": ["X-Sub"]], consumers: Self.consumers)
    let request = bed.send(headers: [("X-Sub", "spoofed"), ("X-Credential-Identifier", "spoofed")])
    #expect(request.status == nil)
    #expect(request.context.consumer?.id == "c9")
    #expect(request.header("x-anonymous-consumer") == "true")
    #expect(request.header("x-sub") == nil && request.header("x-credential-identifier") == nil)
    #expect(bed.bearer("a.b.c").context.consumer?.id == "c9")
    let missing = try OpenIDConnectBed(["anonymous": "nobody", "auth_methods": ["bearer"]], consumers: Self.consumers)
    #expect(missing.send().status == 500)
  }

  @Test("claims and tokens are shown in headers; what the client sent under those names goes")
  func headers() throws {
    let bed = try OpenIDConnectBed([
      "upstream_headers_claims": ["sub", "n", "list", "absent"],
      "upstream_headers_names": ["X-Sub", "X-N", "X-List", "X-Absent"],
      "upstream_headers": [["header": "X-Role", "path": ["realm", "role"]]],
      "downstream_headers_claims": ["sub"], "downstream_headers_names": ["X-Down"],
      "upstream_access_token_jwk_header": "X-Key", "downstream_access_token_header": "X-Token",
      "upstream_user_info_header": "X-Info", "search_user_info": true, "consumer_claims": [["nickname"]],
      "consumer_optional": true,
    ])
    let token = try bed.provider.token(["n": 5, "list": ["a"], "realm": ["role": "r"]])
    let request = bed.bearer(token, [("X-Absent", "spoofed"), ("X-Sub", "spoofed")])
    #expect(request.status == nil)
    #expect(request.header("x-sub") == "alice")
    #expect(request.header("x-n") == "5")
    #expect(request.header("x-list") == "WyJhIl0=")
    #expect(request.header("x-role") == "r")
    #expect(request.header("x-absent") == nil)
    #expect(request.responseHeader("x-down") == "alice" && request.responseHeader("x-token") == token)
    let info = try #require(request.header("x-info").flatMap { Base64Text.decoded($0) })
    #expect(try JSONValue(parsing: info)["email"] == "alice@example.org")
    let key = try #require(request.header("x-key").flatMap { Base64Text.decoded($0) })
    #expect(try JSONValue(parsing: key)["kid"] == "p1")
  }

  @Test("a token must match the session cookie of its provider where that is asked for")
  func tokenCookie() throws {
    let bed = try OpenIDConnectBed(["jwt_session_cookie": "sid"])
    let token = try bed.provider.token(["sid": "s1"])
    #expect(bed.bearer(token, [("Cookie", "sid=s1")]).status == nil)
    #expect(bed.bearer(token, [("Cookie", "sid=s2")]).status == 401)
    #expect(bed.bearer(token).status == 401)
  }

  // MARK: The provider

  @Test("a provider that is away gives 500, and what is known of it stays in use")
  func away() throws {
    let bed = try OpenIDConnectBed(["auth_methods": ["bearer"]])
    bed.client.isDown.withLock { $0 = true }
    let token = try bed.provider.token()
    #expect(bed.bearer(token).status == 500)
    #expect(bed.bearer(token).answer == #"{"message":"An unexpected error occurred"}"#)
    bed.client.isDown.withLock { $0 = false }
    #expect(bed.bearer(token).status == nil)
    bed.client.isDown.withLock { $0 = true }
    bed.pass(4000)
    #expect(bed.bearer(try bed.provider.token()).status == nil)
    let redirected = try OpenIDConnectBed(["unexpected_redirect_uri": ["https://a.example/sorry"]])
    redirected.client.isDown.withLock { $0 = true }
    #expect(redirected.send().responseHeader("location") == "https://a.example/sorry")
  }

  /// Named by their place: their texts are long.
  private static let hostileDocuments = [
    "", "null", "[]", "5", "\"x\"", "{", #"{"issuer":5,"jwks_uri":[],"token_endpoint":{}}"#,
    #"{"issuer":"https://op.example/realm","jwks_uri":"file:///etc/passwd"}"#,
    #"{"issuer":"https://op.example/realm","jwks_uri":"https://"}"#, String(repeating: "[", count: 10_000),
    String(repeating: " ", count: 2 << 20), #"{"issuer":"\u0000","jwks_uri":"http://:0/"}"#,
  ]

  @Test("hostile documents of a provider give errors and no crash", arguments: hostileDocuments.indices)
  func hostileDiscovery(_ place: Int) throws {
    let bed = try OpenIDConnectBed()
    bed.provider.override("/.well-known/openid-configuration", .init(200, body: Self.hostileDocuments[place]))
    #expect([401, 500].contains(bed.bearer(try bed.provider.token()).status))
  }

  private static let hostileKeySets = [
    "", "null", "[]", "{}", #"{"keys":5}"#, #"{"keys":[null,5,"a",[],{}]}"#,
    #"{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA","kid":"p1"}]}"#,
    #"{"keys":[{"kty":"RSA","n":"","e":"AQAB","kid":"p1"}]}"#, #"{"keys":[{"kty":"oct","k":"AAAA","kid":"p1"}]}"#,
    #"{"keys":["# + String(repeating: #"{"kty":"EC"},"#, count: 5_000) + "5]}",
  ]

  @Test("hostile key sets give errors and no crash", arguments: hostileKeySets.indices)
  func hostileKeys(_ place: Int) throws {
    let bed = try OpenIDConnectBed()
    bed.provider.override("/jwks", .init(200, body: Self.hostileKeySets[place]))
    #expect([401, 500].contains(bed.bearer(try bed.provider.token()).status))
    bed.provider.override("/jwks", nil)
    bed.pass(31)
    #expect(bed.bearer(try bed.provider.token()).status == nil)
  }

  @Test("requests that come together wait for one discovery, and each goes on once")
  func coalescing() throws {
    let bed = try OpenIDConnectBed()
    let token = try bed.provider.token()
    bed.client.isSlow.withLock { $0 = true }
    let requests = (0..<5).map { _ in bed.bearer(token) } + [bed.bearer("a.b.c")]
    for request in requests { #expect(request.resumed.isEmpty && request.context.credential == nil) }
    bed.client.deliver()
    for request in requests { #expect(request.resumed.count == 1) }
    #expect(requests.map(\.status) == [nil, nil, nil, nil, nil, 401])
    #expect(bed.provider.requests(to: "/.well-known/openid-configuration").count == 1)
    #expect(bed.provider.requests(to: "/jwks").count == 1)
    #expect(bed.bearer(token).resumed.isEmpty)
  }

  @Test("without discovery the configured endpoints and keys are used")
  func pseudoIssuer() throws {
    let bed = try OpenIDConnectBed([
      "using_pseudo_issuer": true, "jwks_endpoint": .string(OpenIDConnectBed.issuer + "/jwks"),
    ])
    #expect(bed.bearer(try bed.provider.token()).status == nil)
    #expect(bed.provider.requests(to: "/.well-known/openid-configuration").isEmpty)
    let further = try OpenIDConnectBed([
      "using_pseudo_issuer": true, "extra_jwks_uris": [.string(OpenIDConnectBed.issuer + "/jwks")],
    ])
    #expect(further.bearer(try further.provider.token()).status == nil)
  }

  @Test("signature and claims may be left unverified, each by its switch")
  func unverified() throws {
    let claims = try OpenIDConnectBed(["verify_claims": false])
    #expect(claims.bearer(try claims.provider.token(["exp": 5, "iss": "x"])).status == nil)
    #expect(claims.bearer(try claims.provider.unsignedToken()).status == 401)
    let signature = try OpenIDConnectBed(["verify_signature": false])
    let other = OpenIDProvider(issuer: OpenIDConnectBed.issuer)
    #expect(signature.bearer(try other.token(["iat": .null, "exp": .null])).status == nil)
    #expect(signature.bearer(try signature.provider.token(["exp": 5])).status == 401)
  }
}
