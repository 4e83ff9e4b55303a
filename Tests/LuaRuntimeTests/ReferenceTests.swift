import PluginKit
import Testing

@testable import LuaRuntime

/// The declarations against what plugins really see.
struct ReferenceTests {
  @Test("every module that is declared can be required, and no other", arguments: [SandboxMode.strict, .lax])
  func modules(mode: SandboxMode) throws {
    let names = mode == .lax ? LuaModules.strict + LuaModules.lax : LuaModules.strict
    let code = names.map { "assert(require '\($0)' ~= nil)" }.joined(separator: "\n")
    #expect(try LuaFixture(sandbox: mode).answers(code + "\nanswer('all')") == ["\"all\""])
    if mode == .strict {
      #expect(
        try LuaFixture().answers("answer(select(2, pcall(require, 'resty.http')))")[0].contains("untrusted_lua = lax"))
    }
    #expect(
      try LuaFixture(sandbox: mode).answers("answer(select(2, pcall(require, 'resty.openssl.bn')))")[0].contains(
        "this part of resty.openssl is not available"))
  }

  @Test("every declared function exists from its mode on", arguments: [SandboxMode.strict, .lax, .on])
  func functions(mode: SandboxMode) throws {
    let levels: Set<PDKFunction.Level> =
      switch mode {
      case .strict: [.strict]
      case .lax: [.strict, .lax]
      default: [.strict, .lax, .on]
      }
    let expected = PDKNamespaces.all.map { ($0.name, $0.level) } + PDKNamespaces.prelude.map { ($0.name, $0.level) }
    var code = "local missing = {}\n"
    for (name, level) in expected where level != .internal {
      let path = name.split(separator: ".").map { "[\"\($0)\"]" }.joined()
      let test = levels.contains(level) ? "not get()" : "get()"
      code += "do local function get() local ok, f = pcall(function() return _G\(path) end) return ok and f end "
      code += "if \(test) then missing[#missing + 1] = \"\(name)\" end end\n"
    }
    #expect(try LuaFixture(sandbox: mode).answers(code + "answer(missing)") == ["{}"])
  }

  @Test("the mode sandbox gives what the operator lists")
  func sandboxMode() throws {
    let fixture = LuaFixture(sandbox: .sandbox)
    fixture.settings.sandboxModules = ["cjson"]
    fixture.settings.sandboxGlobals = ["setmetatable", "os.getenv"]
    #expect(
      try fixture.answers(
        """
        string.extra = 1
        answer(type(setmetatable), type(os.getenv), type(os.execute), type(require("cjson").encode),
          (pcall(require, "bit")), type(ngx.timer), type(getmetatable), string.extra)
        """) == [
          "\"function\"", "\"function\"", "\"nil\"", "\"table\"".replacing("table", with: "function"), "false",
          "\"table\"",
          "\"nil\"", "1",
        ])
    #expect(try LuaFixture().answers("answer(string.extra)") == ["nil"])
  }

  @Test("further modules do what their names say")
  func libraries() throws {
    #expect(
      try LuaFixture().answers(
        """
        local lru = require("resty.lrucache").new(2)
        lru:set("a", 1) lru:set("b", 2) lru:get("a") lru:set("c", 3)
        local url = require("socket.url")
        local u = url.parse("https://u:p@host:8443/a/b?x=1#f")
        local b = require("string.buffer").new()
        b:put("a", 1):putf("%d", 2)
        local ip = require("resty.ipmatcher").new({"10.0.0.0/8", "::1"})
        local gzip = require("kong.tools.gzip")
        answer(lru:get("a"), lru:get("b"), lru:get("c"), u.host, u.port, u.user, url.build(u), b:get(2), tostring(b),
          ip:match("10.1.2.3"), ip:match("11.0.0.1"), gzip.inflate_gzip((gzip.deflate_gzip("text"))),
          (gzip.inflate_gzip("none")), require("version").compare("1.10", "1.9"), (pcall(b.reserve, b, 1)),
          require("kong.tools.mime_type").parse_mime_type("text/html; charset=utf-8"))
        """) == [
          "1", "nil", "3", "\"host\"", "\"8443\"", "\"u\"", "\"https://u:p@host:8443/a/b?x=1#f\"", "\"a1\"", "\"2\"",
          "true",
          "false", "\"text\"", "nil", "1", "false", "\"text\"", "\"html\"", "{charset=\"utf-8\"}",
        ])
  }
}
