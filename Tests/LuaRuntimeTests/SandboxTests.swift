import EntityModel
import PluginKit
import Testing

@testable import LuaRuntime

struct SandboxTests {
  @Test("what reaches outside of the sandbox is missing")
  func missing() throws {
    let names = [
      "setmetatable", "getmetatable", "rawset", "rawget", "setfenv", "getfenv", "load", "loadstring", "dofile",
      "loadfile", "collectgarbage", "debug", "package", "newproxy", "os.execute", "os.getenv", "os.exit", "io.open",
      "string.dump", "math.randomseed", "jit.on", "ngx.timer", "ngx.socket", "ngx.shared", "kong.db", "kong.cache",
      "kong.service.set_target",
    ]
    let answers = try LuaFixture().answers("answer(\(names.joined(separator: ", ")))")
    #expect(answers == names.map { _ in "nil" })
  }

  @Test("provided tables cannot be changed")
  func readOnly() throws {
    for (code, path) in [
      ("string.x = 1", "string.x"), ("kong.y = 1", "kong.y"), ("kong.request.get_path = 1", "kong.request.get_path"),
      ("ngx.say = 1", "ngx.say"), ("ngx.req.z = 1", "ngx.req.z"), ("require('cjson').encode = 1", "cjson.encode"),
      ("kong.log.err = 1", "kong.log.err"), ("kong.ctx.shared = 1", "kong.ctx.shared"),
    ] {
      let answers = try LuaFixture().answers("answer(try(function() \(code) end))")
      #expect(answers.first == "\"error: Cannot modify \(path). Protected by the sandbox.\"", "\(answers)")
    }
    let answers = try LuaFixture().answers(
      "answer(try(function() kong.configuration.a = 1 end), kong.configuration.pg_password)")
    #expect(answers == ["\"error: cannot write to configuration\"", "\"******\""])
  }

  @Test("string methods work and cannot be changed")
  func stringMethods() throws {
    let answers = try LuaFixture().answers(
      "answer(('x'):rep(3), (try(function() ('').y = 1 end):find('attempt to index')) ~= nil, ('').dump)")
    #expect(answers == ["\"xxx\"", "true", "nil"])
  }

  @Test("one plugin does not see the globals of another, nor what it put into library tables")
  func separate() throws {
    let fixture = LuaFixture()
    let writer = try fixture.phase("access", name: "writer", "secret = 1 _G.other = 2 table.insert(string, 'left')")
    let context = fixture.request()
    #expect(writer.run(.access, context).name == "finished")
    let answers = try fixture.answers("answer(secret, other, _G == _G._G, string[1])", context)
    #expect(answers == ["nil", "nil", "true", "nil"])
  }

  @Test("only allowed modules may be required")
  func modules() throws {
    let answers = try LuaFixture().answers(
      """
      local t = require("kong.tools.string")
      answer(try(require, "ffi"), try(require, "package"), require("bit").band(6, 3),
        require("cjson") == require("cjson"), t.strip("  a "), t.split("a,b", ","),
        require("kong.tools.uuid").is_valid_uuid(require("kong.tools.uuid").uuid()),
        require("resty.string").to_hex(require("resty.sha256").new and "ab"))
      """)
    #expect(
      answers == [
        "\"error: require 'ffi' not allowed within sandbox\"",
        "\"error: require 'package' not allowed within sandbox\"", "2", "true", "\"a\"", "{1=\"a\", 2=\"b\"}",
        "true", "\"6162\"",
      ])
  }

  @Test("a huge string is refused and the state goes on")
  func memory() throws {
    let fixture = LuaFixture(cpuLimitMilliseconds: 10_000)
    #expect(try fixture.answers("answer(try(string.rep, 'x', 1e9))") == ["\"error: resulting string too large\""])
    #expect(try fixture.answers("local t = {} for i = 1, 1e8 do t[i] = {} end")[0].contains("not enough memory"))
    #expect(try fixture.answers("answer(1)") == ["1"])
    #expect(fixture.host.map { $0.memoryUsed < 64 << 20 } == true)
  }

  @Test(
    "runaway code is stopped and cannot catch it",
    arguments: [
      "while true do end", "while true do pcall(function() while true do end end) end",
      "xpcall(function() while true do end end, function() while true do end end)",
      "local co = coroutine.wrap(function() while true do end end) pcall(co) pcall(co) while true do end",
      "table.sort({3, 2, 1}, function() while true do end end)", "local function f() return f() end f()",
      "for i = 1, 1e12 do local x = i * 2 end",
    ])
  func runaway(_ code: String) throws {
    let fixture = LuaFixture(cpuLimitMilliseconds: 20)
    let plugin = try fixture.phase("access", name: "runaway", code)
    #expect(plugin.run(.access, fixture.request()).name == "failed")
    #expect(fixture.log.all.last?.line.contains("CPU time limit of 20 ms exceeded") == true)
    #expect(try fixture.answers("answer(1)") == ["1"])
  }

  @Test("the bridge's JSON keeps arrays, nulls and escapes, and names what it cannot encode")
  func json() throws {
    let answers = try LuaFixture().answers(
      #"""
      local c, s = require("cjson"), require("cjson.safe")
      answer(c.encode({1, nil, 3}), c.encode({}), c.encode({a = "x\n\"é/"}), c.encode(c.empty_array), c.encode(c.null),
        c.decode('{"a":[1,2,{"b":null}],"c":"\\u00e9\\ud83d\\ude00","d":-1.5e2}'), try(c.encode, {f = print}),
        s.decode("{"), (select(2, s.decode("[1,]"))), try(c.encode, 0/0))
      """#)
    #expect(
      answers == [
        "\"[1,null,3]\"", "\"{}\"", "\"{\"a\":\"x\\n\\\"é/\"}\"", "\"[]\"", "\"null\"",
        "{a={1=1, 2=2, 3={b=null}}, c=\"é😀\", d=-150}",
        "\"error: Cannot serialise function: type not supported\"", "nil",
        "\"Expected value but found T_ARR_END at character 4\"",
        "\"error: Cannot serialise number: must not be NaN or Infinity\"",
      ])
  }
}
