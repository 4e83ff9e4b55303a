import EntityModel
import GatewayTesting
import LuaRuntime
import NIOCore
import NIOSSL
import PluginKit
import Testing

@testable import Proxy

@Suite("Plugins in the certificate phase") struct CertificatePhaseTests {
  /// A TLS listener with a certificate for `a.test` and another by default; one route that answers what access puts
  /// together.
  private static func start(
    _ plugins: [PluginDefinition], instances: [EntityFields]? = nil, headerTimeout: TimeAmount = .seconds(60)
  ) async throws -> ProxyFixture {
    let fallback = try ServerTLS(
      configuration: .makeServerConfiguration(
        certificateChain: [
          .certificate(NIOSSLCertificate(bytes: Array(TestCertificates.fallbackCertificate.utf8), format: .pem))
        ],
        privateKey: .privateKey(NIOSSLPrivateKey(bytes: Array(TestCertificates.fallbackKey.utf8), format: .pem))))
    return try await ProxyFixture.start(
      [
        "routes": [
          Entities.route("r", service: nil, path: "/"), Entities.route("other", service: nil, path: "/other"),
        ],
        "certificates": [
          ["id": "c", "cert": .string(TestCertificates.sniCertificate), "key": .string(TestCertificates.sniKey)]
        ],
        "snis": [["id": "n", "name": "a.test", "certificate": ["id": "c"]]],
        "plugins": instances ?? plugins.map { LuaPlugins.instance($0.name) },
      ], plugins: plugins
    ) {
      $0.listeners = [.init(host: "127.0.0.1", port: 0, isTLS: true)]
      $0.defaultTLS = fallback
      $0.clientHeaderTimeout = headerTimeout
    }
  }

  private static func body(_ response: String) -> String { String(response.split(separator: "\r\n\r\n").last ?? "") }

  @Test("a client that is asked shows its whole chain, which later phases see; one without a certificate goes on")
  func clientCertificate() async throws {
    let lua = LuaPlugins()
    let plugin = lua.plugin(
      "asks",
      [
        .certificate: """
        assert(kong.client.tls.request_client_certificate())
        assert(kong.client.tls.disable_session_reuse())
        """,
        .access: """
        local chain = kong.client.tls.get_full_client_certificate_chain()
        local count = chain and select(2, chain:gsub("BEGIN CERTIFICATE", "")) or 0
        local before = ngx.var.ssl_client_verify
        kong.client.tls.set_client_verify(count > 0 and "SUCCESS" or "NONE")
        local x509 = chain and require("resty.openssl.x509").new(chain)
        local name = x509 and x509:get_subject_name():find("CN").blob or "nobody"
        kong.response.exit(200, table.concat({count, before, ngx.var.ssl_client_verify, name,
          chain and chain:find(ngx.var.ssl_client_raw_cert, 1, true) or "-",
          ngx.var.ssl_client_fingerprint or "-"}, " "))
        """,
      ])
    let proxy = try await Self.start([plugin])
    let with = try await TLSExchange.get(
      port: proxy.port, certificates: [ServerCertificate.certificate, ServerCertificate.authority],
      key: ServerCertificate.key)
    #expect(Self.body(with).hasPrefix("2 FAILED:certificate not verified SUCCESS log.test 1 "))
    #expect(Self.body(with).split(separator: " ").last?.count == 40)
    let without = try await TLSExchange.get(port: proxy.port)
    #expect(Self.body(without) == "0 NONE NONE nobody - -")
    await proxy.stop()
  }

  @Test(
    "it knows the connection and the server name, shares kong.ctx.shared within the handshake, and cannot see a request"
  )
  func facts() async throws {
    let lua = LuaPlugins()
    let first = lua.plugin(
      "first", priority: 2,
      [
        .certificate: """
        assert(conf.__plugin_id == "instance-first")
        kong.ctx.shared.seen = table.concat({ngx.get_phase(), kong.client.get_ip(), kong.client.get_forwarded_ip(),
          ngx.var.ssl_server_name or "none", type(kong.client.get_port()), kong.request.get_port() > 0 and "port",
          tostring(kong.ip.is_trusted("127.0.0.1"))}, " ")
        local ok, failure = pcall(kong.request.get_path)
        kong.log.notice(failure)
        ok, failure = pcall(kong.response.exit, 200)
        kong.log.notice(failure)
        """
      ])
    let second = lua.plugin(
      "second", priority: 1,
      [
        .certificate: "kong.log.notice('saw ', kong.ctx.shared.seen)",
        .access: "kong.response.exit(200, tostring(kong.ctx.shared.seen))",
      ])
    let proxy = try await Self.start([first, second])
    #expect(Self.body(try await TLSExchange.get(port: proxy.port)) == "nil")
    let lines = lua.log.all
    #expect(lines.contains { $0.hasSuffix("[second] saw ssl_cert 127.0.0.1 127.0.0.1 a.test number port false") })
    #expect(
      lines.contains {
        $0.contains(
          "function cannot be called in certificate phase (only in: rewrite, access, balancer, response, "
            + "header_filter, body_filter, log, error, admin_api)")
      })
    #expect(
      lines.contains {
        $0.contains(
          "function cannot be called in certificate phase (only in: rewrite, access, balancer, response, "
            + "header_filter, error, admin_api)")
      })
    _ = try await TLSExchange.get(port: proxy.port, serverName: nil)
    #expect(lua.log.all.contains { $0.hasSuffix("127.0.0.1 none number port false") })
    await proxy.stop()
  }

  @Test("an error, an ended quota or ngx.exit(ngx.ERROR) fails the handshake of that connection alone")
  func failures() async throws {
    let lua = LuaPlugins { $0.quota.cpuMilliseconds = 20 }
    let plugin = lua.plugin(
      "judges",
      [
        .certificate: """
        local name = ngx.var.ssl_server_name
        if name == "error.test" then error("no such host") end
        if name == "loop.test" then while true do end end
        if name == "exit.test" then ngx.exit(ngx.ERROR) end
        if name == "fine.test" then ngx.exit(ngx.OK) error("not reached") end
        """,
        .access: "kong.response.exit(200, 'served')",
      ])
    let proxy = try await Self.start([plugin])
    for name in ["error.test", "loop.test", "exit.test"] {
      await #expect(throws: NIOSSLError.self) { try await TLSExchange.get(port: proxy.port, serverName: name) }
    }
    for name in ["a.test", "fine.test"] {
      #expect(Self.body(try await TLSExchange.get(port: proxy.port, serverName: name)) == "served")
    }
    let failures = lua.log.all.filter { $0.contains("failed in certificate") }
    #expect(failures.count == 2)
    let error = "err [kong] [judges] failed in certificate: judges/handler.lua:4: no such host"
    #expect(failures.contains { $0.hasPrefix(error) }, "\(failures)")
    #expect(failures.contains { $0.contains("(version 1.0)") }, "\(failures)")
    await proxy.stop()
  }

  @Test("it may wait, and a client that goes meanwhile harms nothing")
  func waits() async throws {
    let lua = LuaPlugins()
    let plugin = lua.plugin(
      "waits",
      [
        .certificate: "ngx.sleep(0.03) kong.log.notice('woke ', ngx.var.ssl_server_name)",
        .access: "kong.response.exit(200, 'served')",
      ])
    let proxy = try await Self.start([plugin])
    #expect(Self.body(try await TLSExchange.get(port: proxy.port)) == "served")
    #expect(lua.log.all.contains { $0.hasSuffix("woke a.test") })
    do {
      let gone = try await ClientHello.send(serverName: "gone.test", port: proxy.port)
      try await gone.close().get()
    }
    #expect(await eventually { lua.log.all.contains { $0.hasSuffix("woke gone.test") } })
    #expect(Self.body(try await TLSExchange.get(port: proxy.port)) == "served")
    await proxy.stop()
  }

  @Test("a client that says nothing, and one whose plugin waits too long, is closed when its time is over")
  func timeout() async throws {
    let lua = LuaPlugins()
    let plugin = lua.plugin("waits", [.certificate: "ngx.sleep(30)"])
    let proxy = try await Self.start([plugin], headerTimeout: .seconds(1))
    #expect(try SocketConnection(port: proxy.port).receive().isEmpty)
    do {
      let waiting = try await ClientHello.send(serverName: "a.test", port: proxy.port)
      try await waiting.closeFuture.get()
    } catch ChannelError.ioOnClosedChannel {
      // On a busy machine the time is over before this test has written.
    }
    await proxy.stop()
  }

  @Test(
    "only instances without route and service run; functions of pre-function do too, with their own text's upvalues")
  func instances() async throws {
    let lua = LuaPlugins()
    let scoped = lua.plugin("scoped", [.certificate: "kong.log.notice('scoped ran')"])
    let functions = try #require(LuaBundledPlugins.all(settings: lua.settings).first { $0.name == "pre-function" })
    let proxy = try await Self.start(
      [scoped, functions],
      instances: [
        LuaPlugins.instance("scoped", route: "other"),
        LuaPlugins.instance(
          "pre-function",
          config: [
            "certificate": [
              "local n = 0 return function() n = n + 1 kong.log.notice('handshake ', n, ' ', ngx.var.ssl_server_name) end"
            ],
            "access": ["kong.response.exit(200, 'served')"],
          ]),
      ])
    for _ in 0..<2 { #expect(Self.body(try await TLSExchange.get(port: proxy.port)) == "served") }
    #expect(!lua.log.all.contains { $0.contains("scoped ran") })
    #expect(lua.log.all.count { $0.contains("handshake 1 a.test") } >= 1)
    await proxy.stop()
  }
}
