import EntityModel
import PluginKit
import Testing

@testable import LuaRuntime

/// Limits of memory, coroutines, strings and patterns, what the operator sets for one plugin, and what is counted.
@Suite(.serialized) struct QuotaTests {
  private func ends(_ fixture: LuaFixture) -> [String: Int] {
    Dictionary(
      fixture.settings.meter.endedCalls.map {
        ("\($0.key.plugin) \($0.key.version) \($0.key.phase) \($0.key.limit.rawValue)", $0.value)
      },
      uniquingKeysWith: +)
  }

  @Test(
    "a call that goes beyond a limit ends uncaught, is logged with version, phase, limit and line, and is counted",
    arguments: [
      ("\n while true do end", "4: CPU time limit of 50 ms exceeded (version 1.0)", "cpu_time"),
      (
        "local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1e5) .. #t end) end",
        "memory limit of 8 MiB per request exceeded (version 1.0)", "request_memory"
      ),
      (
        "while true do pcall(coroutine.create, print) end", "limit of 100 coroutines exceeded (version 1.0)",
        "coroutines"
      ),
      (
        "while true do pcall(coroutine.wrap, print) end", "limit of 100 coroutines exceeded (version 1.0)", "coroutines"
      ),
      (
        "local function f() return coroutine.wrap(f)() end while true do pcall(f) end",
        "limit of 100 coroutines exceeded (version 1.0)", "coroutines"
      ),
    ])
  func limits(body: String, sentence: String, limit: String) throws {
    let fixture = LuaFixture {
      $0.requestMemory = 8 << 20
      $0.coroutines = 100
    }
    let plugin = try fixture.phase("access", name: "hungry", body)
    #expect(plugin.run(.access, fixture.request()).name == "failed")
    let line = fixture.log.all.first { $0.level == .err }?.line ?? ""
    #expect(line.hasPrefix("[kong] [hungry] failed in access: hungry/handler.lua:"), "\(line)")
    #expect(line.contains(sentence), "\(line)")
    #expect(ends(fixture) == ["hungry 1.0 access \(limit)": 1])
    #expect(try fixture.answers("answer(1)") == ["1"])
  }

  @Test("what a request adds is counted over its phases, and another request begins at nothing")
  func requestMemory() throws {
    let fixture = LuaFixture { $0.requestMemory = 12 << 20 }
    let plugin = try fixture.plugin(
      "adder",
      """
      local function add(name)
        local list = {}
        for i = 1, 40 do list[i] = ("x"):rep(1e5) .. name .. i end
        kong.ctx.plugin[name] = list
      end
      return {PRIORITY = 1, VERSION = "1.0", access = function() add("a") end, header_filter = function() add("b") end,
        log = function() add("c") add("d") end}
      """)
    let context = fixture.request()
    #expect(plugin.run(.access, context).name == "finished")
    #expect(plugin.run(.log, context).name == "failed")
    #expect(fixture.log.all.contains { $0.line.contains("memory limit of 12 MiB per request exceeded") })
    #expect(plugin.run(.access, fixture.request()).name == "finished")
  }

  @Test("a plugin that keeps more than it may is loaded anew; other plugins keep what they have")
  func pluginMemory() throws {
    let fixture = LuaFixture(memoryLimit: 128 << 20) { $0.pluginMemory = 16 << 20 }
    let keeper = try fixture.plugin(
      "keeper",
      "local n = 0 return {PRIORITY = 1, VERSION = '1.0', access = function() n = n + 1 kong.ctx.shared.n = n end}")
    let hoarder = try fixture.plugin(
      "hoarder",
      """
      local kept = {}
      return {PRIORITY = 1, VERSION = "2.0", access = function()
        local list = {}
        for i = 1, 10 do list[i] = ("x"):rep(2e5) .. #kept .. i end
        kept[#kept + 1] = list
        kong.ctx.shared.count = #kept
      end}
      """)
    keeper.run(.access, fixture.request())
    var counts: [Int64] = []
    for _ in 0..<30 {
      let context = fixture.request()
      if hoarder.run(.access, context).name == "finished" {
        counts.append(LuaHost.sharedValue("count", of: context)?.integer ?? 0)
      }
    }
    // It came to its limit, lost what it had kept, and began again.
    #expect(counts.filter { $0 == 1 }.count >= 3, "\(counts)")
    #expect(counts.max() ?? 0 <= 8)
    #expect(
      fixture.log.all.contains { $0.line.contains("[hoarder] version 1.0 holds") && $0.line.contains("loaded anew") })
    let context = fixture.request()
    keeper.run(.access, context)
    #expect(LuaHost.sharedValue("n", of: context) == 2)
  }

  @Test("a few large strings that are garbage at once are no reason either")
  func largeGarbage() throws {
    let fixture = LuaFixture(cpuLimitMilliseconds: 5000, memoryLimit: 32 << 20)
    let plugin = try fixture.phase("access", "for i = 1, 200 do local s = ('x'):rep(1e6) end")
    #expect(plugin.run(.access, fixture.request()).name == "finished", "\(fixture.log.all)")
  }

  @Test("garbage is no reason to end a plugin")
  func garbage() throws {
    let fixture = LuaFixture(cpuLimitMilliseconds: 1000, memoryLimit: 256 << 20) {
      $0.pluginMemory = 32 << 20
      $0.requestMemory = 24 << 20
    }
    let churner = try fixture.phase("access", name: "churner", "for i = 1, 20 do local s = ('x'):rep(1e5) .. i end")
    for _ in 0..<200 { #expect(churner.run(.access, fixture.request()).name == "finished") }
  }

  @Test("strings and patterns have limits of their own")
  func work() throws {
    let fixture = LuaFixture {
      $0.stringSize = 1000
      $0.patternSteps = 100_000
    }
    let answers = try fixture.answers(
      """
      answer(try(string.rep, "x", 1001), #("x"):rep(1000), try(string.find, ("x"):rep(1000):rep(1), ("x*"):rep(9) .. "y"),
        (("ab"):gsub("b", "c")))
      """)
    #expect(answers == ["\"error: resulting string too large\"", "1000", "\"error: pattern too complex\"", "\"ac\""])
  }

  @Test("the operator widens the limits of one plugin, and of no other")
  func override() throws {
    var wide = LuaQuota()
    wide.cpuMilliseconds = 2000
    wide.coroutines = 5000
    let fixture = LuaFixture(cpuLimitMilliseconds: 20, allowances: ["wide": LuaAllowance(quota: wide)])
    let body = "for i = 1, 4e6 do local x = i * 2 end for i = 1, 2000 do coroutine.create(print) end"
    #expect(try fixture.phase("access", name: "wide", body).run(.access, fixture.request()).name == "finished")
    #expect(try fixture.phase("access", name: "narrow", body).run(.access, fixture.request()).name == "failed")
  }

  @Test("a trusted plugin is compiled and has no limit of CPU time; others beside it are stopped as ever")
  func trusted() throws {
    let fixture = LuaFixture(
      cpuLimitMilliseconds: 20, allowances: ["scorer": LuaAllowance(quota: LuaQuota(), isTrusted: true)])
    let body = "local x = 0 for i = 1, 2e7 do x = (x + i * 3) % 1000 end kong.ctx.shared.x = x"
    let scorer = try fixture.phase("access", name: "scorer", body)
    #expect(scorer.run(.access, fixture.request()).name == "finished")
    for loop in [
      "while true do end", "local x = 0 for i = 1, 1e12 do x = (x + i * 3) % 1000 end",
      "while true do pcall(function() for i = 1, 1e9 do end end) end",
      "local s = 0 while true do s = s + #require('kong.tools.table').deep_copy({1, 2, 3}) end",
      "require('pl.tablex').map(function() while true do end end, {1})",
    ] {
      let other = try fixture.phase("access", name: "other", loop)
      #expect(other.run(.access, fixture.request()).name == "failed", "\(loop)")
    }
    #expect(ends(fixture) == ["other 1.0 access cpu_time": 5])
    // What a plugin that is not trusted hands to a trusted one is not compiled either.
    let context = fixture.request()
    _ = try fixture.phase("access", name: "giver", "kong.ctx.shared.f = function() while true do end end")
      .run(.access, context)
    #expect(scorer.run(.access, fixture.request()).name == "finished")
  }

  @Test("loading thousands of instances takes time in proportion to their number, and those of the past go")
  func manyInstances() throws {
    let fixture = LuaFixture(memoryLimit: 256 << 20)
    let plugin = LuaPlugin(
      name: "many", version: "1.0", source: "return {PRIORITY = 1, VERSION = '1.0', access = function() end}",
      phases: PhaseSet(Phase.allCases), settings: fixture.settings)
    func load(_ count: Int) throws -> [any PluginExecutor] {
      try (0..<count).map { number in
        let executor = try plugin.makeExecutor(for: fixture.instance("many", .object(["n": .integer(Int64(number))])))
        try executor.prepare(on: fixture.loop)
        return executor
      }
    }
    let clock = ContinuousClock()
    var executors = try load(1000)
    let host = try #require(fixture.host)
    let first = try clock.measure { executors += try load(1000) }
    let later = try clock.measure { executors += try load(4000) }
    #expect(later < first * 16, "\(first) for 1000, \(later) for 4000 more")
    #expect(host.instanceCount == 6000)
    executors = []
    executors = try load(3000)
    #expect(host.instanceCount == 3000)
  }
}
