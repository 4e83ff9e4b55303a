import EntityModel
import NIOCore
import PluginKit
import Testing

@testable import LuaRuntime

/// `pre-function` and `post-function`.
struct FunctionPluginTests {
  private func plugin(
    _ fixture: LuaFixture, _ config: [String: [String]], name: String = "pre-function"
  ) throws -> TestPlugin {
    let definition = try #require(LuaBundledPlugins.all(settings: fixture.settings).first { $0.name == name })
    let instance = fixture.instance(name, .object(config.mapValues { .array($0.map { .string($0) }) }))
    let executor = try definition.implementation.makeExecutor(for: instance, in: .empty)
    try executor.prepare(on: fixture.loop)
    return TestPlugin(instance: instance, executor: executor)
  }

  @Test("texts run in order; a returned function runs in place of its text from then on")
  func order() throws {
    let fixture = LuaFixture()
    let plugin = try plugin(
      fixture,
      [
        "access": [
          "kong.ctx.shared.list = { 'one' }",
          "local n = 0 return function() n = n + 1 table.insert(kong.ctx.shared.list, 'two' .. n) end",
          "local l = kong.ctx.shared.list l[#l + 1] = type(n) return 42",
        ]
      ])
    #expect(plugin.executor.phases == PhaseSet(.access))
    for round in 1...3 {
      let context = fixture.request()
      #expect(plugin.run(.access, context).name == "finished")
      #expect(LuaHost.sharedValue("list", of: context) == ["one", .string("two\(round)"), "nil"])
    }
  }

  @Test("an exit skips the texts that follow, an error ends the phase")
  func ends() throws {
    let fixture = LuaFixture()
    let exits = try plugin(fixture, ["access": ["kong.response.exit(201, 'first')", "kong.response.exit(202)"]])
    let context = fixture.request()
    #expect(exits.run(.access, context).name == "finished")
    #expect(context.earlyResponse?.status == 201)
    #expect(context.earlyResponse?.text == "first")

    let fails = try plugin(
      fixture, ["access": ["kong.ctx.shared.a = 1", "error('second')", "kong.ctx.shared.b = 1"]],
      name: "post-function")
    let other = fixture.request()
    #expect(fails.run(.access, other).name == "failed")
    #expect(LuaHost.sharedValue("a", of: other) == 1)
    #expect(LuaHost.sharedValue("b", of: other) == nil)
    #expect(
      fixture.log.all.last?.line.contains("[post-function] failed in access: [string \"error('second')\"]:1: second")
        == true)
  }

  @Test("a text that waits is gone on with, and the next one runs after it")
  func waits() throws {
    let fixture = LuaFixture()
    fixture.driver.delivers = false
    let plugin = try plugin(
      fixture,
      ["access": ["kong.ctx.shared.body = kong.request.get_raw_body()", "kong.ctx.shared.after = 'yes'"]])
    let context = fixture.request(method: .post, body: "late")
    #expect(plugin.run(.access, context).name == "suspended")
    #expect(LuaHost.sharedValue("after", of: context) == nil)
    fixture.driver.deliverBody()
    #expect(fixture.driver.outcomes.map(\.name) == ["finished"])
    #expect(LuaHost.sharedValue("body", of: context) == "late")
    #expect(LuaHost.sharedValue("after", of: context) == "yes")
  }

  @Test("globals of one text are not those of another")
  func globals() throws {
    let fixture = LuaFixture()
    let plugin = try plugin(
      fixture, ["access": ["leaked = 1 _G.other = 2", "kong.ctx.shared.seen = type(leaked) .. type(other)"]])
    let context = fixture.request()
    plugin.run(.access, context)
    #expect(LuaHost.sharedValue("seen", of: context) == "nilnil")
  }

  @Test("with untrusted_lua off nothing runs; the configuration is taken")
  func off() throws {
    let fixture = LuaFixture(sandbox: .off)
    let plugin = try plugin(fixture, ["access": ["kong.ctx.shared.a = 1"]])
    #expect(plugin.run(.access, fixture.request()).name == "failed")
    #expect(fixture.log.all.last?.line.contains("'untrusted_lua' config option is set to 'off'") == true)
  }

  @Test("what the sandbox leaves out is there with untrusted_lua on only", arguments: [SandboxMode.strict, .lax, .on])
  func sandbox(mode: SandboxMode) throws {
    let fixture = LuaFixture(sandbox: mode)
    let context = fixture.request()
    try plugin(
      fixture,
      [
        "access": [
          """
          kong.ctx.shared.types = {type(setmetatable), type(ngx.timer), type(ngx.shared), type(ngx.socket),
            type(kong.cache), type(ngx.re), tostring((pcall(require, 'ffi')))}
          """
        ]
      ]
    ).run(.access, context)
    let expected: JSONValue =
      switch mode {
      case .on: ["function", "table", "table", "table", "table", "table", "true"]
      case .lax: ["nil", "nil", "nil", "table", "table", "table", "false"]
      default: ["nil", "nil", "nil", "nil", "nil", "table", "false"]
      }
    #expect(LuaHost.sharedValue("types", of: context) == expected)
  }

  @Test("compiled code is refused when it is loaded")
  func bytecode() throws {
    let fixture = LuaFixture(sandbox: .on)
    #expect(throws: PluginCompileError.self) { try plugin(fixture, ["access": ["\u{1B}LJ\u{2}"]]) }
    #expect(LuaSyntax.problem(of: "\u{1B}LJ\u{2}") != nil)
  }

  @Test("a text that does not compile is named by its first line")
  func syntax() {
    #expect(LuaSyntax.problem(of: "return (") == "[string \"return (\"]:1: unexpected symbol near '<eof>'")
    #expect(LuaSyntax.problem(of: "return function() end") == nil)
    #expect(LuaSyntax.problem(of: "") == nil)
    #expect(LuaSyntax.problem(of: String(repeating: "(", count: 100_000)) != nil)
  }

  @Test("the descriptions forbid conditions and have Kong's priorities")
  func descriptions() {
    #expect(LuaBundledPlugins.descriptions.map(\.priority) == [1_000_000, -1000])
    #expect(LuaBundledPlugins.descriptions.allSatisfy { !$0.allowsCondition })
  }

  @Test(
    "functions for phases that do not run are refused, not taken and ignored",
    arguments: ["ws_handshake", "ws_client_frame", "ws_upstream_frame", "ws_close"])
  func absentPhases(phase: String) throws {
    let validator = EntityValidator(catalogue: PluginCatalogue(LuaBundledPlugins.descriptions), now: { 1_000_000 })
    for name in ["pre-function", "post-function"] {
      do {
        _ = try validator.validateInsert(
          ["name": .string(name), "config": [phase: ["return 1"], "access": ["return 2"]]], of: .plugins)
        Issue.record("functions for \(phase) are taken")
      } catch {
        #expect("\(error)".contains("are not supported"))
      }
    }
  }
}
