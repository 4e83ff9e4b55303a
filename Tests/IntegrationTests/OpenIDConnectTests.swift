import EntityModel
import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  /// The gateway and a provider, each reached by HTTP.
  @Suite struct OpenIDConnectTests {
    /// A gateway in a process of its own, a provider and an upstream.
    private struct Scene {
      let gateway: LiveGateway
      let provider: OpenIDProvider
      let server: ScriptedUpstream
      let upstream: ScriptedUpstream

      init(_ settings: [String: String] = [:]) async throws {
        (provider, server) = try await OpenIDProvider.served()
        upstream = try await ScriptedUpstream.start { _ in .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
        gateway = try LiveGateway(settings)
        let service = try gateway.admin.send(
          "POST", "/services", json: ["name": "s", "url": .string("http://127.0.0.1:\(upstream.port)")])
        try #require(service.status == 201, "\(service.text)")
      }

      /// A route with the plugin on it.
      func protect(_ name: String, _ config: [String: JSONValue] = [:]) async throws {
        let route = try gateway.admin.send(
          "POST", "/services/s/routes",
          json: ["name": .string(name), "paths": [.string("/\(name)")], "protocols": ["http"]])
        try #require(route.status == 201, "\(route.text)")
        let standard: [String: JSONValue] = [
          "issuer": .string(provider.issuer), "client_id": ["gateway"], "client_secret": ["gateway secret"],
          "session_secret": "a secret of the tests", "rediscovery_lifetime": 0,
        ]
        let plugin = try gateway.admin.send(
          "POST", "/routes/\(name)/plugins",
          json: ["name": "openid-connect", "config": .object(standard.merging(config) { _, new in new })])
        try #require(plugin.status == 201, "\(plugin.text)")
        let client = gateway.proxy
        try #require(await eventually { try ![200, 404].contains(client.get("/\(name)").status) })
      }

      func get(_ path: String, bearer token: String? = nil) throws -> TestResponse {
        try gateway.proxy.send("GET", path, headers: token.map { [("Authorization", "Bearer \($0)")] } ?? [])
      }
    }

    /// Cookies of a client that follows redirects by hand.
    private struct Browser {
      let client: TestClient
      var cookies: [String: String] = [:]

      mutating func send(_ method: String = "GET", _ path: String) throws -> TestResponse {
        let header = cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
        let response = try client.send(
          method, path, headers: [("Host", "localhost:\(client.port)")] + (header.isEmpty ? [] : [("Cookie", header)]))
        for (name, value) in response.headers where name.lowercased() == "set-cookie" {
          let pair = value.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
          cookies[String(pair[0])] = pair[1].isEmpty ? nil : String(pair[1])
        }
        return response
      }
    }

    /// Path and query of an address of this machine.
    private func target(_ address: String?) throws -> (port: Int, path: String) {
      let url = try #require(address.flatMap { URLComponents(string: $0) })
      return (try #require(url.port), url.percentEncodedPath + (url.percentEncodedQuery.map { "?" + $0 } ?? ""))
    }

    @Test("signed tokens: good ones pass, new keys are found, forged and outdated ones are refused")
    func bearer() async throws {
      let scene = try await Scene()
      try await scene.protect("api", ["auth_methods": ["bearer"], "audience_required": ["gateway"]])
      let token = try scene.provider.token()
      #expect(try scene.get("/api", bearer: token).status == 200)
      #expect(scene.upstream.requests.last?.header("authorization") == "Bearer \(token)")
      #expect(scene.upstream.requests.last?.header("x-credential-identifier") == "alice")
      for forged in [
        try scene.provider.token(["exp": 1_700_000_000]), try scene.provider.unsignedToken(),
        try scene.provider.token(signedWithSecret: scene.provider.publicKeyText, keyID: "p1"),
        try OpenIDProvider(issuer: scene.provider.issuer).token(),
        try scene.provider.token(["iss": "http://127.0.0.1:1"]),
      ] {
        let response = try scene.get("/api", bearer: forged)
        #expect(response.status == 401)
        #expect(response.header("www-authenticate") == #"Bearer realm="127.0.0.1", error="invalid_token""#)
        #expect(response.json == ["message": "Unauthorized"])
      }
      #expect(try scene.get("/api", bearer: try scene.provider.token(["aud": "other"])).status == 403)
      #expect(try scene.get("/api").status == 401)
      try scene.provider.rotateKeys(toRSA: true, id: "r2")
      #expect(try scene.get("/api", bearer: try scene.provider.token()).status == 200)
      #expect(try scene.get("/api", bearer: token).status == 401)
    }

    @Test("opaque tokens are introspected, and a client's id and secret get it a token")
    func providerAsked() async throws {
      let scene = try await Scene()
      try await scene.protect("api", ["auth_methods": ["introspection", "client_credentials"]])
      let token = scene.provider.opaqueToken()
      for _ in 0..<3 { #expect(try scene.get("/api", bearer: token).status == 200) }
      #expect(scene.provider.requests(to: "/introspect").count == 1)
      #expect(try scene.get("/api", bearer: "unknown").status == 401)
      let credentials = Data("gateway:gateway secret".utf8).base64EncodedString()
      for _ in 0..<2 {
        let response = try scene.gateway.proxy.send(
          "GET", "/api", headers: [("Authorization", "Basic \(credentials)")])
        #expect(response.status == 200)
      }
      #expect(scene.provider.requests(to: "/token").count == 1)
      #expect(scene.upstream.requests.last?.header("authorization")?.hasPrefix("Bearer ey") == true)
    }

    @Test("a login with its session, the refresh of its tokens, and its logout")
    func login() async throws {
      let scene = try await Scene()
      scene.provider.configure { $0.lifetime = 0 }
      try await scene.protect(
        "app",
        [
          "auth_methods": ["authorization_code", "session"], "leeway": 60, "logout_uri_suffix": "/logout",
          "logout_methods": ["GET"], "logout_revoke": true,
        ])
      var browser = Browser(client: scene.gateway.proxy)
      let begun = try browser.send("GET", "/app/page?x=1")
      #expect(begun.status == 302)
      let authorization = try target(begun.header("location"))
      #expect(authorization.port == scene.server.port)
      let agreed = try TestClient(port: authorization.port).get(authorization.path)
      let back = try target(agreed.header("location"))
      #expect(back.port == browser.client.port)
      #expect(try browser.send("GET", back.path).status == 200)
      #expect(scene.upstream.requests.last?.requestLine == "GET /page HTTP/1.1")
      #expect(browser.cookies.keys.contains("session") && !browser.cookies.keys.contains("authorization"))
      // The tokens lived for no second, so the next request gets new ones.
      let before = browser.cookies["session"]
      #expect(try browser.send("GET", "/app/page").status == 200)
      #expect(browser.cookies["session"] != before)
      let grants = scene.provider.requests(to: "/token").map { $0.form["grant_type"] }
      #expect(grants == ["authorization_code", "refresh_token"])
      #expect(scene.upstream.requests.last?.header("cookie") == nil)
      let ended = try browser.send("GET", "/app/logout")
      #expect(ended.status == 302)
      #expect(try target(ended.header("location")).path.hasPrefix("/logout?id_token_hint=ey") == true)
      #expect(browser.cookies["session"] == nil)
      #expect(scene.provider.requests(to: "/revoke").count == 2)
      #expect(try browser.send("GET", "/app/page").status == 302)
    }

    @Test("a provider that is away or answers nonsense gives 500, and the gateway goes on")
    func badProvider() async throws {
      let scene = try await Scene()
      try await scene.protect(
        "away", ["auth_methods": ["bearer"], "issuer": .string("http://127.0.0.1:\(try refusingPort())")])
      let token = try scene.provider.token()
      #expect(try scene.get("/away", bearer: token).json == ["message": "An unexpected error occurred"])
      let documents = [
        "", "[]", #"{"jwks_uri":7}"#, String(repeating: "[", count: 1 << 20), String(repeating: "a", count: 3 << 20),
      ]
      for (number, text) in documents.enumerated() {
        scene.provider.override("/.well-known/openid-configuration", .init(200, body: text))
        // Another time limit makes another provider of it, whose documents are not known yet.
        try await scene.protect(
          "hostile\(number)", ["auth_methods": ["bearer"], "timeout": .integer(5000 + Int64(number))])
        #expect([401, 500].contains(try scene.get("/hostile\(number)", bearer: token).status))
      }
      scene.provider.override("/.well-known/openid-configuration", nil)
      try await scene.protect("good", ["auth_methods": ["bearer"], "timeout": 6000])
      #expect(try scene.get("/good", bearer: token).status == 200)
      #expect(scene.gateway.isRunning)
    }

    @Test(
      "a login at a provider of other hands (oidc-provider-mock, over Authlib)",
      .enabled(if: ForeignProvider.isInstalled, "scripts/test installs it where Python and its registry are there"))
    func foreignProvider() async throws {
      let foreign = try await ForeignProvider()
      let scene = try await Scene()
      try await scene.protect(
        "app",
        [
          "issuer": .string(foreign.issuer), "auth_methods": ["authorization_code", "session"],
          "upstream_headers_claims": ["email"], "upstream_headers_names": ["X-Mail"], "search_user_info": true,
          "scopes": ["openid", "email"], "logout_query_arg": "bye", "logout_methods": ["GET"],
        ])
      var browser = Browser(client: scene.gateway.proxy)
      let authorization = try target(try browser.send("GET", "/app").header("location"))
      let agreed = try TestClient(port: authorization.port).send(
        "POST", authorization.path, headers: [("Content-Type", "application/x-www-form-urlencoded")], body: "sub=carol")
      let back = try target(agreed.header("location"))
      let response = try browser.send("GET", back.path)
      #expect(response.status == 200, "\(response.text) \(scene.gateway.log.suffix(500))")
      #expect(scene.upstream.requests.last?.header("x-credential-identifier") == "carol")
      #expect(scene.upstream.requests.last?.header("x-mail")?.contains("@") == true)
      #expect(try browser.send("GET", "/app").status == 200)
      let ended = try browser.send("GET", "/app?bye=1")
      #expect(try target(ended.header("location")).path.hasPrefix("/oauth2/end_session?id_token_hint=ey") == true)
    }
  }
}

/// A provider that others have written, as a process of its own.
private final class ForeignProvider {
  private static let program = Program.packageFolder + "/.build/openid-provider/bin/oidc-provider-mock"
  static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

  let issuer: String
  private let process = Process()
  private let folder: String

  init() async throws {
    folder = try LiveGateway.makePrefix()
    let log = folder + "/log"
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    process.executableURL = URL(fileURLWithPath: Self.program)
    process.arguments = [
      "--port", "0", "--user-claims", #"{"sub":"carol","email":"carol@example.org"}"#,
    ]
    process.environment = ProcessInfo.processInfo.environment.merging(["PYTHONUNBUFFERED": "1"]) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: log)
    process.standardError = FileHandle(forWritingAtPath: log)
    try process.run()
    func said() -> String? {
      let text = String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
      return text.firstMatch(of: /running on (http:\/\/127\.0\.0\.1:[0-9]+)/).map { String($0.1) }
    }
    guard await eventually(within: 60, { said() != nil }), let issuer = said() else {
      throw Program.Failure(description: "the provider did not start")
    }
    self.issuer = issuer
  }

  deinit {
    // Threads of the tests block signals, and the process has inherited that: only this one gets through.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    try? FileManager.default.removeItem(atPath: folder)
  }
}
