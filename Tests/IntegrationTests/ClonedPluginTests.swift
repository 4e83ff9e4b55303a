import EntityModel
import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  /// Cloned plugins through a live gateway.
  @Suite struct ClonedPluginTests {
    private func header(_ name: String, _ value: String) -> JSONValue {
      ["add": ["headers": [.string("\(name):\(value)")]]]
    }

    @Test("the guide: a clone adds its header everywhere, its source on one route, on a data plane")
    func guide() async throws {
      let upstream = try await EchoingGateway.echo()
      let cluster = try Cluster()
      let admin = cluster.controlPlane.admin
      try admin.make("/services", ["name": "echo", "url": .string("http://127.0.0.1:\(upstream.port)")])
      try admin.make("/services/echo/routes", ["name": "one", "paths": ["/one"], "protocols": ["http"]])
      try admin.make("/services/echo/routes", ["name": "two", "paths": ["/two"], "protocols": ["http"]])
      let name = "acme-request-transformer-global"
      let clone = try admin.make(
        "/cloned-plugins", ["name": .string(name), "ref": "request-transformer", "priority": 802])
      #expect(clone["priority"] == 802)
      #expect(try admin.get("/schemas/plugins/\(name)").status == 200)
      try admin.make("/plugins", ["name": .string(name), "config": header("X-Global-Header", "isSetGlobally")])
      try admin.make(
        "/routes/one/plugins", ["name": "request-transformer", "config": header("X-Route-Header", "isSetOnRoute")])

      let proxy = cluster.dataPlane.proxy
      #expect(await eventually { try proxy.get("/one").text.contains("X-Route-Header: isSetOnRoute") })
      #expect(try proxy.get("/one").text.contains("X-Global-Header: isSetGlobally"))
      let other = try proxy.get("/two")
      #expect(other.status == 200 && other.text.contains("X-Global-Header: isSetGlobally"))
      #expect(!other.text.contains("X-Route-Header"))
      let enabled = try admin.get("/plugins/enabled").json["enabled_plugins"]?.array ?? []
      #expect(enabled.contains(.string(name)))
      #expect(try admin.get("/").json["plugins"]?["available_on_server"]?[name]?["priority"] == 802)
    }

    @Test("two clones of key-auth on one route need two keys, which are the consumers' key-auth credentials")
    func twoKeys() async throws {
      let gateway = try await EchoingGateway()
      try gateway.make("/services/echo/routes", ["name": "r", "paths": ["/"], "protocols": ["http"]])
      for side in ["partner", "tenant"] {
        try gateway.make("/cloned-plugins", ["name": .string("\(side)-key"), "ref": "key-auth"])
        try gateway.make(
          "/routes/r/plugins",
          [
            "name": .string("\(side)-key"),
            "config": ["key_names": [.string("x-\(side)-key")], "realm": .string(side)],
          ])
        try gateway.makeConsumer(side)
      }
      // What was written last is there.
      let keys = [("X-Tenant-Key", "tenant"), ("X-Partner-Key", "partner")]
      #expect(await eventually { try gateway.get("/", keys).status == 200 && gateway.get("/").status == 401 })
      #expect(try gateway.get("/", [("X-Partner-Key", "partner")]).status == 401)
      // Of equal priority the greater name runs first.
      #expect(try gateway.get("/").header("WWW-Authenticate") == "Key realm=\"tenant\"")
      let partner = try gateway.get("/", [("X-Tenant-Key", "tenant"), ("X-Partner-Key", "nobody")])
      #expect(partner.status == 401 && partner.header("WWW-Authenticate") == "Key realm=\"partner\"")
      let both = try gateway.get("/", keys)
      #expect(both.status == 200 && both.text.contains("X-Consumer-Username: partner"))
      #expect(!both.text.lowercased().contains("x-tenant-key"))
    }

    @Test("five clones of ip-restriction with a scope each refuse within it alone; a sixth clone is refused")
    func fiveScopes() async throws {
      let gateway = try await EchoingGateway(["trusted_ips": "127.0.0.1", "real_ip_header": "X-Real-IP"])
      try gateway.make("/services", ["name": "other", "url": .string("http://127.0.0.1:\(gateway.upstream.port)")])
      for (service, route) in [("echo", "plain"), ("echo", "marked"), ("other", "far")] {
        try gateway.make(
          "/services/\(service)/routes",
          ["name": .string(route), "paths": [.string("/\(route)")], "protocols": ["http"]])
      }
      try gateway.make("/plugins", ["name": "key-auth", "config": ["anonymous": "guest"]])
      for name in ["guest", "amal", "bea"] { try gateway.makeConsumer(name) }
      try gateway.make("/consumer_groups", ["name": "gold"])
      try gateway.make("/consumer_groups/gold/consumers", ["consumer": "bea"])
      let scopes = ["", "/services/echo", "/routes/marked", "/consumers/amal", "/consumer_groups/gold"]
      for (index, scope) in scopes.enumerated() {
        let name = JSONValue.string("wall-\(index)")
        try gateway.make("/cloned-plugins", ["name": name, "ref": "ip-restriction"])
        try gateway.make(
          "\(scope)/plugins", ["name": name, "config": ["deny": [.string("10.0.0.\(index)")], "message": name]])
      }
      let sixth = try gateway.admin.send(
        "POST", "/cloned-plugins", json: ["name": "wall-5", "ref": "ip-restriction"])
      #expect(sixth.status == 400 && sixth.json["code"] == 2 && sixth.json["fields"]?["ref"] != nil)

      /// Whether a request from the address that the clone denies is refused by it.
      func isRefused(_ clone: Int, _ path: String, by consumer: String) throws -> Bool {
        let answer = try gateway.get(path, [("X-Real-IP", "10.0.0.\(clone)"), ("apikey", consumer)])
        if answer.status == 403 { #expect(answer.json["message"]?.string == "wall-\(clone)") }
        return answer.status == 403
      }
      #expect(await eventually { try isRefused(4, "/far", by: "bea") })
      for (path, consumer, expected) in [
        ("/far", "guest", [0]), ("/plain", "guest", [0, 1]), ("/marked", "guest", [0, 1, 2]),
        ("/far", "amal", [0, 3]), ("/marked", "amal", [0, 1, 2, 3]), ("/plain", "bea", [0, 1, 4]),
      ] {
        let refusing = try scopes.indices.filter { try isRefused($0, path, by: consumer) }
        #expect(refusing == expected, "\(path) by \(consumer)")
      }
      // A clone speaks under its own name.
      #expect(gateway.gateway.log.contains("plugin: wall-4"))
    }

    @Test("a clone has a condition of its own, and is known to others' conditions with underscores")
    func condition() async throws {
      let gateway = try await EchoingGateway()
      try gateway.make("/services/echo/routes", ["name": "r", "paths": ["/"], "protocols": ["http"]])
      try gateway.make("/cloned-plugins", ["name": "first-mark", "ref": "request-transformer", "priority": 900])
      try gateway.make(
        "/plugins",
        [
          "name": "first-mark", "config": header("X-First", "yes"), "condition": "http.path.startsWith(\"/first\")",
        ])
      try gateway.make(
        "/plugins",
        [
          "name": "request-transformer", "config": header("X-Second", "yes"),
          "condition": "plugins.first_mark.access_has_executed && plugins.first_mark.priority == 900",
        ])
      #expect(await eventually { try gateway.upstreamHeader("X-Second", "/first") == "yes" })
      #expect(try gateway.upstreamHeader("X-First", "/first") == "yes")
      #expect(try gateway.upstreamHeader("X-First", "/other") == "")
      #expect(try gateway.upstreamHeader("X-Second", "/other") == "")
      try gateway.make("/cloned-plugins", ["name": "own-function", "ref": "pre-function"])
      let refused = try gateway.admin.send(
        "POST", "/plugins",
        json: ["name": "own-function", "config": ["access": ["return"]], "condition": "http.path == \"/\""])
      #expect(refused.status == 400 && refused.json["fields"]?["condition"] != nil)
    }

    @Test("clones of one priority run in reverse order of their names, and ordering moves clones and streamed plugins")
    func order() async throws {
      let gateway = try await EchoingGateway(["custom_plugin_streaming_enabled": "on"])
      try gateway.make("/services/echo/routes", ["name": "r", "paths": ["/"], "protocols": ["http"]])
      for name in ["mark-a", "mark-z"] {
        try gateway.make("/cloned-plugins", ["name": .string(name), "ref": "request-transformer"])
        try gateway.make(
          "/plugins", ["name": .string(name), "config": ["append": ["headers": [.string("X-Mark:\(name)")]]]])
      }
      #expect(await eventually { try gateway.upstreamHeader("X-Mark", "/") == "mark-z,mark-a" })
      let plugins = try gateway.admin.get("/plugins").json["data"]?.array ?? []
      let first = try #require(plugins.first { $0["name"] == "mark-a" }?["id"]?.string)
      let ordered = try gateway.admin.send(
        "PATCH", "/plugins/\(first)", json: ["ordering": ["before": ["access": ["mark-z"]]]])
      #expect(ordered.status == 200)
      #expect(await eventually { try gateway.upstreamHeader("X-Mark", "/") == "mark-a,mark-z" })

      // A streamed plugin of low priority that says which marks it has seen.
      try gateway.make(
        "/custom-plugins",
        [
          "name": "witness",
          "schema": "return { name = 'witness', fields = { { config = { type = 'record', fields = {} } } } }",
          "handler": """
          local Handler = { PRIORITY = 1, VERSION = "1.0" }
          function Handler:access()
            local marks = kong.request.get_headers()["x-mark"]
            if type(marks) == "table" then marks = table.concat(marks, "+") end
            kong.service.request.set_header("X-Witness", marks or "nothing")
          end
          return Handler
          """,
        ])
      let witness = try gateway.make("/plugins", ["name": "witness"])["id"]?.string ?? ""
      #expect(await eventually { try gateway.upstreamHeader("X-Witness", "/") == "mark-a+mark-z" })
      let moved = try gateway.admin.send(
        "PATCH", "/plugins/\(witness)", json: ["ordering": ["before": ["access": ["mark-z"]]]])
      #expect(moved.status == 200)
      #expect(await eventually { try gateway.upstreamHeader("X-Witness", "/") == "mark-a" })
    }

    @Test("a clone has a kong.ctx.plugin of its own, and shares kong.ctx.shared")
    func contexts() async throws {
      let gateway = try await EchoingGateway(["untrusted_lua": "on"])
      try gateway.make("/services/echo/routes", ["name": "r", "paths": ["/"], "protocols": ["http"]])
      try gateway.make("/cloned-plugins", ["name": "pre-function-2", "ref": "pre-function"])
      for name in ["pre-function", "pre-function-2"] {
        let source = """
          kong.ctx.plugin.count = (kong.ctx.plugin.count or 0) + 1
          kong.ctx.shared.count = (kong.ctx.shared.count or 0) + 1
          kong.service.request.add_header("X-Count", kong.ctx.plugin.count .. "/" .. kong.ctx.shared.count)
          """
        try gateway.make("/plugins", ["name": .string(name), "config": ["access": [.string(source)]]])
      }
      #expect(await eventually { try gateway.upstreamHeader("X-Count", "/") == "1/1,1/2" })
    }

    @Test("clones in a declarative file run, and a sixth clone of one plugin refuses the whole file")
    func declarative() async throws {
      let upstream = try await EchoingGateway.echo()
      let gateway = try LiveGateway(["database": "off"])
      func text(_ clones: Int) -> String {
        """
        _format_version: "3.0"
        cloned_plugins:
        \((0..<clones).map { "- {name: mark-\($0), ref: request-transformer}" }.joined(separator: "\n"))
        plugins:
        - {name: mark-0, config: {add: {headers: ["X-Mark:0"]}}}
        services:
        - name: echo
          url: http://127.0.0.1:\(upstream.port)
          routes: [{name: r, paths: [/], protocols: [http], plugins: [{name: mark-1, config: {add: {headers: ["X-One:1"]}}}]}]
        """
      }
      func load(_ text: String) throws -> TestResponse {
        try gateway.admin.send("POST", "/config", headers: [("Content-Type", "application/yaml")], body: text)
      }
      #expect(try load(text(5)).status == 201)
      let answer = try gateway.proxy.get("/")
      #expect(answer.status == 200 && answer.text.contains("X-Mark: 0") && answer.text.contains("X-One: 1"))
      let refused = try load(text(6))
      #expect(refused.status == 400 && refused.json["code"] == 14)
      #expect(refused.json["fields"]?["cloned_plugins"]?.array?.last?["ref"] != nil)
      #expect(try gateway.proxy.get("/").status == 200)
      let write = try gateway.admin.send("POST", "/cloned-plugins", json: ["name": "x", "ref": "acl"])
      #expect(write.status == 405 && write.json["code"] == 12)
      #expect(try gateway.admin.get("/cloned-plugins/mark-3").json["priority"] == .null)
    }
  }
}
