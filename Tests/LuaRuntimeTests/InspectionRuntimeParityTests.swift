import EntityModel
import Foundation
import PluginKit
import Testing

@testable import LuaRuntime

/// What inspection lets through must load where it runs.
@Suite struct InspectionRuntimeParityTests {
  private func load(_ source: String) -> String? {
    let loop = LoopServices(index: 0, node: NodeInfo(id: "3a5b9f0e-7f6e-4c1d-9b6a-0a8f5d2c1e4b", hostname: "node"))
    do throws(PluginCompileError) {
      let host = try LuaHost.host(on: loop, settings: LuaSettings())
      let plugin = LuaPlugin(
        name: "probe", version: "1.0.0", source: source, phases: PhaseSet(.access), settings: host.settings)
      // The handler lives as long as somebody holds it.
      _ = try host.handler(for: plugin)
      return nil
    } catch {
      return error.reason
    }
  }

  @Test("every module that inspection allows is there at run time")
  func modules() {
    let requires = SandboxModules.strict.map { "assert(require '\($0)' ~= nil)" }.joined(separator: "\n")
    #expect(load(requires + "\n" + InspectionRefusalTests.goodHandler) == nil)
  }

  @Test("the library is the same in both places")
  func library() {
    let expressions = [
      "table.clear", "table.clone", "table.isarray", "table.isempty", "table.new", "table.nkeys", "table.pack",
      "table.unpack", "table.move", "table.foreach", "string.rep", "string.gmatch", "math.random", "os.date", "io.type",
      "jit.version", "bit.band", "coroutine.wrap", "xpcall", "unpack", "_G", "_VERSION", "kong.log.err", "ngx.now",
      "kong.table.merge", "kong.version", "kong.version_num", "ngx.null", "ngx.HTTP_OK", "ngx.ERR",
    ]
    let handler =
      expressions.map { "assert(\($0) ~= nil, '\($0)')" }.joined(separator: "\n") + "\n"
      + InspectionRefusalTests.goodHandler
    #expect(load(handler) == nil)
    #expect(InspectionRefusalTests.violations(handler: handler) == [:])
  }

  @Test("the examples load", arguments: ["replaceme", "reflector"])
  func examples(name: String) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "examples/plugins/\(name)/handler.lua")
    #expect(load(try String(contentsOf: file, encoding: .utf8)) == nil)
  }
}
