import EntityModel
import NIOCore
import NIOEmbedded
import PluginKit
import Testing

@testable import LuaRuntime

struct StreamedPluginTests {
  static let replaceme = """
    local ReplaceMe = {PRIORITY = 800, VERSION = "1.0"}
    function ReplaceMe:access(conf)
      local body = kong.request.get_raw_body()
      local result = body:gsub(conf.target_word, conf.replacement_word)
      kong.service.request.set_raw_body(result)
    end
    return ReplaceMe
    """
  static let reflector = """
    local Reflector = {PRIORITY = -10, VERSION = "1.0"}
    function Reflector:access(conf)
      kong.response.exit(200, kong.request.get_raw_body(), {["Content-Type"] = kong.request.get_header("Content-Type")})
    end
    return Reflector
    """

  @Test("the reflector answers with the body that replaceme has set")
  func guide() throws {
    let fixture = LuaFixture()
    let replaceme = try fixture.plugin(
      "replaceme", Self.replaceme, ["target_word": "sea", "replacement_word": "pelican"])
    let reflector = try fixture.plugin("reflector", Self.reflector)
    let context = fixture.request(
      "/anything", method: .post, headers: [("Content-Type", "text/x-words")],
      body: "She sells sea shells by the sea shore.")
    #expect(replaceme.run(.access, context).name == "finished")
    #expect(reflector.run(.access, context).name == "finished")
    #expect(context.earlyResponse?.status == 200)
    #expect(context.earlyResponse?.text == "She sells pelican shells by the pelican shore.")
    #expect(context.response.headers.first("content-type") == "text/x-words")
    #expect(context.requestHeaders.first("content-length") == "46")
    #expect(fixture.log.all.isEmpty)
  }

  @Test("a plugin that waits for the body goes on when it has come")
  func waitsForBody() throws {
    let fixture = LuaFixture()
    fixture.driver.delivers = false
    let reflector = try fixture.plugin("reflector", Self.reflector)
    let context = fixture.request(method: .post, body: "late")
    #expect(reflector.run(.access, context).name == "suspended")
    #expect(context.earlyResponse == nil)
    fixture.driver.deliverBody()
    #expect(fixture.driver.outcomes.map(\.name) == ["finished"])
    #expect(context.earlyResponse?.text == "late")
  }

  @Test("a wait works inside of pcall and of a plugin's own coroutine")
  func waitsInCoroutine() throws {
    let fixture = LuaFixture()
    fixture.driver.delivers = false
    let plugin = try fixture.phase(
      "access",
      """
      local co = coroutine.create(function(a)
        local ok, body = pcall(kong.request.get_raw_body)
        local b = coroutine.yield(body .. a)
        return body .. b
      end)
      local _, first = coroutine.resume(co, "1")
      local _, second = coroutine.resume(co, "2")
      kong.response.exit(200, first .. " " .. second .. " " .. coroutine.status(co))
      """)
    let context = fixture.request(body: "x")
    #expect(plugin.run(.access, context).name == "suspended")
    fixture.driver.deliverBody()
    #expect(context.earlyResponse?.text == "x1 x2 dead")
  }

  @Test("sleep gives the loop back until its time has come")
  func sleeps() throws {
    let fixture = LuaFixture()
    let plugin = try fixture.phase("access", "ngx.sleep(0.5) kong.response.exit(204)")
    let context = fixture.request()
    #expect(plugin.run(.access, context).name == "suspended")
    fixture.driver.loop.advanceTime(by: .milliseconds(499))
    #expect(fixture.driver.outcomes.isEmpty)
    fixture.driver.loop.advanceTime(by: .milliseconds(1))
    #expect(fixture.driver.outcomes.map(\.name) == ["finished"])
    #expect(context.earlyResponse?.status == 204)
  }

  @Test("requests that wait do not disturb each other")
  func interleaves() throws {
    let fixture = LuaFixture()
    let plugin = try fixture.phase(
      "access",
      """
      kong.ctx.shared.mine = kong.request.get_header("X-N")
      ngx.sleep(tonumber(kong.ctx.shared.mine))
      kong.response.exit(200, kong.ctx.shared.mine .. kong.request.get_header("X-N"))
      """)
    let contexts = [3, 1, 2].map { fixture.request(headers: [("X-N", "\($0)")]) }
    for context in contexts { #expect(plugin.run(.access, context).name == "suspended") }
    fixture.driver.loop.advanceTime(by: .seconds(4))
    #expect(contexts.map { $0.earlyResponse?.text } == ["33", "11", "22"])
  }

  @Test("nothing may wait in header_filter")
  func refusesToWait() throws {
    let fixture = LuaFixture()
    let plugin = try fixture.phase("header_filter", "ngx.sleep(1)")
    #expect(plugin.run(.headerFilter, fixture.request()).name == "failed")
    #expect(fixture.log.all.last?.line.contains("API disabled in the context of header_filter_by_lua*") == true)
  }

  @Test("exit ends the phase at once, also inside of pcall, a coroutine or a sort")
  func exits() throws {
    for code in [
      "kong.response.exit(418, 'x')", "pcall(kong.response.exit, 418, 'x')",
      "coroutine.wrap(function() pcall(kong.response.exit, 418, 'x') end)()",
      "pcall(table.sort, {2, 1, 3}, function() kong.response.exit(418, 'x') end)",
      "pcall(string.gsub, 'a', 'a', function() pcall(kong.response.exit, 418, 'x') end)",
    ] {
      let fixture = LuaFixture()
      let plugin = try fixture.phase("access", code + " kong.response.set_header('X-After', '1') error('after')")
      let context = fixture.request()
      #expect(plugin.run(.access, context).name == "finished", "\(code)")
      #expect(context.earlyResponse?.status == 418)
      #expect(!context.response.headers.contains("x-after"), "\(code)")
      // The state goes on.
      #expect(try fixture.answers("answer(1 + 1)") == ["2"])
    }
  }

  @Test("an error is one log line with plugin, phase, line and traceback")
  func logsErrors() throws {
    let fixture = LuaFixture()
    let plugin = try fixture.phase("access", name: "broken", "local x = nil\nreturn x.y")
    #expect(plugin.run(.access, fixture.request()).name == "failed")
    let line = try #require(fixture.log.all.last)
    #expect(line.level == .err)
    #expect(line.line.contains("[broken]"))
    #expect(line.line.contains("access"))
    #expect(line.line.contains("broken/handler.lua:4: attempt to index local 'x' (a nil value)"))
    #expect(line.line.contains("stack traceback:"))
    #expect(fixture.log.all.count == 1)
  }

  @Test("an error that is a table is logged as such")
  func logsTableErrors() throws {
    let fixture = LuaFixture()
    #expect(try fixture.phase("access", "error({code = 1})").run(.access, fixture.request()).name == "failed")
    #expect(fixture.log.all.last?.line.contains("(error object is a table value)") == true)
  }

  @Test("a handler that cannot be loaded says why")
  func refusesBadHandlers() {
    for (source, reason) in [
      ("return 1 +", "bad/handler.lua:1:"), ("return 1", "the handler does not return a table"),
      ("error('no')", "bad/handler.lua:1: no"), ("while true do end", "CPU time limit of 500 ms exceeded"),
      ("\u{1B}LJ\u{2}", "attempt to load chunk with wrong mode"), ("require('ffi')", "require 'ffi' not allowed"),
    ] {
      let fixture = LuaFixture()
      do {
        _ = try fixture.plugin("bad", source)
        Issue.record("loaded: \(source)")
      } catch {
        #expect("\(error)".contains(reason), "\(error)")
      }
    }
  }

  @Test("untrusted_lua = off refuses to load")
  func off() {
    let fixture = LuaFixture(sandbox: .off)
    #expect(throws: PluginCompileError.self) { try fixture.plugin("any", Self.reflector) }
  }

  @Test("the configuration comes as a table without nulls and with the instance's ids")
  func configuration() throws {
    let fixture = LuaFixture()
    let answers = try fixture.answers(
      "answer(conf.a, conf.list, conf.none, conf.deep.x, conf.__plugin_id)",
      config: ["a": 1.5, "list": ["x", "y"], "none": .null, "deep": ["x": true, "y": .null]])
    #expect(answers == ["1.5", "{1=\"x\", 2=\"y\"}", "nil", "true", "\"id-of-test\""])
  }

  @Test("handlers are loaded once per state and dropped with their executors")
  func sharesHandlers() throws {
    let fixture = LuaFixture()
    let source = "local n = 0 return {access = function() n = n + 1 kong.ctx.shared.n = n end}"
    var first: TestPlugin? = try fixture.plugin("counter", source)
    let second = try fixture.plugin("counter", source)
    let context = fixture.request()
    first?.run(.access, context)
    second.run(.access, context)
    #expect(LuaHost.sharedValue("n", of: context) == 2)
    first = nil
    _ = try fixture.plugin("other", source)
    second.run(.access, context)
    #expect(LuaHost.sharedValue("n", of: context) == 3)
  }

  @Test("kong.ctx.shared is the request's, kong.ctx.plugin the instance's, ngx.ctx apart")
  func contextTables() throws {
    let fixture = LuaFixture()
    let source = """
      return {access = function()
        kong.ctx.shared.n = (kong.ctx.shared.n or 0) + 1
        kong.ctx.plugin.n = (kong.ctx.plugin.n or 10) + 1
        ngx.ctx.n = (ngx.ctx.n or 100) + 1
        kong.ctx.shared.seen = kong.ctx.shared.n .. " " .. kong.ctx.plugin.n .. " " .. ngx.ctx.n
      end}
      """
    let first = try fixture.plugin("a", source)
    let second = try fixture.plugin("b", source)
    let context = fixture.request()
    for plugin in [first, first, second] { plugin.run(.access, context) }
    #expect(LuaHost.sharedValue("seen", of: context) == "3 11 103")
    let other = fixture.request()
    second.run(.access, other)
    #expect(LuaHost.sharedValue("seen", of: other) == "1 11 101")
  }

  @Test("phases run in order through the life of a request")
  func phases() throws {
    let fixture = LuaFixture()
    let plugin = try fixture.plugin(
      "all",
      """
      local H = {}
      local function note() kong.ctx.shared.t = (kong.ctx.shared.t or "") .. ngx.get_phase() .. " " end
      for _, name in ipairs {"rewrite", "access", "response", "header_filter", "body_filter", "log"} do H[name] = note end
      return H
      """)
    let context = fixture.request()
    for phase in [Phase.rewrite, .access, .response, .headerFilter, .bodyFilter, .log, .certificate] {
      #expect(plugin.run(phase, context).name == "finished")
    }
    #expect(LuaHost.sharedValue("t", of: context) == "rewrite access response header_filter body_filter log ")
  }
}
