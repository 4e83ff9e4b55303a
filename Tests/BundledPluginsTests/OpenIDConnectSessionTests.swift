import EntityModel
import GatewayTesting
import Testing

@testable import BundledPlugins
@testable import PluginKit

@Suite("openid-connect: logins, sessions and logouts")
struct OpenIDConnectSessionTests {
  /// A browser: it keeps cookies and follows the provider's redirect.
  private final class Browser {
    let bed: OpenIDConnectBed
    var cookies: [String: String] = [:]
    /// Attributes of the cookies that were set last.
    var lines: [String] = []

    init(_ bed: OpenIDConnectBed) { self.bed = bed }

    func send(
      _ method: HTTPMethod = .get, _ target: String = "/app?a=1", headers: [(String, String)] = [], body: String = ""
    ) -> PluginTestBed {
      let header = cookies.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
      let request = bed.send(
        method, target, headers: headers + (header.isEmpty ? [] : [("Cookie", header)]), body: body)
      lines = request.context.response.headers.values(of: "set-cookie")
      for (name, value) in request.setCookies { cookies[name] = value.isEmpty ? nil : value }
      return request
    }

    /// The target by which the provider sends the browser back.
    func login(_ target: String = "/app?a=1") throws -> String {
      let request = send(.get, target)
      let location = try #require(request.responseHeader("location"))
      let prefix = OpenIDConnectBed.issuer
      let answer = bed.provider.answer(
        OpenIDProvider.Request(
          method: "GET", target: String(location.dropFirst(prefix.count)), headers: [], body: ""))
      let back = try #require(answer.headers.first { $0.name == "Location" }?.value)
      return String(back.dropFirst("https://gateway.example:8443".count))
    }

    func logIn() throws -> PluginTestBed { send(.get, try login()) }
  }

  private func browser(_ config: [String: JSONValue] = [:]) throws -> Browser { Browser(try OpenIDConnectBed(config)) }

  @Test("a client without credentials is sent to the provider with state, nonce and a proof key")
  func beginning() throws {
    let browser = try browser([
      "scopes": ["openid", "mail"], "audience": ["api"], "max_age": 60,
      "authorization_query_args_names": ["prompt"], "authorization_query_args_values": ["login"],
      "authorization_query_args_client": ["ui"],
    ])
    let request = browser.send(.get, "/app?a=1&ui=dark")
    #expect(request.status == 302)
    #expect(request.responseHeader("cache-control") == "no-store")
    let location = try #require(request.responseHeader("location"))
    #expect(location.hasPrefix("https://op.example/realm/authorize?"))
    let query = OpenIDProvider.Request(method: "GET", target: location, headers: [], body: "").query
    #expect(query["response_type"] == "code" && query["client_id"] == "gateway" && query["scope"] == "openid mail")
    #expect(query["redirect_uri"] == "https://gateway.example:8443/app")
    #expect(query["prompt"] == "login" && query["ui"] == "dark")
    #expect(query["audience"] == "api" && query["max_age"] == "60")
    #expect(query["code_challenge_method"] == "S256" && query["code_challenge"]?.utf8.count == 43)
    #expect(query["state"]?.utf8.count == 43 && query["nonce"]?.utf8.count == 43)
    #expect(browser.lines.count == 1)
    #expect(browser.lines.first?.hasPrefix("authorization=") == true)
    #expect(browser.lines.first?.hasSuffix("; Path=/; HttpOnly; Secure") == true)
  }

  @Test("the provider's answer starts a session, and the session stands for credentials from then on")
  func login() throws {
    let browser = try browser()
    let first = try browser.logIn()
    #expect(first.status == nil)
    #expect(first.query == "")
    #expect(first.header("authorization")?.hasPrefix("Bearer ey") == true)
    #expect(first.header("cookie") == nil)
    #expect(browser.cookies.keys.sorted() == ["session"])
    let line = try #require(browser.lines.first { $0.hasPrefix("session=") })
    #expect(line.hasSuffix("; Path=/; SameSite=Lax; HttpOnly; Secure"))
    browser.cookies["other"] = "1"
    let second = browser.send()
    #expect(second.status == nil)
    #expect(second.header("x-credential-identifier") == "alice")
    #expect(second.header("cookie") == "other=1")
    #expect(browser.lines.isEmpty)
    #expect(browser.bed.provider.requests(to: "/token").count == 1)
    #expect(browser.bed.provider.requests(to: "/token").first?.form["code_verifier"]?.isEmpty == false)
  }

  @Test("a code counts once, with the state of this client's login, within its time, and with the right nonce")
  func badAnswers() throws {
    let strange = try browser()
    let target = try strange.login()
    #expect(strange.send(.get, target.replacing("state=", with: "state=x")).status == 401)
    let other = try browser()
    #expect(other.send(.get, target).status == 302)
    let late = try browser()
    let lateTarget = try late.login()
    late.bed.pass(601)
    #expect(late.send(.get, lateTarget).status == 302)
    let twice = try browser()
    let once = try twice.login()
    let cookies = twice.cookies
    #expect(twice.send(.get, once).status == nil)
    twice.cookies = cookies
    #expect(twice.send(.get, once).status == 401)
    let nonce = try browser()
    nonce.bed.provider.configure { $0.nonceOverride = "wrong" }
    #expect(try nonce.logIn().status == 401)
    let refused = try browser()
    let state = try refused.login().split(separator: "state=").last ?? ""
    #expect(refused.send(.get, "/app?error=access_denied&state=\(state)").status == 401)
    let bare = try browser()
    bare.bed.provider.configure { $0.omitsIDToken = true }
    #expect(try bare.logIn().status == 401)
  }

  @Test("several pages may send the client to log in at once")
  func severalLogins() throws {
    let browser = try browser()
    let targets = try (0..<3).map { try browser.login("/page\($0)") }
    for target in targets {
      browser.cookies["session"] = nil
      #expect(browser.send(.get, target).status == nil)
    }
    #expect(browser.cookies["authorization"] == nil)
  }

  @Test("cookies that were changed, are of another secret or another time count as none")
  func badCookies() throws {
    let browser = try browser()
    _ = try browser.logIn()
    let good = try #require(browser.cookies["session"])
    for text in ["", "a", String(good.dropLast()) + "A", good + "AAAA", String(good.reversed()), "é"] {
      browser.cookies = ["session": text]
      #expect(browser.send().status == 302)
    }
    let other = try self.browser(["session_secret": "another"])
    other.cookies = ["session": good]
    #expect(other.send().status == 302)
    let purpose = try self.browser(["session_audience": "another"])
    purpose.cookies = ["session": good]
    #expect(purpose.send().status == 302)
  }

  @Test("a session ends when it idles, when it is not renewed, and after its whole time")
  func timeouts() throws {
    let idle = try browser(["refresh_tokens": true])
    _ = try idle.logIn()
    idle.bed.pass(901)
    #expect(idle.send().status == 302)
    let rolling = try browser(["session_idling_timeout": 0, "session_rolling_timeout": 100])
    rolling.bed.provider.configure { $0.lifetime = 100_000 }
    _ = try rolling.logIn()
    rolling.bed.pass(80)
    #expect(rolling.send().status == nil)
    #expect(rolling.lines.count == 1)
    rolling.bed.pass(80)
    #expect(rolling.send().status == nil)
    rolling.bed.pass(101)
    #expect(rolling.send().status == 302)
    let absolute = try browser(["session_absolute_timeout": 200, "session_idling_timeout": 0])
    absolute.bed.provider.configure { $0.lifetime = 100_000 }
    _ = try absolute.logIn()
    absolute.bed.pass(200)
    #expect(absolute.send().status == 302)
  }

  @Test("an access token that is over is refreshed in the session; without a refresh token the session is over")
  func refresh() throws {
    let browser = try browser()
    _ = try browser.logIn()
    browser.bed.pass(301)
    let request = browser.send()
    #expect(request.status == nil)
    #expect(browser.lines.contains { $0.hasPrefix("session=") })
    #expect(browser.bed.provider.requests(to: "/token").last?.form["grant_type"] == "refresh_token")
    browser.bed.pass(301)
    #expect(browser.send().status == nil)
    #expect(browser.bed.provider.requests(to: "/token").count == 3)
    let without = try self.browser(["refresh_tokens": false])
    _ = try without.logIn()
    without.bed.pass(301)
    #expect(without.send().status == 302)
    let revoked = try self.browser()
    _ = try revoked.logIn()
    revoked.bed.provider.override("/token", .init(400, body: #"{"error":"invalid_grant"}"#))
    revoked.bed.pass(301)
    #expect(revoked.send().status == 302)
    let down = try self.browser()
    _ = try down.logIn()
    down.bed.client.isDown.withLock { $0 = true }
    down.bed.pass(301)
    #expect(down.send().status == 500)
  }

  @Test("requests that come together with one cookie share the refreshed tokens")
  func sharedRefresh() throws {
    let browser = try browser()
    _ = try browser.logIn()
    browser.bed.pass(301)
    let old = browser.cookies
    for _ in 0..<3 {
      browser.cookies = old
      #expect(browser.send().status == nil)
    }
    let grants = browser.bed.provider.requests(to: "/token").map { $0.form["grant_type"] }
    #expect(grants == ["authorization_code", "refresh_token"])
  }

  @Test("scopes that were granted with an opaque token count in its session too")
  func scopesOfSession() throws {
    let browser = try browser(["scopes_required": ["profile"], "auth_methods": ["authorization_code", "session"]])
    browser.bed.provider.configure {
      $0.issuesOpaqueTokens = true
      $0.claims = ["scope": .null]
    }
    #expect(try browser.logIn().status == nil)
    #expect(browser.send().status == nil)
  }

  @Test("tokens of sessions are verified again where that is asked for")
  func reverify() throws {
    let browser = try browser(["reverify": true])
    _ = try browser.logIn()
    #expect(browser.send().status == nil)
    try browser.bed.provider.rotateKeys(id: "p2")
    browser.bed.pass(31)
    browser.bed.bearer(try browser.bed.provider.token())
    let request = browser.send()
    #expect(request.status == 401)
    #expect(browser.cookies["session"] == nil)
  }

  @Test("a session is bound to what is configured")
  func bindings() throws {
    let browser = try browser(["session_bind": ["user-agent", "ip", "scheme"]])
    _ = browser.send(headers: [("User-Agent", "a")])
    let target = try browser.login()
    #expect(browser.send(.get, target, headers: [("User-Agent", "a")]).status == nil)
    #expect(browser.send(headers: [("User-Agent", "a")]).status == nil)
    #expect(browser.send(headers: [("User-Agent", "b")]).status == 302)
  }

  @Test("bearer tokens start sessions too, unless that is disabled; a large one is split over cookies")
  func bearerSession() throws {
    let bed = try OpenIDConnectBed()
    let token = try bed.provider.token(["big": .string(String(repeating: "x", count: 6000))])
    let request = bed.bearer(token)
    let cookies = request.setCookies
    #expect(cookies.keys.sorted() == ["session", "session2", "session3"])
    let header = cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
    #expect(bed.send(headers: [("Cookie", header)]).header("authorization") == "Bearer \(token)")
    #expect(bed.send(headers: [("Cookie", "session=\(cookies["session"] ?? "")")]).status == 302)
    let disabled = try OpenIDConnectBed(["disable_session": ["bearer"]])
    #expect(disabled.bearer(try disabled.provider.token()).setCookies.isEmpty)
    let huge = try OpenIDConnectBed()
    let request2 = huge.bearer(try huge.provider.token(["big": .string(String(repeating: "x", count: 40_000))]))
    #expect(request2.status == nil && request2.setCookies.isEmpty)
  }

  @Test("an opaque token in a session is introspected again, from what is kept or anew")
  func opaqueSession() throws {
    let bed = try OpenIDConnectBed(["cache_introspection": false])
    let token = bed.provider.opaqueToken()
    let cookie = try #require(bed.bearer(token).setCookies["session"])
    #expect(bed.send(headers: [("Cookie", "session=\(cookie)")]).header("x-credential-identifier") == "alice")
    #expect(bed.provider.requests(to: "/introspect").count == 2)
    bed.provider.override("/introspect", .init(json: ["active": false]))
    #expect(bed.send(headers: [("Cookie", "session=\(cookie)")]).status == 302)
  }

  @Test("facts of the session are shown in headers")
  func facts() throws {
    let browser = try browser([
      "session_request_headers": ["id", "subject", "audience", "timeout", "rolling-timeout"],
      "session_response_headers": ["absolute-timeout"], "upstream_session_id_header": "X-Session",
    ])
    _ = try browser.logIn()
    browser.bed.pass(10)
    let request = browser.send(headers: [("Session-Id", "spoofed")])
    #expect(request.header("session-id") == request.header("x-session") && request.header("session-id") != "spoofed")
    #expect(request.header("session-subject") == "alice" && request.header("session-audience") == "default")
    #expect(request.header("session-timeout") == "890" && request.header("session-rolling-timeout") == "3590")
    #expect(request.responseHeader("session-absolute-timeout") == "86390")
  }

  // MARK: What follows a login

  @Test("a login may be answered with tokens, or sent on with them")
  func actions() throws {
    let answering = try browser(["login_action": "response", "login_tokens": ["id_token", "tokens"]])
    let request = try answering.logIn()
    #expect(request.status == 200)
    let body = try JSONValue(parsing: Array((request.answer ?? "").utf8))
    #expect(body["id_token"]?.string?.hasPrefix("ey") == true)
    #expect(body["tokens"]?["token_type"] == "Bearer")
    #expect(answering.send().status == nil)
    let back = try browser(["login_action": "redirect", "login_tokens": []])
    #expect(try back.logIn().responseHeader("location") == "https://gateway.example:8443/app?a=1")
    #expect(back.cookies["session"] != nil)
    let fragment = try browser(["login_action": "redirect", "login_redirect_uri": ["https://a.example/x?y=1"]])
    #expect(try fragment.logIn().responseHeader("location")?.hasPrefix("https://a.example/x?y=1#id_token=ey") == true)
    let query = try browser([
      "login_action": "redirect", "login_redirect_uri": ["https://a.example/x?y=1"], "login_redirect_mode": "query",
    ])
    #expect(try query.logIn().responseHeader("location")?.hasPrefix("https://a.example/x?y=1&id_token=ey") == true)
    let kept = try browser(["preserve_query_args": true])
    #expect(try kept.logIn().query == "a=1")
  }

  @Test("a provider may post its answer")
  func formPost() throws {
    let browser = try browser(["response_mode": "form_post", "redirect_uri": ["https://gateway.example:8443/cb"]])
    let target = try browser.login()
    #expect(target.hasPrefix("/cb?"))
    let request = browser.send(
      .post, "/cb", headers: [("Content-Type", "application/x-www-form-urlencoded")],
      body: String(target.dropFirst("/cb?".count)))
    #expect(request.status == nil)
    #expect(browser.cookies["session"] != nil)
  }

  @Test("proof keys follow the provider, or the configuration")
  func proofKeys() throws {
    let browser = try browser(["require_proof_key_for_code_exchange": false])
    #expect(browser.send().responseHeader("location")?.contains("code_challenge") == false)
    #expect(try browser.logIn().status == nil)
  }

  // MARK: Logout

  @Test("a logout ends the session here and at the provider, and revokes tokens where that is asked for")
  func logout() throws {
    let browser = try browser([
      "logout_uri_suffix": "/logout", "logout_methods": ["GET"], "logout_redirect_uri": ["https://a.example/bye"],
      "logout_revoke": true, "logout_revoke_access_token": false,
    ])
    _ = try browser.logIn()
    #expect(browser.send(.post, "/app/logout").status == nil)
    let request = browser.send(.get, "/app/logout")
    #expect(request.status == 302)
    let location = try #require(request.responseHeader("location"))
    #expect(location.hasPrefix("https://op.example/realm/logout?id_token_hint=ey"))
    #expect(location.hasSuffix("&client_id=gateway&post_logout_redirect_uri=https%3A%2F%2Fa.example%2Fbye"))
    #expect(browser.cookies["session"] == nil)
    let revoked = browser.bed.provider.requests(to: "/revoke")
    #expect(revoked.map { $0.form["token_type_hint"] } == ["refresh_token"])
    #expect(browser.send().status == 302)
  }

  @Test("arguments of query and body log out as well, by their methods")
  func logoutArguments() throws {
    let browser = try browser(["logout_query_arg": "bye", "logout_post_arg": "out"])
    _ = try browser.logIn()
    #expect(browser.send(.get, "/?bye").status == nil)
    #expect(browser.send(.delete, "/?bye").status == 302)
    _ = try browser.logIn()
    let form = [("Content-Type", "application/x-www-form-urlencoded")]
    #expect(browser.send(.post, "/", headers: form, body: "in=1").status == nil)
    #expect(browser.send(.post, "/", headers: form, body: "out=1").status == 302)
    #expect(browser.cookies["session"] == nil)
  }

  @Test("without an endpoint at the provider the client is sent on or told")
  func logoutWithoutEndpoint() throws {
    func logOut(_ config: [String: JSONValue]) throws -> PluginTestBed {
      let browser = try browser(config.merging(["logout_query_arg": "bye"]) { old, _ in old })
      browser.bed.provider.override(
        "/.well-known/openid-configuration",
        .init(
          json: [
            "issuer": .string(OpenIDConnectBed.issuer), "jwks_uri": .string(OpenIDConnectBed.issuer + "/jwks"),
            "authorization_endpoint": .string(OpenIDConnectBed.issuer + "/authorize"),
            "token_endpoint": .string(OpenIDConnectBed.issuer + "/token"),
          ]))
      _ = try browser.logIn()
      return browser.send(.post, "/?bye=1")
    }
    #expect(try logOut([:]).status == 200)
    let sent = try logOut(["logout_redirect_uri": ["https://a.example/bye"]])
    #expect(sent.responseHeader("location") == "https://a.example/bye")
  }

  @Test("a refused request ends the session unless that is switched off")
  func forbidden() throws {
    let browser = try browser(["logout_query_arg": "bye"])
    _ = try browser.logIn()
    let strict = try OpenIDConnectBed(["roles_required": ["admin"]])
    let cookie = "session=\(browser.cookies["session"] ?? "")"
    let request = strict.send(headers: [("Cookie", cookie)])
    #expect(request.status == 403)
    #expect(request.setCookies["session"] == "")
    let keeping = try OpenIDConnectBed([
      "roles_required": ["admin"], "forbidden_destroy_session": false, "forbidden_error_message": "not you",
    ])
    let kept = keeping.send(headers: [("Cookie", cookie)])
    #expect(kept.answer == #"{"message":"not you"}"#)
    #expect(kept.setCookies.isEmpty)
    let sent = try OpenIDConnectBed(["roles_required": ["admin"], "forbidden_redirect_uri": ["https://a.example/no"]])
    #expect(sent.send(headers: [("Cookie", cookie)]).responseHeader("location") == "https://a.example/no")
  }
}
