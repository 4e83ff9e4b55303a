import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  /// `sluice plugin check` and `sluice plugin run`.
  @Suite struct PluginWorkbenchTests {
    private static let schema = """
      return {
        name = "greeter",
        fields = {
          { config = { type = "record", fields = {
            { greeting = { type = "string", required = true, len_min = 2 } },
            { times = { type = "integer", default = 1 } },
          } } },
        },
      }
      """
    private static let handler = """
      local Handler = { PRIORITY = 800, VERSION = "1.2.0" }
      function Handler:access(conf)
        kong.service.request.set_header("X-Greeting", conf.greeting:rep(conf.times))
        kong.log.warn("greeted ", kong.request.get_header("x-name"))
      end
      function Handler:header_filter(conf)
        kong.response.set_header("X-Seen", "yes")
      end
      return Handler
      """

    private func run(_ arguments: [String], handler: String = handler, schema: String = schema) throws -> Program {
      let folder = try LiveGateway.makePrefix()
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try handler.write(toFile: folder + "/handler.lua", atomically: true, encoding: .utf8)
      try schema.write(toFile: folder + "/schema.lua", atomically: true, encoding: .utf8)
      return try Program.run(
        ["plugin", arguments[0], folder + "/handler.lua", folder + "/schema.lua"] + arguments.dropFirst())
    }

    @Test("check tells priority, version, phases and fields of a good plugin, and fills its configuration")
    func good() throws {
      let program = try run(["check", "--config", #"{"greeting":"hi"}"#])
      try program.requireSuccess()
      for text in [
        "plugin greeter", "priority  800", "version   1.2.0", "phases    access, header_filter",
        "greeting: string (required)", "times: integer (default 1)", #"{"greeting":"hi","times":1}"#,
        "the control plane would take it",
      ] {
        #expect(program.output.contains(text), "\(program.output)")
      }
    }

    @Test("check refuses what the control plane refuses, in its words, with status 1")
    func bad() throws {
      let noVersion = try run(["check"], handler: "return { PRIORITY = 1, acess = function() end }")
      #expect(noVersion.status == 1)
      #expect(noVersion.errors.contains("handler: VERSION is missing"))
      #expect(noVersion.errors.contains("'acess' is not a phase; did you mean 'access'?"))
      let loop = try run(["check"], handler: "while true do end")
      #expect(loop.errors.contains("the chunk did not end within 500 ms (it was stopped in line 1)"))
      let field = try run(["check"], schema: Self.schema.replacing("\"string\"", with: "\"text\""))
      #expect(field.status == 1 && field.errors.contains("schema: "))
      let configuration = try run(["check", "--config", #"{"greeting":"x"}"#])
      #expect(configuration.errors.contains("greeting") && configuration.errors.contains("length must be at least 2"))
      let name = try run(["check", "--name", "key-auth"])
      #expect(name.status == 1 && name.errors.contains("name: "))
    }

    @Test("run prints the phases, the calls, what the upstream and the client got")
    func once() throws {
      let program = try run([
        "run", "--config", #"{"greeting":"hi","times":2}"#, "--request", "POST /path?a=1", "-H", "X-Name: Ann",
        "--body",
        "text", "--upstream-status", "201", "--upstream-body", "made",
      ])
      try program.requireSuccess()
      let lines = program.output.split(separator: "\n").map(String.init)
      #expect(lines.first == "plugin greeter, version 1.2.0, priority 800")
      #expect(lines.contains("  access") && lines.contains("  header_filter"))
      #expect(lines.contains("    kong.service.request.set_header(\"X-Greeting\", \"hihi\")"), "\(program.output)")
      #expect(lines.contains("    kong.request.get_header(\"x-name\") → \"Ann\""))
      #expect(lines.contains { $0.hasPrefix("    finished after ") && $0.contains("µs of CPU time") })
      #expect(lines.contains("  POST /path?a=1"))
      #expect(lines.contains { $0.lowercased() == "  x-greeting: hihi" })
      #expect(lines.contains("  201"))
      #expect(lines.contains { $0.lowercased() == "  x-seen: yes" })
      #expect(lines.last == "  made")
    }

    @Test("run shows a plugin that is ended by its limit, and the answer that the client gets")
    func limit() throws {
      let program = try run(
        ["run", "--config", #"{"greeting":"hi"}"#],
        handler: "return { PRIORITY = 1, VERSION = '1.0', access = function()\nwhile true do end end }")
      #expect(program.output.contains("failed after"))
      #expect(program.output.contains("  500"))
      #expect(program.errors.contains("greeter/handler.lua:2: CPU time limit of 50 ms exceeded (version 1.0)"))
    }
  }

  /// Limits of a live gateway.
  @Suite struct PluginLimitTests {
    @Test("a bomb gets 500, is logged and counted, and the other requests of its loop go on")
    func bomb() async throws {
      let gateway = try LiveGateway([
        "custom_plugin_streaming_enabled": "on", "nginx_worker_processes": "1",
        "lua_quota_overrides": "patient cpu_time=5s, scorer trusted", "status_listen": "127.0.0.1:0",
      ])
      let admin = gateway.admin
      for (name, path, body) in [
        ("bomb", "/bomb", "while true do pcall(function() while true do end end) end"),
        ("calm", "/calm", "return kong.response.exit(200, 'calm')"),
        ("patient", "/patient", "for i = 1, 2e7 do local x = i * 2 end return kong.response.exit(200, 'done')"),
        ("scorer", "/scorer", "return kong.response.exit(200, 'scored')"),
      ] {
        let route = try admin.send(
          "POST", "/routes", json: ["name": .string(name), "paths": [.string(path)], "protocols": ["http"]])
        try #require(route.status == 201, "\(route.text)")
        let definition = try admin.send(
          "POST", "/custom-plugins",
          json: [
            "name": .string(name),
            "schema": .string(
              "return { name = '\(name)', fields = { { config = { type = 'record', fields = {} } } } }"),
            "handler": .string(
              "return { PRIORITY = 1, VERSION = '3.1.0', access = function()\n\(body)\nend }"),
          ])
        try #require(definition.status == 201, "\(definition.text)")
        let instance = try admin.send(
          "POST", "/plugins", json: ["name": .string(name), "route": ["name": .string(name)]])
        try #require(instance.status == 201, "\(instance.text)")
      }
      #expect(await eventually { try gateway.proxy.get("/scorer").text == "scored" })

      #expect(try gateway.proxy.get("/bomb").status == 500)
      #expect(try gateway.proxy.get("/calm").text == "calm")
      #expect(try gateway.proxy.get("/bomb").status == 500)
      #expect(try gateway.proxy.get("/patient").text == "done")
      let metrics = try admin.get("/metrics").text
      #expect(
        metrics.contains(
          "sluice_lua_limit_exceeded_total{plugin=\"bomb\",version=\"3.1.0\",phase=\"access\",limit=\"cpu_time\"} 2"),
        "\(metrics)")
      #expect(metrics.contains("sluice_lua_plugin_trusted{plugin=\"scorer\"} 1"))
      #expect(metrics.contains("kong_nginx_requests_total{"))
      let available = try admin.get("/").json["plugins"]?["available_on_server"]
      #expect(available?["scorer"]?["trusted"] == true)
      #expect(available?["bomb"]?["trusted"] == nil)
      let log = try String(contentsOfFile: gateway.prefix + "/logs/error.log", encoding: .utf8)
      #expect(
        log.contains("[bomb] failed in access: bomb/handler.lua:2: CPU time limit of 50 ms exceeded (version 3.1.0)"))
      #expect(log.contains("the plugin 'scorer' is trusted"))
    }
  }
}
