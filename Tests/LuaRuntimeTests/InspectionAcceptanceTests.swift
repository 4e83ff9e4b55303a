import EntityModel
import Foundation
import Testing

@testable import LuaRuntime

/// Good plugins, and what inspection finds in them.
@Suite struct InspectionAcceptanceTests {
  let inspector = LuaPluginInspector()

  private func example(_ name: String) throws -> (schema: String, handler: String) {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "examples/plugins/\(name)")
    return (
      try String(contentsOf: folder.appending(path: "schema.lua"), encoding: .utf8),
      try String(contentsOf: folder.appending(path: "handler.lua"), encoding: .utf8)
    )
  }

  @Test("replaceme of the guide is accepted")
  func replaceme() throws {
    let source = try example("replaceme")
    let found = try inspector.inspect(name: "replaceme", schema: source.schema, handler: source.handler)
    #expect(found.priority == 800)
    #expect(found.version == "1.0.0")
    #expect(found.phases == ["access"])
    guard case .record(let config)? = found.schema["config"]?.kind else {
      Issue.record("config is no record")
      return
    }
    #expect(config.fields.map(\.name) == ["target_word", "replacement_word"])
    #expect(config.fields.allSatisfy { $0.schema.required })
  }

  @Test("reflector of the guide is accepted")
  func reflector() throws {
    let source = try example("reflector")
    let found = try inspector.inspect(name: "reflector", schema: source.schema, handler: source.handler)
    #expect(found.priority == -10)
    #expect(found.phases == ["access"])
    #expect(found.schema["config"]?.required == true)
  }

  @Test("top-level code may keep references and read constants")
  func topLevel() throws {
    let handler = """
      local log, get_header = kong.log, kong.request.get_header
      local cjson = require "cjson.safe"
      local new_tab = require "table.new"
      local bit = require "bit"
      local info = kong.log.info
      log.info("loading ", 1)
      log("loading")
      local started = ngx.now()
      local encode = cjson.encode
      local defaults = kong.table.merge({ a = 1 }, { b = 2 })
      assert(defaults.a == 1 and defaults.b == 2)
      assert(ngx.HTTP_OK == 200 and ngx.ERR == 4 and ngx.null ~= nil)
      assert(type(kong.version) == "string")
      assert(bit.band(6, 3) == 2)
      local list = new_tab(4, 0)
      table.insert(list, "x")
      assert(#list == 1 and ("a,b"):gsub(",", ";") == "a;b" and ("ab"):rep(2, "-") == "ab-ab")
      assert(select(2, xpcall(error, function(e) return "caught " .. e end, "this")) == "caught this")
      local name = ("plugin/1.2"):match("^([^/]+)/")
      assert(name == "plugin")
      print("nothing")

      local probe = { PRIORITY = 1000, VERSION = "1.2", settings = { nested = {} } }
      function probe:rewrite(conf) end
      function probe:access(conf) return get_header("x"), encode end
      function probe:header_filter(conf) end
      function probe:body_filter(conf) end
      function probe:log(conf) info(started) end
      return probe
      """
    let found = try inspector.inspect(name: "probe", schema: InspectionRefusalTests.goodSchema, handler: handler)
    #expect(found.phases == ["rewrite", "access", "header_filter", "body_filter", "log"])
    #expect(found.priority == 1000)
    #expect(found.version == "1.2")
  }

  @Test("a handler may take its version from kong.meta")
  func versionOfKong() throws {
    let handler = """
      local meta = require "kong.meta"
      return { PRIORITY = 1, VERSION = meta.version, access = function() end }
      """
    let found = try inspector.inspect(name: "probe", schema: InspectionRefusalTests.goodSchema, handler: handler)
    #expect(found.version == "3.15.0")
  }

  @Test("every module of the sandbox can be required, every other cannot")
  func modules() throws {
    for name in SandboxModules.strict {
      let handler = "assert(require '\(name)' ~= nil)\n" + InspectionRefusalTests.goodHandler
      _ = try inspector.inspect(name: "probe", schema: InspectionRefusalTests.goodSchema, handler: handler)
    }
    for name in ["os", "io", "ffi", "debug", "package", "jit", "kong.db.schema.typedefs", "resty.http", ""] {
      let message = InspectionRefusalTests.violations(handler: "require '\(name)'", inspector: inspector)["handler"]
      #expect(message?.hasPrefix("error in line 1: require '\(name)' not allowed within sandbox") == true)
    }
  }

  @Test("a schema is read with typedefs, overrides and checks")
  func schemaWithTypedefs() throws {
    let schema = """
      local typedefs = require "kong.db.schema.typedefs"
      local redis = require "kong.tools.redis.schema"
      local methods = {}
      for _, name in ipairs({ "GET", "POST" }) do table.insert(methods, name) end

      return {
        name = "probe",
        fields = {
          { consumer = typedefs.no_consumer },
          { protocols = typedefs.protocols_http },
          { config = {
              type = "record",
              fields = {
                { port = typedefs.port { default = 80 } },
                { host = typedefs.host { required = true } },
                { redis = redis.config_schema },
                { methods = { type = "set", elements = typedefs.http_method, default = methods } },
                { headers = { type = "map", keys = typedefs.header_name, values = { type = "string" } } },
                { queue = typedefs.queue },
                { mode = { type = "string", one_of = { "on", "off" }, default = "on" } },
              },
          } },
        },
        entity_checks = {
          { at_least_one_of = { "config.port", "config.headers" } },
        },
      }
      """
    let found = try inspector.inspect(name: "probe", schema: schema, handler: InspectionRefusalTests.goodHandler)
    #expect(found.schema.fields.map(\.name) == ["consumer", "protocols", "config"])
    guard case .foreign("consumers")? = found.schema["consumer"]?.kind,
      case .record(let config)? = found.schema["config"]?.kind
    else {
      Issue.record("the fields have other types")
      return
    }
    #expect(config["port"]?.defaultValue == 80)
    #expect(config["host"]?.required == true)
    #expect(config["methods"]?.defaultValue == ["GET", "POST"])
    #expect(config["redis"]?.required == true)
    guard case .custom("host", let check)? = config["host"]?.checks.first else {
      Issue.record("the check of the typedef is lost")
      return
    }
    #expect(check("example.com") == nil)
    #expect(check("exa mple.com") == "invalid value: exa mple.com")
    #expect(found.schema.entityChecks.count == 1)
  }

  @Test("every typedef survives its way through Lua and back")
  func everyTypedef() throws {
    for name in Typedefs.names {
      let schema = """
        local typedefs = require "kong.db.schema.typedefs"
        return { name = "probe", fields = { { config = { type = "record", fields = {
          { value = typedefs["\(name)"] },
          { copied = typedefs["\(name)"] { description = "another description" } },
        } } } } }
        """
      let found = try inspector.inspect(name: "probe", schema: schema, handler: InspectionRefusalTests.goodHandler)
      guard case .record(let config)? = found.schema["config"]?.kind, let value = config["value"],
        let original = Typedefs[name]
      else {
        Issue.record("\(name) is lost")
        continue
      }
      #expect(value.checks.count == original.checks.count, "\(name)")
      #expect(value.defaultValue == original.defaultValue, "\(name)")
      #expect(config["copied"]?.description == "another description")
    }
  }

  @Test("an outcome is remembered, a refusal too")
  func cached() throws {
    let first = InspectionRefusalTests.violations(handler: "return 1", inspector: inspector)
    let second = InspectionRefusalTests.violations(handler: "return 1", inspector: inspector)
    #expect(first == second)
    let clock = ContinuousClock()
    let slow = "for i = 1, 3e6 do end\n" + InspectionRefusalTests.goodHandler
    let fresh = try clock.measure {
      _ = try inspector.inspect(name: "probe", schema: InspectionRefusalTests.goodSchema, handler: slow)
    }
    let known = try clock.measure {
      _ = try inspector.inspect(name: "probe", schema: InspectionRefusalTests.goodSchema, handler: slow)
    }
    #expect(known < fresh)
  }
}
