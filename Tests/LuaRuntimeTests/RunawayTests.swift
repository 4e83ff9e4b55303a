import CLuaBridge
import Foundation
import PluginKit
import Synchronization
import Testing

@testable import LuaRuntime

/// Plugins that try to hang or to crash the process: each call comes to an end, and the state stays good.
@Suite(.serialized) struct RunawayTests {
  /// CPU milliseconds of the calling thread.
  static func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1000 + Double(time.tv_nsec) / 1_000_000
  }

  struct Ending {
    var outcome = ""
    var line = ""
    var milliseconds = 0.0
  }

  /// Runs a body of `access`, and then looks whether the state is still good.
  static func run(_ body: String, memoryLimit: Int = 64 << 20) throws -> Ending {
    // Without the quotas that would end some of these before the clock does.
    let fixture = LuaFixture(memoryLimit: memoryLimit) { quota in
      quota.patternSteps = 0
      quota.coroutines = 0
      if memoryLimit > 64 << 20 {
        quota.requestMemory = 0
        quota.pluginMemory = 0
      }
    }
    let plugin = try fixture.phase("access", body)
    let start = processorTime()
    let outcome = plugin.run(.access, fixture.request())
    let time = processorTime() - start
    let lines = fixture.log.all
    let ending = Ending(
      outcome: outcome.name, line: lines.first { $0.level == .err }?.line ?? "", milliseconds: time)
    #expect(try fixture.answers("answer(1 + 1, ('abc'):gsub('b', 'x'))") == ["2", "\"axc\"", "1"])
    if let host = fixture.host {
      slu_host_collect_garbage(host.raw)
      slu_host_collect_garbage(host.raw)
      #expect(host.memoryUsed < 8 << 20, "memory did not come back: \(host.memoryUsed)")
    }
    return ending
  }

  @Test(
    "code without an end is stopped at its limit of CPU time",
    arguments: [
      "while true do end",
      "repeat until false",
      "while true do pcall(error) end",
      "while true do pcall(function() while true do end end) end",
      "local function f() return pcall(f) or f() end while true do f() end",
      "while true do xpcall(function() while true do end end, function() while true do end end) end",
      "while true do xpcall(error, function() error() end) end",
      "xpcall(error, function() while true do end end)",
      "local function h() return xpcall(error, h) end while true do h() end",
      "while true do coroutine.wrap(function() while true do end end)() end",
      "while true do pcall(coroutine.wrap(function() while true do end end)) end",
      "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
      "local c = coroutine.wrap(function() while true do coroutine.yield() end end) while true do c() end",
      "table.sort({3, 2, 1, 5, 4}, function() while true do end end)",
      "table.sort({3, 2, 1, 5, 4}, function() while true do pcall(error) end end)",
      "while true do pcall(table.sort, {3, 2, 1}, function() while true do end end) end",
      "('abc'):gsub('.', function() while true do end end)",
      "while true do pcall(string.gsub, 'abc', '.', function() while true do pcall(error) end end) end",
      "for i = 1, math.huge do pcall(string.rep, 'x', 1000000) end",
      "local t = {} for i = 1, 1e9 do t[i % 100] = tostring(i) end",
      "local s = '' while true do s = (s .. 'x'):sub(-1000) end",
      "('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30) .. 'b')",
      "while true do pcall(string.find, ('a'):rep(30), ('a?'):rep(30) .. ('a'):rep(30) .. 'b') end",
      "('x'):rep(100000):match('.-.-b')",
      "('x'):rep(100000):find(('.*'):rep(20) .. 'b')",
      "('('):rep(1000000):find('%b()')",
      "('x'):rep(100000):gsub('x*y', '')",
      "for _ in ('x'):rep(100000):gmatch('.-.-b') do end",
      "('a'):rep(100000):match('(.-)(.-)%1%2b')",
      "while true do local t = {} t[1] = t end",
      "while true do kong.log.inspect({1, {2, {3}}}) end",
      "local t = {} for i = 1, 60 do t = {t, t} end kong.log.inspect(t)",
      "local t = {} for i = 1, 60 do t = {t, t} end require('cjson').encode(t)",
      "local t = {} for i = 1, 60 do t = {t, t} end while true do pcall(require('cjson').encode, t) end",
      "local t = {} for i = 1, 60 do t = {t, t} end while true do pcall(kong.response.exit, 200, t) end",
      "local c = require('cjson') c.encode_sparse_array(false, 0) c.encode({[2^31 - 2] = 1})",
      "local t = {} for i = 1, 60 do t = {t, t} end require('kong.tools.table').deep_copy({t, [t] = t})"
        + " while true do end",
      "while true do unpack({}, 1, 7000) end",
      "while true do ('x'):rep(1e6):upper():lower():reverse() end",
      "while true do tonumber(('1'):rep(1e6)) end",
      "local t = {} for i = 1, 60 do t = {t, t} end kong.ctx.shared.t = t"
        + " while true do pcall(kong.log.serialize or error, t) end",
    ])
  func endless(body: String) throws {
    // Memory enough for all that a fast machine can fill in the time.
    let ending = try Self.run(body, memoryLimit: 1 << 30)
    #expect(ending.outcome == "failed")
    #expect(ending.line.contains("CPU time limit of 50 ms exceeded"), "\(ending.line)")
    #expect(ending.milliseconds < 200, "\(ending.milliseconds) ms")
    if ProcessInfo.processInfo.environment["SLUICE_TEST_FIGURES"] != nil {
      print(String(format: "runaway %6.1f ms after the limit: ", ending.milliseconds - 50) + body.prefix(90))
    }
  }

  @Test("table.insert moves what lies above a position, and refuses positions far below the table")
  func insertion() throws {
    let fixture = LuaFixture()
    let start = Self.processorTime()
    let answers = try fixture.answers(
      """
      local t = {"b"}
      table.insert(t, "c")
      table.insert(t, 1, "a")
      table.insert(t, 2.9, "between")
      local u = {"x"}
      table.insert(u, -1, "y")
      local refused = {}
      for _, position in ipairs({-2^63, -2^31, -65537, 2^31, 2^53, 0/0, 1/0, -1/0}) do
        refused[#refused + 1] = try(table.insert, {}, position, 1)
      end
      local moved = {tostring(u[-1]), tostring(u[0]), tostring(u[1]), u[2]}
      local list = table.concat(t, " ")
      table.insert(t, 6, "beyond")
      answer(list, t[6], table.concat(moved, " "), table.concat(refused, ";"), try(table.insert, {}),
        try(table.insert, {}, 1, 2, 3), try(table.insert, nil, 1))
      """)
    #expect(Self.processorTime() - start < 100)
    let refusals = Array(repeating: "error: bad argument #2 to '?' (position out of bounds)", count: 8)
    #expect(
      answers == [
        "\"a between b c\"", "\"beyond\"", "\"y nil nil x\"", "\"\(refusals.joined(separator: ";"))\"",
        "\"error: wrong number of arguments to 'insert'\"", "\"error: wrong number of arguments to 'insert'\"",
        "\"error: bad argument #1 to '?' (table expected, got nil)\"",
      ])
  }

  @Test("a plugin cannot live on after the time of its phase call, however it waits")
  func waits() throws {
    let fixture = LuaFixture()
    let plugin = try fixture.phase(
      "access",
      """
      while true do
        for i = 1, 200000 do local x = i * 2 end
        kong.request.get_raw_body()
      end
      """)
    let start = Self.processorTime()
    #expect(plugin.run(.access, fixture.request(method: .post, body: "text")).name == "failed")
    #expect(fixture.log.all.contains { $0.line.contains("CPU time limit of 50 ms exceeded") })
    #expect(Self.processorTime() - start < 400)
  }

  @Test("what a call uses before its first wait and after it is one sum")
  func waitsOnce() throws {
    let limit = 200
    let fixture = LuaFixture(cpuLimitMilliseconds: limit)
    func loop(_ steps: Int) -> String { "for i = 1, \(steps) do local x = i * 2 end " }
    // How many steps a millisecond has on this machine.
    let sample = 4_000_000
    let plugin = try fixture.phase("access", name: "sample", loop(sample))
    let context = fixture.request()
    let start = Self.processorTime()
    #expect(plugin.run(.access, context).name == "finished")
    let steps = Double(sample) / (Self.processorTime() - start)

    for (share, outcome) in [(0.3, "finished"), (0.75, "failed")] {
      let part = loop(Int(steps * Double(limit) * share))
      let plugin = try fixture.phase("access", name: "waiter", part + "ngx.sleep(1) " + part)
      let before = fixture.driver.outcomes.count
      #expect(plugin.run(.access, fixture.request()).name == "suspended")
      fixture.driver.loop.advanceTime(by: .seconds(1))
      #expect(fixture.driver.outcomes.dropFirst(before).map(\.name) == [outcome])
    }
  }

  @Test("a regular expression that would search for minutes ends with the time of the call")
  func regularExpressions() throws {
    for body in [
      "ngx.re.find(('a'):rep(1e6), '[^b]*+c|(?:a*+)+[cd]')", "ngx.re.match(('a'):rep(5e5), '(?=.*+x).*(?=.*+y)')",
      "while true do ngx.re.find(('a'):rep(3e5), '(a|aa|aaa)*+b', 's') end",
      "while true do pcall(ngx.re.gsub, ('a'):rep(1e6), '[^b]*+c', 'x') end",
    ] {
      let ending = try Self.run(body)
      #expect(ending.outcome == "failed", "\(body)")
      #expect(ending.line.contains("CPU time limit of 50 ms exceeded"), "\(ending.line)")
      #expect(ending.milliseconds < 200, "\(ending.milliseconds) ms for \(body)")
      if ProcessInfo.processInfo.environment["SLUICE_TEST_FIGURES"] != nil {
        print(String(format: "runaway %6.1f ms after the limit: ", ending.milliseconds - 50) + body.prefix(90))
      }
    }
  }

  @Test(
    "too much recursion or memory is an error, not a crash",
    arguments: [
      ("local function f() return 1 + f() end f()", "stack overflow"),
      ("local function f(s) return (s:gsub('.', f)) end f('x')", "stack overflow"),
      ("local function f() table.sort({1, 2}, f) end f()", "stack overflow"),
      ("local function f() table.sort({1, 2}, function() return (('x'):gsub('.', f)) end) end f()", "stack overflow"),
      ("local function f() return pcall(f) and f() end local function g() g() return 1 end g()", "stack overflow"),
      ("local f f = function() local c = coroutine.wrap(f) return c() end f()", "stack overflow"),
      (
        "local f f = function() local ok, e = coroutine.resume(coroutine.create(f)) if not ok then error(e, 0) end end "
          + "f()",
        "stack overflow"
      ),
      ("return ('x'):rep(1e9)", "resulting string too large"),
      ("return ('x'):rep(2^53, 'y')", "resulting string too large"),
      ("return ('x'):rep(1e6, ('y'):rep(1e6))", "resulting string too large"),
      ("local s = 'x' while true do s = s .. s end", "not enough memory"),
      ("return require('table.new')(1e8, 0)", "not enough memory"),
      ("local t, s = {}, ('x'):rep(1e6) for i = 1, 100 do t[i] = s end return table.concat(t)", "not enough memory"),
      ("return unpack({}, 1, 1e8)", "too many results to unpack"),
      ("return unpack({}, -2^31, 2^31 - 1)", "too many results to unpack"),
      ("return ('%99999d'):format(1)", "invalid option"),
      ("local t = {} t.t = t return require('cjson').encode(t)", "excessive depth"),
      ("local t = {} for i = 1, 1e5 do t = {t} end return require('cjson').encode(t)", "excessive depth"),
      ("return require('cjson').decode(('['):rep(1e6))", "nested"),
      ("return require('cjson').decode(('{\"a\":'):rep(1e6))", "nested"),
      ("local t = {} t.t = t kong.response.exit(200, t)", "excessive depth"),
      ("local t = {} for i = 1, 1e5 do t = {t} end kong.response.exit(200, t)", "excessive depth"),
      ("local t = {} t.t = t kong.log.set_serialize_value('a', t)", "nested too deeply"),
      ("error(('x'):rep(10000000))", "xxx"),
      ("error({})", "table"),
      ("error(setmetatable)", "nil"),
    ] as [(String, String)])
  func tooMuch(body: String, message: String) throws {
    let ending = try Self.run(body)
    #expect(ending.outcome == "failed")
    #expect(ending.line.contains(message), "\(ending.line.prefix(300))")
    #expect(ending.line.utf8.count < 20_000)
    #expect(ending.milliseconds < 150, "\(ending.milliseconds) ms")
  }

  @Test(
    "extreme arguments end in time, whatever they give",
    arguments: [
      "local a = {} a.a = a kong.log.inspect(a) kong.log.inspect(kong, ngx, a)",
      "local t = {} for i = 1, 1e4 do t = {t} end pcall(kong.log.inspect, t)",
      "local t = {} t.t = t kong.table.merge(t, t) kong.table.merge(kong, ngx)",
      "pcall(os.date, '%1000000000d') pcall(os.date, ('%c'):rep(1e5)) pcall(os.date, '*t', 2^60)",
      "pcall(os.date, '%E%O%Q') pcall(os.date, '!%c', 1/0) pcall(os.date, '!%c', 0/0) pcall(os.date, '%2147483648d')",
      "pcall(os.time, {year = 2^31, month = 2^31, day = 2^31, hour = -2^40})",
      "for _, n in ipairs {0/0, 1/0, -1/0, 2^63, -2^63, 1e308, 5e-324} do tostring(n) ('%99.99f'):format(n) "
        + "pcall(string.char, n) pcall(string.sub, 'x', n, n) pcall(string.byte, 'x', n, n) pcall(string.rep, 'x', n) "
        + "pcall(string.find, 'x', 'x', n) pcall(string.gsub, 'x', 'x', 'y', n) pcall(unpack, {}, n, n) "
        + "pcall(table.concat, {}, '', n, n) pcall(table.insert, {}, n, 1) pcall(math.random, n) "
        + "pcall(require('table.new'), n, n) pcall(select, n, 1) pcall(math.ldexp, 1, n) pcall(bit.lshift, n, n) end",
      "tonumber(('1'):rep(1e6)) tonumber('0x' .. ('f'):rep(1e6)) tonumber(('z'):rep(1e6), 36) tonumber('1e999999999')",
      "pcall(table.concat, setmetatable and {} or {{}}) pcall(table.move, {}, 1, 2^31, 2)",
      "local ok, e = pcall(string.format, ('%s'):rep(1e5), 'x')",
      "('x'):rep(1e7):find(('x'):rep(5e6) .. 'y', 1, true)",
      "local t = {} for i = 1, 1e5 do t[i] = i * 7919 % 100003 end table.sort(t)",
      "pcall(table.sort, {3, 2, 1, 4}, function() return true end) pcall(table.sort, {3, 2, 1}, pcall)",
      "pcall(string.gsub, ('x'):rep(1e5), '', string.upper)",
      "pcall(string.gsub, 'abc', '.', kong.ctx) pcall(string.gsub, 'abc', '.', ngx.var)",
    ])
  func extremes(body: String) throws {
    let ending = try Self.run(body)
    #expect(ending.milliseconds < 150, "\(ending.milliseconds) ms")
  }

  @Test("a chunk that loops, recurses or nests too deeply while it is loaded is refused")
  func atLoad() throws {
    let fixture = LuaFixture()
    let sources = [
      "while true do pcall(error) end", "local function f(s) return (s:gsub('.', f)) end f('x')",
      "return " + String(repeating: "{", count: 100_000), "return " + String(repeating: "(", count: 100_000),
      "return " + String(repeating: "not ", count: 100_000) + "1",
      "local x = 'a'" + String(repeating: "..'a'", count: 100_000),
      String(repeating: "do ", count: 100_000), String(repeating: "if x then ", count: 100_000),
      String(repeating: "x", count: 5_000_000),
      "return function() " + String(repeating: "return function() ", count: 10_000),
      String(repeating: "local a ", count: 1000), "x = 1" + String(repeating: "^1", count: 100_000),
    ]
    for source in sources {
      #expect(throws: PluginCompileError.self, "\(source.prefix(40))") { try fixture.plugin("loader", source) }
    }
    #expect(try fixture.answers("answer(1 + 1)") == ["2"])
  }

  @Test("a state whose memory stays full is replaced")
  func replacement() throws {
    let fixture = LuaFixture(memoryLimit: 32 << 20)
    let hoarder = try fixture.plugin(
      "hoarder",
      """
      local kept = {}
      return {PRIORITY = 1, VERSION = "1.0", access = function()
        while true do kept[#kept + 1] = ("x"):rep(100000) .. #kept end
      end}
      """)
    let first = try #require(fixture.host)
    // Each call ends at the limit of memory, or before that at the limit of time.
    for _ in 0..<50 where fixture.host != nil {
      #expect(hoarder.run(.access, fixture.request()).name == "failed")
    }
    #expect(fixture.host == nil)
    #expect(fixture.log.all.contains { $0.line.contains("is replaced") })
    #expect(try fixture.answers("answer(1 + 1)") == ["2"])
    #expect(fixture.host !== first)
    // The plugin itself runs in the new state, and fills that one too.
    #expect(hoarder.run(.access, fixture.request()).name == "failed")
    #expect(try fixture.answers("answer(1 + 1)") == ["2"])
  }

  @Test("a wait where none is possible is an error, and leaves no trace")
  func waitInCallback() throws {
    let fixture = LuaFixture()
    let answers = try fixture.answers(
      """
      local ok, e = pcall(string.gsub, "x", ".", function() return kong.request.get_raw_body() end)
      local c = coroutine.wrap(function() coroutine.yield(1) return 2 end)
      answer(ok, tostring(e):match("attempt to yield across C%-call boundary"), c(), c())
      """, fixture.request(method: .post, body: "text"))
    #expect(answers == ["false", "\"attempt to yield across C-call boundary\"", "1", "2"])
  }

  @Test("recursion ends in an error on small stacks too", arguments: [512 << 10, 1 << 20, 8 << 20])
  func stacks(size: Int) throws {
    let lines = Mutex<[String]>([])
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      for body in [
        "local function f(s) return (s:gsub('.', f)) end f('x')",
        "local function f() table.sort({1, 2}, f) end f()",
        "local f f = function() local c = coroutine.wrap(f) return c() end f()",
        "local function f(n) return 1 + f(n + 1) end f(1)",
        "local t = {} for i = 1, 900 do t = {t} end local s = require('cjson').encode(t) require('cjson').decode(s)"
          + " local function f(x) return (x:gsub('.', function() require('cjson').decode(s) return f('x') end)) end"
          + " f('x')",
      ] {
        let ending = try? Self.run(body)
        lines.withLock { $0.append(ending.map { "\($0.outcome) \($0.line)" } ?? "thrown") }
      }
      done.signal()
    }
    thread.stackSize = size
    thread.start()
    done.wait()
    for line in lines.withLock({ $0 }) { #expect(line.hasPrefix("failed"), "\(line.prefix(200))") }
  }
}
