import EntityModel
import PluginKit
import Testing

@testable import LuaRuntime

/// Ways out of the sandbox, each tried. An attempt answers "closed" when the door is shut.
@Suite struct EscapeTests {
  private static func attempt(_ body: String, _ sandbox: SandboxMode) throws -> [String] {
    try LuaFixture(sandbox: sandbox).answers(
      """
      local function closed(f, ...)
        local ok, value = pcall(f, ...)
        if not ok or value == nil or value == false then return "closed" end
        return "open: " .. tostring(value)
      end
      answer((function() \(body) end)())
      """)
  }

  static let attempts: [(door: String, body: String)] = [
    // Bytecode.
    ("string.dump", "return closed(function() return string.dump(function() end) end)"),
    ("string.dump through a method", "return closed(function() return (''):dump() end)"),
    ("loading bytecode", "return closed(function() return load('\\27LJ\\2') end)"),
    ("loadstring", "return closed(function() return loadstring('return 1') end)"),
    ("load through _G", "return closed(function() return _G.load or _G['loadstring'] or _G.dofile or _G.loadfile end)"),
    // Environments.
    ("getfenv", "return closed(function() return getfenv(0) end)"),
    ("getfenv of a function", "return closed(function() return getfenv(print) end)"),
    ("setfenv", "return closed(function() return setfenv(1, {}) end)"),
    ("the globals of the host", "return closed(function() return _G._G ~= _G end)"),
    ("a global library that is not copied", "return closed(function() return package or debug or _G.arg end)"),
    // debug.
    ("debug.getregistry", "return closed(function() return debug.getregistry() end)"),
    ("debug by require", "return closed(require, 'debug')"),
    ("debug.getupvalue", "return closed(function() return debug.getupvalue(kong.log, 1) end)"),
    // Metatables.
    ("getmetatable of a string", "return closed(function() return getmetatable('') end)"),
    ("setmetatable", "return closed(function() return setmetatable({}, {}) end)"),
    ("the index of the string metatable", "return closed(function() return (''). __index end)"),
    ("writing a string method", "return closed(function() (''). x = 1 return true end)"),
    ("rawset on a view", "return closed(function() return rawset(string, 'x', 1) end)"),
    ("rawget on a view", "return closed(function() return rawget(kong, 'x') end)"),
    (
      "table.insert into a view",
      "pcall(table.insert, string, 'x') return string[1] == 'x' and closed(error) and "
        + "require('kong.tools.string') and string[1] == nil and 'open' or 'closed'"
    ),
    (
      "table.clear of a view",
      "pcall(table.clear, string) pcall(table.clear, kong) return string.rep and kong.log and 'closed'"
    ),
    ("next through a view", "for name in pairs(string) do if name == 'rep' then return 'open' end end return 'closed'"),
    ("next over a view's real table", "return closed(next, kong)"),
    (
      "table.foreach over a view",
      "local n = 0 table.foreach(kong, function() n = n + 1 end) return n == 0 and 'closed'"
    ),
    ("table.clone of a view", "local c = table.clone(string) c.rep = nil return string.rep and 'closed'"),
    (
      "table.move into a view",
      "pcall(table.move, {1}, 1, 1, 1, kong) return rawequal == nil and kong[1] ~= 2 and 'closed'"
    ),
    ("the metatable of a view by tostring", "return closed(function() return kong.__index or string.__metatable end)"),
    // FFI, raw memory.
    ("ffi", "return closed(require, 'ffi')"),
    (
      "string.buffer",
      "local ok, b = pcall(require, 'string.buffer') if not ok then return 'closed' end "
        + "local one = b.new() return closed(function() return one.ref or one.reserve or one.commit end)"
    ),
    ("jit.util", "return closed(require, 'jit.util')"),
    ("jit.opt", "return closed(require, 'jit.opt')"),
    (
      "jit.on",
      "return closed(function() return jit.on or jit.off or jit.flush or jit.opt or jit.attach or jit.util end)"
    ),
    ("newproxy", "return closed(function() return newproxy(true) end)"),
    ("userdata's metatable", "return closed(function() return ngx.null.x end)"),
    // Files, processes, the environment.
    ("io.open", "return closed(function() return io.open('/etc/passwd') end)"),
    ("io.popen", "return closed(function() return io.popen('id') end)"),
    ("io.stdout", "return closed(function() return io.stdout or io.stderr or io.lines or io.output end)"),
    ("os.execute", "return closed(function() return os.execute('true') end)"),
    ("os.getenv", "return closed(function() return os.getenv('PATH') end)"),
    (
      "os.remove",
      "return closed(function() return os.remove or os.rename or os.tmpname or os.exit or os.setlocale end)"
    ),
    ("collectgarbage", "return closed(function() return collectgarbage('count') end)"),
    // require.
    ("package.loaded", "return closed(function() return package.loaded.ffi end)"),
    ("require of a path", "return closed(require, '../../etc/passwd')"),
    ("require of a host module", "return closed(require, 'kong.db') == 'closed' and closed(require, 'lfs')"),
    ("require with a table", "return closed(require, {})"),
    (
      "require of io",
      "return closed(require, 'io') == 'closed' and closed(require, 'os') == 'closed' and "
        + "closed(require, '_G') == 'closed' and closed(require, 'package')"
    ),
    ("a module written to", "return closed(function() require('cjson').encode = 1 return true end)"),
    // The rest of the host.
    ("the database", "return closed(function() return kong.db and kong.db.consumers and kong.db.consumers.select end)"),
    ("secrets of the settings", "return kong.configuration.pg_password == '******' and 'closed'"),
    ("writing the settings", "return closed(function() kong.configuration.prefix = 'x' return true end)"),
    ("timers", "return closed(function() return ngx.timer.at end)"),
    ("shared memory", "return closed(function() return ngx.shared.kong end)"),
    ("a raw request socket", "return closed(function() return ngx.req.socket() end)"),
    (
      "coroutine.wrap over a function of the host",
      "return closed(function() return coroutine.wrap(kong.db or error)() end)"
    ),
    (
      "an error object of the host",
      "local ok, e = pcall(kong.request.get_header) return type(e) == 'string' and 'closed'"
    ),
    (
      "xpcall's handler sees no debug",
      "local _, r = xpcall(error, function() return debug end) return closed(function() return r end)"
    ),
    ("load by gsub", "return closed(function() return (('x'):gsub('x', load)) ~= 'x' end)"),
    ("writing upvalues of the prelude", "return closed(function() xpcall = nil return _G.xpcall end)"),
  ]

  @Test("every door is shut in the strict sandbox", arguments: attempts)
  func strict(door: String, body: String) throws {
    #expect(try Self.attempt(body, .strict) == ["\"closed\""], "\(door)")
  }

  /// `ngx.req.socket` and the like aside, lax opens no door of these.
  @Test("every door is shut in the lax sandbox", arguments: attempts.filter { !["the database"].contains($0.door) })
  func lax(door: String, body: String) throws {
    #expect(try Self.attempt(body, .lax) == ["\"closed\""], "\(door)")
  }

  @Test("what one plugin does to libraries, modules and strings, no other plugin, version or instance sees")
  func isolation() throws {
    for sandbox in [SandboxMode.strict, .lax] {
      let fixture = LuaFixture(sandbox: sandbox)
      let writer = try fixture.phase(
        "access", name: "writer",
        """
        leaked = 1
        _G.print = nil
        string, table, tostring = nil, nil, nil
        kong.ctx.plugin.secret = 1
        local tools = require("kong.tools.table")
        pcall(function() tools.deep_copy = 1 end)
        local c = require("cjson")
        pcall(function() c.array_mt.__index = function() return "leak" end end)
        pcall(c.encode_max_depth, 1)
        pcall(c.encode_sparse_array, true, 1, 1)
        pcall(function() ngx.re.x = 1 end)
        ngx.ctx.mine = 1
        """)
      let context = fixture.request()
      #expect(writer.run(.access, context).name == "finished")
      let answers = try fixture.answers(
        """
        local c = require("cjson")
        answer(leaked, type(print), type(string), kong.ctx.plugin.secret, type(require("kong.tools.table").deep_copy),
          c.encode({{{1}}}), c.encode({x = {1, 2}}), c.array_mt.foo, ngx.re.x)
        """, context)
      #expect(
        answers == [
          "nil", "\"function\"", "\"table\"", "nil", "\"function\"", "\"[[[1]]]\"", "\"{\"x\":[1,2]}\"", "nil", "nil",
        ])
    }
  }

  @Test("two versions of a plugin, and a plugin of the same text under another name, share nothing")
  func versions() throws {
    let fixture = LuaFixture()
    func run(_ name: String, _ version: String) throws -> Int64? {
      let source = """
        count = (count or 0) + 1
        local own = 0
        return {PRIORITY = 1, VERSION = "\(version)", access = function()
          own = own + 1
          count = count + 1
          kong.ctx.shared.sum = own + count
        end}
        """
      let plugin = try fixture.plugin(name, source)
      let context = fixture.request()
      #expect(plugin.run(.access, context).name == "finished")
      return LuaHost.sharedValue("sum", of: context)?.integer
    }
    #expect(try run("one", "1.0") == 3)
    #expect(try run("one", "2.0") == 3)
    #expect(try run("two", "1.0") == 3)
  }

  @Test("kong.ctx.shared is shared on purpose, and what crosses there brings no more than itself")
  func crossing() throws {
    let fixture = LuaFixture()
    let context = fixture.request()
    let giver = try fixture.phase(
      "access", name: "giver", "secret = 42 kong.ctx.shared.f = function() return secret end kong.ctx.shared.t = {1}")
    giver.run(.access, context)
    let answers = try fixture.answers(
      "answer(kong.ctx.shared.f(), secret, kong.ctx.shared.t[1], setfenv)", context)
    #expect(answers == ["42", "nil", "1", "nil"])
  }

  @Test(
    "the real metatable of strings, reached by the runtime, holds no more than the methods",
    arguments: [
      "dump", "buffer", "load", "__newindex", "__gc", "format2",
    ])
  func stringMethods(name: String) throws {
    #expect(try LuaFixture().answers("answer((''). \(name))") == ["nil"])
  }

  @Test("huge ranges and odd indices are errors or nothing, not memory")
  func ranges() throws {
    for body in [
      "return closed(unpack, {}, -2^31, 2^31 - 1)", "return closed(table.concat, {}, '', 1, 2^31)",
      "return closed(table.concat, {}, '', -2^53, 2^53)", "return closed(table.unpack, {}, 1, 2^53)",
      "return closed(select, -2^53, 1)", "return closed(string.char, 2^31)",
      "return closed(table.move, {}, -2^53, 2^53, 1) and 'closed'",
    ] {
      let answers = try LuaFixture(cpuLimitMilliseconds: 20).answers(
        "local function closed(f, ...) return pcall(f, ...) and 'open' or 'closed' end answer((function() \(body) end)())"
      )
      // An index beyond 32 bits may count as another one; then there is nothing to give.
      #expect(answers.count == 1, "\(body) \(answers)")
      #expect(!answers[0].contains("memory"), "\(body) \(answers)")
    }
  }

  @Test("metamethods and finalizers that a plugin could make are out of its reach")
  func metamethods() throws {
    let answers = try LuaFixture(sandbox: .lax).answers(
      """
      local view = kong.ctx.shared
      view.__index, view.__gc, view.__tostring, view.__lt, view.__concat = error, error, error, error, error
      local ok = pcall(function() return view.missing end)
      answer(ok, pcall(function() return view < view end), pcall(function() return view .. "x" end),
        type(tostring(view)), setmetatable == nil)
      """)
    #expect(answers.first == "true")
    #expect(answers.last == "true")
    #expect(answers.filter { $0 == "false" }.count == 2)
  }

  /// Found by fuzzing: a function that takes no tables looked for the items of one in the arguments of an earlier call.
  @Test("functions that take text are given tables, functions and coroutines, first of all and after others")
  func oddArguments() throws {
    for _ in 0..<2 {
      let answers = try LuaFixture().answers(
        """
        local odd = {{}, {{"deep"}}, {a = ("x"):rep(1e5)}, print, coroutine.create(print), ngx.null, true, 0/0}
        for _, value in ipairs(odd) do
          for _, f in ipairs {ngx.escape_uri, ngx.unescape_uri, ngx.encode_base64, ngx.decode_base64, ngx.md5, ngx.crc32_short,
            ngx.quote_sql_str, ngx.sha1_bin, ngx.hmac_sha1, ngx.parse_http_time, ngx.http_time, kong.request.get_header,
            kong.request.get_query_arg, kong.response.set_header, kong.service.request.set_header, kong.log.err} do
            pcall(f, value)
            pcall(f, value, value)
          end
          pcall(kong.service.request.set_headers, {a = {("y"):rep(1e5)}})
          collect = ("z"):rep(1e6)
        end
        answer(1)
        """)
      #expect(answers == ["1"])
    }
  }
}
