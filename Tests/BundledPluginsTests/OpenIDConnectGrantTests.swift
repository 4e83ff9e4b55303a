import EntityModel
import Foundation
import GatewayTesting
import Testing

@testable import BundledPlugins
@testable import PluginKit

@Suite("openid-connect: introspection, user info and grants")
struct OpenIDConnectGrantTests {
  private func basic(_ name: String, _ secret: String) -> (String, String) {
    ("Authorization", "Basic " + Data("\(name):\(secret)".utf8).base64EncodedString())
  }

  @Test("an opaque token is introspected once, and refused when it is not active or over")
  func introspection() throws {
    let bed = try OpenIDConnectBed(["upstream_introspection_header": "X-Seen", "scopes_required": ["profile"]])
    let token = bed.provider.opaqueToken()
    let request = bed.bearer(token)
    #expect(request.status == nil)
    #expect(request.header("x-credential-identifier") == "alice")
    let seen = try #require(request.header("x-seen").flatMap { Base64Text.decoded($0) })
    #expect(try JSONValue(parsing: seen)["active"] == true)
    #expect(bed.bearer(token).status == nil)
    let asked = bed.provider.requests(to: "/introspect")
    #expect(asked.count == 1)
    #expect(asked.first?.form == ["token": token, "token_type_hint": "access_token"])
    #expect(asked.first?.header("authorization")?.hasPrefix("Basic ") == true)
    #expect(bed.bearer("unknown").status == 401)
    #expect(bed.bearer(bed.provider.opaqueToken(["scope": "openid"])).status == 403)
    bed.pass(301)
    #expect(bed.bearer(token).status == 401)
  }

  @Test("refusals are asked for anew unless they are kept")
  func negative() throws {
    let bed = try OpenIDConnectBed()
    for _ in 0..<2 { #expect(bed.bearer("unknown").status == 401) }
    #expect(bed.provider.requests(to: "/introspect").count == 2)
    let keeping = try OpenIDConnectBed(["cache_ttl_neg": 10])
    for _ in 0..<2 { #expect(keeping.bearer("unknown").status == 401) }
    #expect(keeping.provider.requests(to: "/introspect").count == 1)
    keeping.pass(10)
    keeping.bearer("unknown")
    #expect(keeping.provider.requests(to: "/introspect").count == 2)
  }

  @Test("signed tokens are introspected too where that is asked for, so that revoked ones are noticed")
  func introspectedSigned() throws {
    let bed = try OpenIDConnectBed(["introspect_jwt_tokens": true])
    #expect(bed.bearer(try bed.provider.token()).status == 401)
    #expect(bed.provider.requests(to: "/introspect").count == 1)
    let lenient = try OpenIDConnectBed(["introspect_jwt_tokens": true, "introspection_check_active": false])
    #expect(lenient.bearer(try lenient.provider.token()).status == nil)
    #expect(lenient.bearer(try lenient.provider.token(["exp": 5])).status == 401)
  }

  @Test("what a token says that only the provider was asked about is not believed")
  func unverifiedClaims() throws {
    let bed = try OpenIDConnectBed([
      "auth_methods": ["introspection", "session"], "introspection_check_active": false,
      "upstream_headers_claims": ["sub"], "upstream_headers_names": ["X-Sub"],
    ])
    let request = bed.bearer(try OpenIDProvider(issuer: OpenIDConnectBed.issuer).token(["sub": "root"]))
    #expect(request.status == nil)
    #expect(request.header("x-sub") == nil)
    let cookie = try #require(request.setCookies["session"])
    #expect(bed.send(headers: [("Cookie", "session=\(cookie)")]).header("x-sub") == nil)
  }

  @Test("what introspection is told can be configured")
  func introspectionArguments() throws {
    let bed = try OpenIDConnectBed([
      "introspection_headers_names": ["X-A"], "introspection_headers_values": ["1"],
      "introspection_headers_client": ["X-C"], "introspection_post_args_names": ["n"],
      "introspection_post_args_values": ["v"], "introspection_post_args_client": ["q"],
      "introspection_post_args_client_headers": ["X-C"], "introspection_endpoint_auth_method": "client_secret_post",
      "introspection_token_param_name": "tok", "introspection_hint": "hint",
    ])
    _ = bed.send(.get, "/?q=5", headers: [("Authorization", "Bearer opaque"), ("X-C", "c")])
    let asked = try #require(bed.provider.requests(to: "/introspect").first)
    #expect(asked.header("x-a") == "1" && asked.header("x-c") == "c" && asked.header("authorization") == nil)
    #expect(
      asked.form == [
        "tok": "opaque", "token_type_hint": "hint", "n": "v", "q": "5", "X-C": "c", "client_id": "gateway",
        "client_secret": "gateway secret",
      ])
  }

  @Test(
    "hostile answers of endpoints give errors and no crash",
    arguments: ["", "[]", "5", "{", "null", #"{"active":1}"#, #"{"access_token":5,"expires_in":"x"}"#])
  func hostile(_ text: String) throws {
    let bed = try OpenIDConnectBed()
    for path in ["/introspect", "/token", "/userinfo"] { bed.provider.override(path, .init(200, body: text)) }
    #expect([401, 500].contains(bed.bearer("opaque").status))
    #expect([401, 500].contains(bed.send(headers: [basic("gateway", "gateway secret")]).status))
    let info = try OpenIDConnectBed(["search_user_info": true])
    info.provider.override("/userinfo", .init(503, body: text))
    #expect(info.bearer(try info.provider.token()).status == 500)
  }

  @Test("an opaque token may be shown to the user info endpoint instead")
  func userInfo() throws {
    let bed = try OpenIDConnectBed([
      "auth_methods": ["userinfo"], "upstream_headers_claims": ["email"], "upstream_headers_names": ["X-Mail"],
      "userinfo_query_args_names": ["a"], "userinfo_query_args_values": ["b c"],
    ])
    let token = bed.provider.opaqueToken()
    #expect(bed.bearer(token).header("x-mail") == "alice@example.org")
    #expect(bed.bearer(token).status == nil)
    #expect(bed.provider.requests(to: "/userinfo").count == 1)
    #expect(bed.provider.requests(to: "/userinfo").first?.query == ["a": "b c"])
    #expect(bed.bearer("unknown").status == 401)
  }

  // MARK: Grants

  @Test("id and secret of a client get a token for it, once")
  func clientCredentials() throws {
    let bed = try OpenIDConnectBed(["auth_methods": ["client_credentials"], "client_id": .null, "client_secret": .null])
    let request = bed.send(headers: [basic("gateway", "gateway secret")])
    #expect(request.status == nil)
    #expect(request.header("authorization")?.hasPrefix("Bearer ey") == true)
    #expect(request.header("x-credential-identifier") == "service")
    #expect(bed.send(headers: [basic("gateway", "gateway secret")]).status == nil)
    #expect(bed.provider.requests(to: "/token").count == 1)
    #expect(bed.provider.requests(to: "/token").first?.form["grant_type"] == "client_credentials")
    #expect(bed.send(headers: [basic("gateway", "wrong")]).status == 401)
    let query = bed.send(.get, "/?client_id=gateway&client_secret=gateway%20secret&a=1")
    #expect(query.status == nil)
    #expect(query.query == "a=1")
    bed.pass(301)
    #expect(bed.send(headers: [basic("gateway", "gateway secret")]).status == nil)
    #expect(bed.provider.requests(to: "/token").filter { $0.form["client_secret"] == nil }.count >= 2)
  }

  @Test("a user name and a password get tokens; if they are none, they may be a client's")
  func password() throws {
    let bed = try OpenIDConnectBed(["auth_methods": ["password", "client_credentials"]])
    let user = bed.send(headers: [basic("alice", "wonderland")])
    #expect(user.status == nil)
    #expect(user.header("x-credential-identifier") == "alice")
    let client = bed.send(headers: [basic("gateway", "gateway secret")])
    #expect(client.header("x-credential-identifier") == "service")
    #expect(bed.send(headers: [basic("alice", "wrong")]).status == 401)
    let form = bed.send(
      .post, "/", headers: [("Content-Type", "application/x-www-form-urlencoded")],
      body: "username=alice&password=wonderland&x=1")
    #expect(form.status == nil)
    #expect(form.bodyText == "x=1")
  }

  @Test("a refresh token gets new tokens")
  func refreshToken() throws {
    let bed = try OpenIDConnectBed(["upstream_refresh_token_header": "X-Refresh", "upstream_id_token_header": "X-ID"])
    let token = bed.provider.refreshToken(for: "carol")
    let request = bed.send(headers: [("Refresh-Token", token)])
    #expect(request.header("x-credential-identifier") == "carol")
    #expect(request.header("x-refresh")?.hasPrefix("refresh-") == true && request.header("x-refresh") != token)
    #expect(request.header("x-id")?.hasPrefix("ey") == true)
    #expect(request.header("refresh-token") == nil)
    #expect(bed.send(headers: [("Refresh-Token", "unknown")]).status == 401)
    let named = try OpenIDConnectBed(["refresh_token_param_name": "rt"])
    #expect(named.send(.get, "/?rt=\(named.provider.refreshToken(for: "carol"))").status == nil)
  }

  @Test("what the token endpoint is told and what the client hears of it can be configured")
  func tokenArguments() throws {
    let bed = try OpenIDConnectBed([
      "token_headers_names": ["X-A"], "token_headers_values": ["1"], "token_headers_client": ["X-C"],
      "token_post_args_names": ["n"], "token_post_args_values": ["v"], "token_post_args_client": ["scope"],
      "token_headers_replay": ["X-Limit"], "token_headers_prefix": "op-", "token_headers_grants": ["password"],
      "auth_methods": ["password", "client_credentials"],
    ])
    bed.provider.override(
      "/token",
      .init(
        200, headers: [(name: "X-Limit", value: "7")],
        body: JSONValue.object(["access_token": .string(try bed.provider.token())]).serializedString))
    let request = bed.send(.get, "/?scope=a", headers: [basic("alice", "wonderland"), ("X-C", "c")])
    #expect(request.status == nil)
    #expect(request.responseHeader("op-x-limit") == "7")
    let asked = try #require(bed.provider.requests(to: "/token").first)
    #expect(asked.header("x-a") == "1" && asked.header("x-c") == "c")
    #expect(asked.form["n"] == "v" && asked.form["scope"] == "a")
  }

  @Test("an ID token for another client, and one that does not verify, are refused with the grant")
  func idToken() throws {
    let bed = try OpenIDConnectBed(["auth_methods": ["password"], "cache_tokens": false])
    for claims: [String: JSONValue] in [["aud": "other"], ["azp": "other"], ["exp": .null], ["sub": ""]] {
      bed.provider.configure { $0.claims = claims }
      #expect(bed.send(headers: [basic("alice", "wonderland")]).status == 401)
    }
    bed.provider.configure { $0.claims = ["aud": ["other", "gateway"], "azp": "gateway"] }
    #expect(bed.send(headers: [basic("alice", "wonderland")]).status == nil)
    let domains = try OpenIDConnectBed(["auth_methods": ["password"], "domains": ["a.example"], "cache_tokens": false])
    #expect(domains.send(headers: [basic("alice", "wonderland")]).status == 401)
    domains.provider.configure { $0.claims = ["hd": "a.example"] }
    #expect(domains.send(headers: [basic("alice", "wonderland")]).status == nil)
  }

  @Test(
    "a client authenticates as it is told", arguments: ["client_secret_post", "client_secret_jwt", "private_key_jwt"])
  func clientAuthentication(_ way: String) throws {
    let (privateKey, publicKey) = try TestKey.pair(for: .es256, id: "c1")
    let bed = try OpenIDConnectBed([
      "auth_methods": ["password"], "client_auth": [.string(way)], "client_jwk": [privateKey],
    ])
    let request = bed.send(headers: [basic("alice", "wonderland")])
    let asked = try #require(bed.provider.requests(to: "/token").first)
    #expect(asked.header("authorization") == nil)
    #expect(asked.form["client_id"] == "gateway")
    switch way {
    case "client_secret_post": #expect(asked.form["client_secret"] == "gateway secret" && request.status == nil)
    case "client_secret_jwt": #expect(request.status == nil)
    default:
      let assertion = try #require(asked.form["client_assertion"].flatMap { SignedToken($0) })
      #expect(KeySet(["keys": [publicKey]])?.signer(of: assertion) != nil)
      #expect(assertion.claims["aud"] == .string(OpenIDConnectBed.issuer + "/token"))
      #expect(assertion.claims["iss"] == "gateway" && assertion.claims["jti"]?.string != nil)
    }
    let type = asked.form["client_assertion_type"]
    #expect((asked.form["client_assertion"] == nil) == (type?.hasSuffix(":jwt-bearer") != true))
  }

  @Test("the request names the client where there are several")
  func clients() throws {
    let bed = try OpenIDConnectBed([
      "client_id": ["one", "gateway"], "client_secret": ["x", "gateway secret"], "auth_methods": ["introspection"],
    ])
    let token = bed.provider.opaqueToken()
    #expect(bed.bearer(token).status == 500)
    #expect(bed.bearer(token, [("client_id", "gateway")]).status == nil)
    #expect(bed.send(.get, "/?client_id=gateway", headers: [("Authorization", "Bearer \(token)")]).status == nil)
  }

  @Test("a key that cannot sign, private_key_jwt without a key, and a proxy by https are refused when configured")
  func keys() throws {
    for (field, config) in [
      ("client_auth", ["client_auth": ["private_key_jwt"]]), ("client_jwk", ["client_jwk": [["kty": "EC"]]]),
      ("token_endpoint_auth_method", ["token_endpoint_auth_method": "private_key_jwt"]),
      ("https_proxy", ["https_proxy": "https://proxy.example"]),
    ] as [(String, [String: JSONValue])] {
      let error = #expect(throws: SchemaViolations.self) { try OpenIDConnectBed(config) }
      #expect(error?.fields["config"]?[field]?.string?.isEmpty == false)
    }
    _ = try OpenIDConnectBed(["http_proxy": "http://proxy.example:3128", "no_proxy": "op.example, .local"])
  }
}
