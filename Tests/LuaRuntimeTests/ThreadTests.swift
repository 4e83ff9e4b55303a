import NIOCore
import PluginKit
import Testing

@testable import LuaRuntime

/// Light threads and semaphores.
struct ThreadTests {
  private func finish(_ fixture: LuaFixture, _ context: RequestContext) -> [String] {
    fixture.driver.loop.advanceTime(by: .seconds(10))
    return LuaHost.sharedValue("answers", of: context)?.array?.compactMap(\.string) ?? []
  }

  private func start(_ fixture: LuaFixture, _ context: RequestContext, _ code: String) throws -> [String] {
    _ = try fixture.answers(code, context)
    return finish(fixture, context)
  }

  @Test("threads wait side by side, and are waited for")
  func sideBySide() throws {
    let fixture = LuaFixture(sandbox: .lax)
    let context = fixture.request()
    let answers = try start(
      fixture, context,
      """
      local seen = {}
      local function slow(name, time) ngx.sleep(time) seen[#seen + 1] = name return name, time end
      local a, b = ngx.thread.spawn(slow, "a", 2), ngx.thread.spawn(slow, "b", 1)
      seen[#seen + 1] = "main"
      local ok, first = ngx.thread.wait(a, b)
      local ok2, second, time = ngx.thread.wait(a)
      answer(seen, ok, first, second, time, select(2, ngx.thread.wait(b)))
      """)
    #expect(
      answers == [#"{1="main", 2="b", 3="a"}"#, "true", #""b""#, #""a""#, "2", #""already waited or killed""#])
    #expect(fixture.driver.outcomes.map(\.name) == ["finished"])
  }

  @Test("a phase ends when its threads have ended")
  func phaseEnd() throws {
    let fixture = LuaFixture(sandbox: .lax)
    let context = fixture.request()
    let plugin = try fixture.phase("access", "ngx.thread.spawn(function() ngx.sleep(1) kong.ctx.shared.x = 1 end)")
    #expect(plugin.run(.access, context).name == "suspended")
    fixture.driver.loop.advanceTime(by: .milliseconds(900))
    #expect(fixture.driver.outcomes.isEmpty)
    fixture.driver.loop.advanceTime(by: .milliseconds(200))
    #expect(fixture.driver.outcomes.map(\.name) == ["finished"])
    #expect(LuaHost.sharedValue("x", of: context) == 1)
  }

  @Test("an exit in a thread ends the phase, whoever waits")
  func exit() throws {
    let fixture = LuaFixture(sandbox: .lax)
    let context = fixture.request()
    let plugin = try fixture.phase(
      "access",
      """
      ngx.thread.spawn(function() ngx.sleep(1) kong.response.exit(403, "no") end)
      ngx.sleep(5)
      kong.ctx.shared.late = true
      """)
    #expect(plugin.run(.access, context).name == "suspended")
    fixture.driver.loop.advanceTime(by: .seconds(10))
    #expect(fixture.driver.outcomes.map(\.name) == ["finished"])
    #expect(context.earlyResponse?.status == 403)
    #expect(LuaHost.sharedValue("late", of: context) == nil)
  }

  @Test("an error in a thread is told to who waits for it, and logged")
  func failure() throws {
    let fixture = LuaFixture(sandbox: .lax)
    let context = fixture.request()
    let answers = try start(
      fixture, context,
      """
      local t = ngx.thread.spawn(function() ngx.sleep(1) error("oh", 0) end)
      answer(ngx.thread.wait(t))
      """)
    #expect(answers == ["false", #""oh""#])
    #expect(fixture.log.all.contains { $0.line.contains("lua user thread aborted: runtime error: oh") })
  }

  @Test("a killed thread does not go on")
  func kill() throws {
    let fixture = LuaFixture(sandbox: .lax)
    let context = fixture.request()
    let answers = try start(
      fixture, context,
      """
      local t = ngx.thread.spawn(function() ngx.sleep(1) kong.ctx.shared.late = true end)
      answer(ngx.thread.kill(t), select(2, ngx.thread.kill(t)))
      """)
    #expect(answers == ["1", #""already waited or killed""#])
    #expect(LuaHost.sharedValue("late", of: context) == nil)
  }

  @Test("a thread that yields by itself goes on soon")
  func yield() throws {
    let fixture = LuaFixture(sandbox: .lax)
    let context = fixture.request()
    let answers = try start(
      fixture, context,
      """
      local seen = {}
      local t = ngx.thread.spawn(function() seen[1] = "one" coroutine.yield() seen[3] = "three" end)
      seen[2] = "two"
      ngx.thread.wait(t)
      answer(seen)
      """)
    #expect(answers == [#"{1="one", 2="two", 3="three"}"#])
  }

  @Test("a semaphore wakes who waits, in order, and lets time pass otherwise")
  func semaphore() throws {
    let fixture = LuaFixture(sandbox: .lax)
    let context = fixture.request()
    let answers = try start(
      fixture, context,
      """
      local sema = require("ngx.semaphore").new()
      local seen = {}
      local function wait(name) local ok, e = sema:wait(3) seen[#seen + 1] = name .. tostring(ok) .. tostring(e) end
      local a, b, c = ngx.thread.spawn(wait, "a"), ngx.thread.spawn(wait, "b"), ngx.thread.spawn(wait, "c")
      local before = sema:count()
      ngx.sleep(1)
      sema:post(2)
      ngx.thread.wait(a) ngx.thread.wait(b) ngx.thread.wait(c)
      answer(before, seen, sema:count(), select(2, sema:wait(0)))
      """)
    #expect(answers == ["-3", #"{1="atruenil", 2="btruenil", 3="cfalsetimeout"}"#, "0", #""timeout""#])
  }

  @Test("too many threads are refused")
  func limit() throws {
    let fixture = LuaFixture(sandbox: .lax)
    #expect(
      try fixture.answers(
        """
        local ok, e = pcall(function()
          for i = 1, 1000 do ngx.thread.spawn(function() ngx.sleep(1) end) end
        end)
        answer((tostring(e):match("too many light threads")))
        """) == [#""too many light threads""#])
  }
}
