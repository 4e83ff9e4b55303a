import EntityModel
import GatewayTesting
import LuaRuntime
import PluginKit
import Testing

@testable import Proxy

@Suite("Responses that Lua plugins make, in each phase") struct LuaResponseTests {
  private static func start(
    _ functions: [Phase: String], upstream: Int, lua: LuaPlugins = LuaPlugins(), then other: [Phase: String] = [:],
    configure: (inout ProxyConfiguration) -> Void = { _ in }
  ) async throws -> ProxyFixture {
    var plugins = [lua.plugin("first", priority: 2, functions)]
    if !other.isEmpty { plugins.append(lua.plugin("second", priority: 1, other)) }
    return try await ProxyFixture.start(
      [
        "services": [Entities.service("s", port: upstream).merging(["retries": 1]) { $1 }],
        "routes": [Entities.route("r", service: "s", path: "/")],
        "plugins": plugins.map { LuaPlugins.instance($0.name) },
      ], plugins: plugins, configure: configure)
  }

  @Test(
    "exit answers with status, fields and body, and its length",
    arguments: [Phase.rewrite, .access, .response, .headerFilter])
  func exits(phase: Phase) async throws {
    let upstream = try await ScriptedUpstream.start { _ in ok("upstream", headers: "X-Up: 1\r\n") }
    let proxy = try await Self.start(
      [
        phase: """
        local path = kong.request.get_path()
        if path == "/table" then kong.response.exit(201, {a = {1, 2}}, {["X-Mine"] = {"1", "2"}}) end
        if path == "/text" then kong.response.exit(202, "text") end
        if path == "/none" then kong.response.exit(204) end
        if path == "/empty" then kong.response.exit(200) end
        if path == "/error" then kong.response.error(403, "not you") end
        """
      ], upstream: upstream.port)
    let table = try proxy.get("/table")
    #expect(table.status == 201)
    #expect(table.text == #"{"a":[1,2]}"#)
    #expect(table.header("content-type") == "application/json; charset=utf-8")
    #expect(table.header("content-length") == "11")
    #expect(table.header("x-mine") == "1")
    let text = try proxy.get("/text")
    #expect(text.status == 202 && text.text == "text" && text.header("content-length") == "4")
    #expect(try proxy.get("/none").status == 204)
    let empty = try proxy.get("/empty")
    #expect(empty.status == 200 && empty.text.isEmpty && empty.header("content-length") == "0")
    let error = try proxy.get("/error")
    #expect(error.status == 403 && error.text.contains(#""message":"not you""#) && error.text.contains("request_id"))
    #expect(try proxy.get("/other").text == "upstream")
    let head = try proxy.connect().exchange("HEAD", "/text")
    #expect(head.status == 202 && head.body.isEmpty && head.header("content-length") == "4")
    await proxy.stop()
  }

  @Test(
    "exit in header_filter lets the others go on, or ends the phase, as the settings say", arguments: [false, true])
  func headerFilter(ends: Bool) async throws {
    let upstream = try await ScriptedUpstream.start { _ in ok("upstream") }
    let lua = LuaPlugins { $0.exitEndsHeaderFilter = ends }
    let proxy = try await Self.start(
      [.headerFilter: "kong.response.exit(403, 'no') kong.response.set_header('x-after', 'yes')"],
      upstream: upstream.port, lua: lua, then: [.headerFilter: "kong.response.set_header('x-second', 'yes')"]
    ) { $0.exitEndsHeaderFilter = ends }
    let response = try proxy.get("/")
    #expect(response.status == 403 && response.text == "no")
    #expect(response.header("x-after") == (ends ? nil : "yes"))
    #expect(response.header("x-second") == (ends ? nil : "yes"))
    await proxy.stop()
  }

  @Test("a retry callback may answer")
  func balancer() async throws {
    let proxy = try await Self.start(
      [
        .access: """
        kong.service.set_target_retry_callback(function()
          kong.response.exit(503, {message = "all are down"})
        end)
        """
      ], upstream: refusingPort())
    let response = try proxy.get("/")
    #expect(response.status == 503 && response.text == #"{"message":"all are down"}"#)
    await proxy.stop()
  }

  @Test("ngx.say and ngx.exit answer in access; assignments after the head went are left out")
  func nginx() async throws {
    let upstream = try await ScriptedUpstream.start { _ in ok("upstream") }
    let lua = LuaPlugins()
    let proxy = try await Self.start(
      [
        .access: """
        if kong.request.get_path() == "/say" then
          ngx.status = 202
          ngx.header.x_mine = "1"
          ngx.say("one ", 2)
          ngx.print({"three"})
          ngx.eof()
          return ngx.exit(ngx.HTTP_OK)
        end
        """,
        .bodyFilter: "ngx.status = 500 ngx.header['X-Late'] = '1'",
        .log: "kong.log.notice('logged ', ngx.status, ' ', tostring(ngx.headers_sent))",
      ], upstream: upstream.port, lua: lua)
    let said = try proxy.get("/say")
    #expect(said.status == 202 && said.text == "one 2\nthree" && said.header("x-mine") == "1")
    let proxied = try proxy.get("/")
    #expect(proxied.status == 200 && proxied.text == "upstream" && proxied.header("x-late") == nil)
    #expect(lua.log.all.contains { $0.contains("attempt to set ngx.status after") })
    #expect(await eventually { lua.log.all.contains { $0.hasSuffix("logged 200 true") } })
    await proxy.stop()
  }

  @Test("bodies larger than the buffer are read whole where a limit is named, and reach the upstream")
  func largeBodies() async throws {
    let upstream = try await ScriptedUpstream.start { ok("\($0.body.count)") }
    let proxy = try await Self.start(
      [
        .access: """
        ngx.req.read_body()
        local data = ngx.req.get_body_data()
        local raw, failure = kong.request.get_raw_body()
        local whole = kong.request.get_raw_body(0)
        kong.response.set_header("x-data", type(data))
        kong.response.set_header("x-raw", raw and #raw or failure:sub(1, 24))
        kong.response.set_header("x-whole", #whole)
        """
      ], upstream: upstream.port)
    for (size, data, raw) in [(100, "string", "100"), (100_000, "nil", "request body did not fit")] {
      let response = try proxy.connect().exchange(
        "POST", "/", headers: [("Host", "a")], body: [UInt8](repeating: 120, count: size))
      #expect(response.text == "\(size)")
      #expect(response.header("x-data") == data)
      #expect(response.header("x-raw") == raw)
      #expect(response.header("x-whole") == "\(size)")
    }
    await proxy.stop()
  }

  @Test("what ngx.var may change reaches the upstream, and other variables cannot be changed")
  func variables() async throws {
    let upstream = try await ScriptedUpstream.start {
      ok("\($0.requestLine.split(separator: " ")[1]) \($0.header("host") ?? "")")
    }
    let lua = LuaPlugins()
    let proxy = try await Self.start(
      [
        .access: """
        ngx.var.upstream_uri = "/changed?x=1"
        ngx.var.upstream_host = "there.test"
        local path = kong.request.get_path()
        if path == "/args" then ngx.var.args = "y=2" end
        local ok, failure = pcall(function() ngx.var.remote_addr = "1.2.3.4" end)
        kong.log.notice(tostring(ok), " ", failure)
        """
      ], upstream: upstream.port, lua: lua)
    #expect(try proxy.get("/").text == "/changed?x=1 there.test")
    #expect(try proxy.get("/args").text == "/changed?y=2 there.test")
    #expect(lua.log.all.contains { $0.contains("false ") && $0.contains("variable \"remote_addr\" not changeable") })
    await proxy.stop()
  }
}
