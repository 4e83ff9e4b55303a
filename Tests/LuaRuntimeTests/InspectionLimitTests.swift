import EntityModel
import Testing

@testable import LuaRuntime

/// Texts that try to keep the machine busy, to fill its memory or to get out of the sandbox.
@Suite struct InspectionLimitTests {
  static let limits = LuaPluginInspector.Limits(time: .milliseconds(100), memoryBytes: 16 << 20)
  static let inspector = LuaPluginInspector(limits: limits)

  static func message(handler: String) -> String? {
    InspectionRefusalTests.violations(handler: handler, inspector: inspector)["handler"]
  }

  @Test(
    "a loop at load is stopped",
    arguments: [
      "while true do end",
      "while true do pcall(function() while true do end end) end",
      "local function f() return pcall(f) or f() end\nwhile true do f() end",
      "while true do xpcall(function() while true do end end, function() while true do end end) end",
      "local c = coroutine.wrap(function() while true do coroutine.yield() end end)\nwhile true do c() end",
      "coroutine.wrap(function() while true do end end)()",
      "while true do pcall(error) end",
      "for i = 1, math.huge do pcall(string.rep, 'x', 1000000) end",
      "repeat until false",
      "table.sort({ 3, 2, 1, 5, 4 }, function() while true do end end)",
      "local t = {} for i = 1, 1e9 do t[i % 100] = tostring(i) end",
    ])
  func endless(handler: String) {
    let clock = ContinuousClock()
    let start = clock.now
    let message = Self.message(handler: handler)
    #expect(message?.hasPrefix("the chunk did not end within 100 ms") == true, "\(message ?? "accepted")")
    #expect(clock.now - start < .seconds(10))
  }

  @Test("the message names the line of the loop")
  func lineOfLoop() {
    #expect(
      Self.message(handler: "local x = 1\nwhile x do end")
        == "the chunk did not end within 100 ms (it was stopped in line 2); code outside of functions runs when the "
        + "plugin is loaded and must come to an end")
  }

  @Test(
    "memory is bounded",
    arguments: [
      "local t = {} for i = 1, 1e8 do t[i] = { i } end",
      "local s = 'x' while true do s = s .. s end",
      "local t = table.new(100000000, 0)",
    ])
  func memory(handler: String) {
    // With time enough to come to the limit of memory.
    let inspector = LuaPluginInspector(limits: .init(time: .seconds(30), memoryBytes: 16 << 20))
    let message = InspectionRefusalTests.violations(handler: handler, inspector: inspector)["handler"]
    #expect(message == "the chunk needs more than 16 MiB of memory while it is loaded")
  }

  @Test(
    "work inside of one function of the library is bounded too",
    arguments: [
      ("local s = ('x'):rep(1e9)", "error in line 1: resulting string too large"),
      (
        "local s = ('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30) .. 'b')",
        "the chunk did not end within 100 ms (it was stopped in line 1)"
      ),
      (
        "\nlocal s = ('x'):rep(100000):match('.-.-b')", "the chunk did not end within 100 ms (it was stopped in line 2)"
      ),
    ])
  func library(handler: String, message: String) {
    // Without the bound of steps, which ends a pattern before the clock does on a fast machine.
    var limits = Self.limits
    limits.quota.patternSteps = 0
    let inspector = LuaPluginInspector(limits: limits)
    let found = InspectionRefusalTests.violations(handler: handler, inspector: inspector)["handler"]
    #expect(found?.contains(message) == true, "\(found ?? "accepted")")
  }

  @Test("deep recursion ends in an error, not in a crash")
  func recursion() {
    #expect(Self.message(handler: "local function f() return 1 + f() end f()")?.contains("stack overflow") == true)
    let callbacks = "local function f(s) return (s:gsub('.', f)) end f('x')"
    #expect(Self.message(handler: callbacks)?.contains("overflow") == true)
    let sorting = "local function f() table.sort({ 1, 2 }, f) end f()"
    #expect(Self.message(handler: sorting)?.contains("overflow") == true)
    let nested = "local f f = function() return coroutine.wrap(f)() end f()"
    #expect(Self.message(handler: nested)?.contains("too many coroutines") == true)
    let source = "return " + String(repeating: "{", count: 100_000)
    #expect(Self.message(handler: source) == "syntax error in line 1: chunk has too many syntax levels")
  }

  @Test(
    "nothing leads out of the sandbox",
    arguments: [
      "debug", "package", "load", "loadstring", "dofile", "loadfile", "getfenv", "setfenv", "getmetatable", "rawset",
      "rawget", "newproxy", "module", "collectgarbage", "os.execute", "os.exit", "os.getenv", "os.remove", "io.open",
      "io.popen", "string.dump", "jit.on", "math.randomseed", "ngx.timer", "ngx.shared", "ngx.socket", "kong.db",
      "kong.cache", "kong.vault", "('').dump",
    ])
  func escape(expression: String) {
    let handler = "assert(\(expression) == nil)\n" + InspectionRefusalTests.goodHandler
    #expect(Self.message(handler: handler) == nil)
  }

  @Test("running out of memory at any point is an answer, not a crash")
  func everyMemoryLimit() {
    var limits = Self.limits
    var answers: Set<String> = []
    for bytes in stride(from: 0, to: 2 << 20, by: 24_000) {
      limits.memoryBytes = bytes
      let inspection = ChunkInspection(chunk: .schema, environment: .schema, plugin: "probe", limits: limits)
      do throws(ChunkInspection.Refusal) {
        _ = try inspection.evaluate(InspectionRefusalTests.goodSchema)
        answers.insert("accepted")
      } catch {
        answers.insert(String(error.message.prefix(30)))
      }
    }
    #expect(answers == ["accepted", "the chunk needs more than 0 Mi", "the chunk could not be inspect"])
  }

  @Test(
    "tables with odd keys and values are answered, not crashed on",
    arguments: [
      "return { [-2^63] = 1, name = 'probe', fields = { [-2^63] = {} } }",
      "return { name = 'probe', fields = { [2^53] = {} } }",
      "return { name = 'probe', fields = { { config = { type = 'record', fields = {}, [1.5] = 2, [true] = 3 } } } }",
      "return { name = 'probe', fields = { { config = { type = 'record', fields = { { a = { type = 'integer', "
        + "between = { -1/0, 1/0 }, default = 2^63, len_min = 2^62, gt = 0/0 } } } } } } }",
      "return { name = 'probe', fields = coroutine.create(print) }",
      "local t = {} for i = 1, 99999 do t[i] = {} end return { name = 'probe', fields = t }",
    ])
  func oddTables(schema: String) {
    #expect(InspectionRefusalTests.violations(schema: schema)["schema"] != nil)
  }

  @Test("two inspections share nothing")
  func isolation() {
    let writer = "leak = 1\n" + InspectionRefusalTests.goodHandler
    let reader = "assert(leak == nil)\n" + InspectionRefusalTests.goodHandler
    #expect(Self.message(handler: writer) == nil)
    #expect(Self.message(handler: reader) == nil)
  }

  @Test("many threads can inspect at once")
  func concurrency() async {
    let results = await withTaskGroup(of: String?.self) { group in
      for index in 0..<32 {
        group.addTask {
          Self.message(handler: "local number = \(index)\n" + InspectionRefusalTests.goodHandler)
        }
      }
      return await group.reduce(into: [String?]()) { $0.append($1) }
    }
    #expect(results.count == 32)
    #expect(results.allSatisfy { $0 == nil })
  }
}
