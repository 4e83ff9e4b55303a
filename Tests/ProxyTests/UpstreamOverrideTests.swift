import EntityModel
import GatewayTesting
import LuaRuntime
import NIOCore
import NIOSSL
import PluginKit
import Synchronization
import Testing

@testable import Proxy

@Suite("Upstreams as Lua plugins choose them") struct UpstreamOverrideTests {
  /// A service on `port` with a streamed plugin whose access function is `access`; the client's Host goes upstream.
  private static func start(
    _ access: String, port: Int, lua: LuaPlugins = LuaPlugins(), service: EntityFields = [:],
    entities: [String: [EntityFields]] = [:]
  ) async throws -> ProxyFixture {
    let plugin = lua.plugin("chooses", [.access: access])
    return try await ProxyFixture.start(
      [
        "services": [Entities.service("s", port: port).merging(["retries": 0]) { $1 }.merging(service) { $1 }],
        "routes": [Entities.route("r", service: "s", path: "/").merging(["preserve_host": true]) { $1 }],
        "plugins": [LuaPlugins.instance("chooses")],
      ].merging(entities) { $1 }, plugins: [plugin])
  }

  private static let trustsAuthority = """
    local x509, store = require "resty.openssl.x509", require("resty.openssl.x509.store").new()
    store:add(x509.new([[\(ServerCertificate.authority)]]))
    assert(kong.service.set_tls_verify_store(store))

    """

  private static func status(_ proxy: ProxyFixture, _ path: String = "/", host: String = "log.test") throws -> Int {
    try proxy.get(path, headers: [("Host", host)]).status
  }

  // MARK: TLS

  @Test("set_tls_verify and set_tls_verify_store hold for the request alone, also on kept connections")
  func verification() async throws {
    let upstream = try await ScriptedUpstream.start(prepare: ServerCertificate.serve) { ok($0.header("host") ?? "") }
    let proxy = try await Self.start(
      """
      local path = kong.request.get_path()
      if path == "/verify" then assert(kong.service.set_tls_verify(true)) end
      if path == "/trusting" then
        assert(kong.service.set_tls_verify(true))
        \(Self.trustsAuthority)
      end
      """, port: upstream.port, service: ["protocol": "https"])
    for _ in 0..<2 {
      #expect(try Self.status(proxy) == 200)
      #expect(try Self.status(proxy, "/verify") == 502)
      #expect(try Self.status(proxy, "/trusting") == 200)
      #expect(try Self.status(proxy, "/trusting", host: "other.test") == 502)
    }
    await proxy.stop()
  }

  @Test("set_tls_verify(false) and a store of the plugin's own override what the service says")
  func overridesService() async throws {
    let upstream = try await ScriptedUpstream.start(prepare: ServerCertificate.serve) { _ in ok("fine") }
    let proxy = try await Self.start(
      """
      if kong.request.get_path() == "/off" then kong.service.set_tls_verify(false) end
      if kong.request.get_path() == "/store" then \(Self.trustsAuthority) end
      local ok, failure = kong.service.set_tls_verify_depth(3)
      kong.response.set_header("x-depth", tostring(ok) .. " " .. failure)
      """, port: upstream.port,
      service: ["protocol": "https", "tls_verify": true, "ca_certificates": ["ca"]],
      entities: ["ca_certificates": [["id": "ca", "cert": .string(TestCertificates.sniCertificate)]]])
    #expect(try Self.status(proxy) == 502)
    #expect(try Self.status(proxy, "/off") == 200)
    #expect(try Self.status(proxy, "/store") == 200)
    #expect(try proxy.get("/off").header("x-depth")?.hasPrefix("nil the length of the upstream's chain") == true)
    await proxy.stop()
  }

  @Test("set_tls_cert_key shows the upstream a certificate, for requests whose plugin sets one alone")
  func clientCertificate() async throws {
    let shown = ShownCertificates()
    let upstream = try await ScriptedUpstream.start(prepare: shown.serve) { _ in ok("fine") }
    let proxy = try await Self.start(
      """
      if kong.request.get_path() == "/with" then
        local chain = require("resty.openssl.x509.chain").new()
        chain:add(require("resty.openssl.x509").new([[\(ServerCertificate.certificate)]]))
        local key = require("resty.openssl.pkey").new([[\(ServerCertificate.key)]])
        assert(kong.service.set_tls_cert_key(chain, key))
      end
      local ok, failure = pcall(kong.service.set_tls_cert_key, "text", "text")
      kong.response.set_header("x-failure", failure)
      """, port: upstream.port, service: ["protocol": "https"])
    #expect(try Self.status(proxy) == 200)
    #expect(shown.count == 0)
    #expect(try Self.status(proxy, "/with") == 200)
    #expect(shown.count == 1)
    #expect(try proxy.get("/").header("x-failure")?.contains("chain must be a parsed cdata object") == true)
    #expect(shown.count == 1)
    await proxy.stop()
  }

  // MARK: Targets

  @Test("set_target leads the request elsewhere, with the target's Host; set_upstream to an Upstream by name")
  func targets() async throws {
    let first = try await ScriptedUpstream.start { ok("first \($0.header("host") ?? "")") }
    let second = try await ScriptedUpstream.start { ok("second \($0.header("host") ?? "")") }
    let proxy = try await Self.start(
      """
      local path = kong.request.get_path()
      if path == "/target" then kong.service.set_target("127.0.0.1", \(second.port)) end
      if path == "/upstream" then assert(kong.service.set_upstream("pool")) end
      if path == "/unknown" then
        local ok, failure = kong.service.set_upstream("nobody")
        kong.response.exit(200, tostring(ok) .. " " .. failure)
      end
      """, port: first.port,
      entities: [
        "upstreams": [["id": "u", "name": "pool", "algorithm": "round-robin", "slots": 10000]],
        "targets": [["id": "t", "upstream": ["id": "u"], "target": .string("127.0.0.1:\(second.port)"), "weight": 100]],
      ])
    #expect(try proxy.get("/", headers: [("Host", "a.test")]).text == "first a.test")
    #expect(try proxy.get("/target").text == "second 127.0.0.1")
    #expect(try proxy.get("/upstream").text.hasPrefix("second ") == true)
    #expect(try proxy.get("/unknown").text == "nil could not find an Upstream named 'nobody'")
    await proxy.stop()
  }

  @Test("set_retries counts further attempts, and set_timeouts ends one that takes too long")
  func attempts() async throws {
    let refusing = try refusingPort()
    let silent = try await ScriptedUpstream.start { _ in .silence }
    let lua = LuaPlugins()
    let proxy = try await Self.start(
      """
      local path = kong.request.get_path()
      if path == "/retries" then kong.service.set_retries(3) end
      if path == "/slow" then
        kong.service.set_target("127.0.0.1", \(silent.port))
        kong.service.set_timeouts(1000, 1000, 30)
      end
      local _, range = pcall(kong.service.set_retries, 40000)
      local _, order = pcall(kong.service.set_timeouts, 1, 0, 1)
      kong.log.notice(range, " | ", order)
      """, port: refusing, lua: lua)
    let log = AttemptLog()
    let counted = try await ProxyFixture.start(
      [
        "services": [Entities.service("s", port: refusing).merging(["retries": 0]) { $1 }],
        "routes": [Entities.route("r", service: "s", path: "/")],
        "plugins": [LuaPlugins.instance("sets"), LuaPlugins.instance("counts")],
      ],
      plugins: [
        lua.plugin("sets", [.access: "kong.service.set_retries(3)"]),
        Self.counting(log),
      ])
    #expect(try proxy.get("/").status == 502)
    #expect(try proxy.get("/slow").status == 504)
    #expect(lua.log.all.contains { $0.contains("retries must be an integer between 0 and 32767: given 40000") })
    #expect(lua.log.all.contains { $0.contains("write_timeout must be an integer between 1 and 2147483646: given 0") })
    #expect(try counted.get("/").status == 502)
    #expect(await eventually { log.counts == [4] })
    await counted.stop()
    await proxy.stop()
  }

  private static func counting(_ log: AttemptLog) -> PluginDefinition {
    TestPlugin("counts", phases: [.log]) { _, context in
      log.add(context.tries.count)
      return .finished
    }.definition
  }

  @Test("a retry callback runs in the balancer phase before each further attempt and may choose another target")
  func retryCallback() async throws {
    let good = try await ScriptedUpstream.start { ok("good \($0.header("x-attempt") ?? "-")") }
    let refusing = try refusingPort()
    let lua = LuaPlugins()
    let proxy = try await Self.start(
      """
      local path, count = kong.request.get_path(), 0
      kong.service.set_retries(3)
      kong.service.set_target("127.0.0.1", \(refusing))
      kong.service.set_target_retry_callback(function()
        count = count + 1
        kong.log.notice("retry ", count, " in ", ngx.get_phase())
        if path == "/raises" then error("no more") end
        if path == "/loops" then while true do end end
        if count == 2 then
          kong.service.request.set_header("x-attempt", count)
          kong.service.set_target("127.0.0.1", \(good.port))
        end
      end)
      """, port: refusing, lua: lua)
    #expect(try proxy.get("/").text == "good 2")
    #expect(lua.log.all.count { $0.contains("in balancer") } == 2)
    #expect(try proxy.get("/raises").status == 502)
    #expect(lua.log.all.count { $0.contains("failed in balancer: ") && $0.contains("no more") } == 3)
    #expect(try proxy.get("/loops").status == 502)
    #expect(try proxy.get("/").text == "good 2")
    await proxy.stop()
  }
}

/// A TLS server that asks for certificates and counts those it is shown.
private final class ShownCertificates: Sendable {
  private let shown = Mutex(0)

  var count: Int { shown.withLock { $0 } }

  func serve(_ channel: any Channel) throws {
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: [
        .certificate(try NIOSSLCertificate(bytes: Array(ServerCertificate.certificate.utf8), format: .pem))
      ],
      privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(ServerCertificate.key.utf8), format: .pem)))
    configuration.certificateVerification = .optionalVerification
    configuration.trustRoots = .certificates([])
    try channel.pipeline.syncOperations.addHandler(
      NIOSSLServerHandler(context: NIOSSLContext(configuration: configuration)) { _, promise in
        self.shown.withLock { $0 += 1 }
        promise.succeed(.certificateVerified)
      })
  }
}

/// How many attempts requests took.
private final class AttemptLog: Sendable {
  private let taken = Mutex<[Int]>([])

  var counts: [Int] { taken.withLock { $0 } }

  func add(_ count: Int) { taken.withLock { $0.append(count) } }
}
