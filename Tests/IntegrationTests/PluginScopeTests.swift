import EntityModel
import GatewayTesting
import Testing

extension LiveProcessTests {
  /// Which instance of a plugin runs, through a live gateway. Source: Kong fact, plugin-entity §3.
  @Suite struct PluginScopeTests {
    @Test("of the twelve levels of precedence the most specific one runs, consumer groups included")
    func twelveLevels() async throws {
      let gateway = try await EchoingGateway()
      let service = try gateway.admin.get("/services/echo").json["id"] ?? .null
      let route = try gateway.make(
        "/services/echo/routes", ["name": "r", "paths": ["/"], "protocols": ["http"]])["id"] ?? .null
      try gateway.make("/plugins", ["name": "key-auth"])
      try gateway.makeConsumer("amal")
      let consumer = try gateway.admin.get("/consumers/amal").json["id"] ?? .null
      let group = try gateway.make("/consumer_groups", ["name": "gold"])["id"] ?? .null
      try gateway.make("/consumers/amal/consumer_groups", ["group": "gold"])
      let references: [Character: (String, JSONValue)] = [
        "c": ("consumer", consumer), "g": ("consumer_group", group), "r": ("route", route), "s": ("service", service),
      ]
      let levels = ["crs", "grs", "cr", "cs", "gr", "gs", "rs", "c", "g", "r", "s", ""]
      var instances: [String] = []
      for level in levels.reversed() {
        var plugin: [String: JSONValue] = [
          "name": "request-transformer", "config": ["add": ["headers": [.string("X-Level:\(level).")]]],
        ]
        for letter in level {
          if let (field, id) = references[letter] { plugin[field] = ["id": id] }
        }
        instances.insert(try gateway.make("/plugins", .object(plugin))["id"]?.string ?? "", at: 0)
      }
      for (level, instance) in zip(levels, instances) {
        #expect(
          await eventually { try gateway.upstreamHeader("X-Level", "/", [("apikey", "amal")]) == "\(level)." },
          "level \(level)")
        try gateway.delete("/plugins/\(instance)")
      }
      #expect(await eventually { try gateway.upstreamHeader("X-Level", "/", [("apikey", "amal")]) == "" })
    }

    @Test("of several groups the first by name counts, and a consumer that leaves one is out at once")
    func severalGroups() async throws {
      let gateway = try await EchoingGateway()
      try gateway.make("/services/echo/routes", ["name": "r", "paths": ["/"], "protocols": ["http"]])
      try gateway.make("/plugins", ["name": "key-auth"])
      try gateway.makeConsumer("amal")
      for name in ["silver", "gold"] {
        try gateway.make("/consumer_groups", ["name": .string(name)])
        try gateway.make("/consumer_groups/\(name)/consumers", ["consumer": "amal"])
        try gateway.make(
          "/consumer_groups/\(name)/plugins",
          ["name": "request-transformer", "config": ["add": ["headers": [.string("X-Group:\(name)")]]]])
      }
      func group() throws -> String { try gateway.upstreamHeader("X-Group", "/", [("apikey", "amal")]) }
      #expect(await eventually { try group() == "gold" })
      try gateway.delete("/consumer_groups/gold/consumers/amal")
      #expect(await eventually { try group() == "silver" })
      try gateway.delete("/consumers/amal/consumer_groups")
      #expect(await eventually { try group() == "" })
      let refused = try gateway.admin.send(
        "POST", "/consumer_groups/gold/plugins", json: ["name": "acl", "config": ["allow": ["a"]]])
      #expect(refused.status == 400 && refused.json["fields"]?["consumer_group"] == "value must be null")
    }

    @Test("groups with their members and plugins reach a data plane")
    func groupsInHybridMode() async throws {
      let upstream = try await EchoingGateway.echo()
      let cluster = try Cluster()
      let admin = cluster.controlPlane.admin
      try admin.make("/services", ["name": "echo", "url": .string("http://127.0.0.1:\(upstream.port)")])
      try admin.make("/services/echo/routes", ["name": "r", "paths": ["/"], "protocols": ["http"]])
      try admin.make("/plugins", ["name": "key-auth"])
      try admin.make("/cloned-plugins", ["name": "group-mark", "ref": "request-transformer"])
      for name in ["amal", "bea"] {
        try admin.make("/consumers", ["username": .string(name)])
        try admin.make("/consumers/\(name)/key-auth", ["key": .string(name)])
      }
      try admin.make("/consumer_groups", ["name": "gold"])
      try admin.make(
        "/consumer_groups/gold/plugins", ["name": "group-mark", "config": ["add": ["headers": ["X-Group:gold"]]]])
      try admin.make("/consumers/amal/consumer_groups", ["group": "gold"])
      func answer(_ key: String) throws -> TestResponse {
        try cluster.dataPlane.proxy.send("GET", "/", headers: [("apikey", key)])
      }
      #expect(await eventually { try answer("amal").text.contains("X-Group: gold") })
      let other = try answer("bea")
      #expect(other.status == 200 && !other.text.contains("X-Group"))
    }

    @Test("a key with a ttl ends on the data plane and leaves the control plane, without a restart")
    func expiringKey() async throws {
      let upstream = try await EchoingGateway.echo()
      let cluster = try Cluster()
      let admin = cluster.controlPlane.admin
      try admin.make("/services", ["name": "echo", "url": .string("http://127.0.0.1:\(upstream.port)")])
      try admin.make("/services/echo/routes", ["name": "r", "paths": ["/"], "protocols": ["http"]])
      try admin.make("/plugins", ["name": "key-auth"])
      try admin.make("/consumers", ["username": "amal"])
      try admin.make("/consumers/amal/key-auth", ["key": "always"])
      func status(_ key: String) throws -> Int {
        try cluster.dataPlane.proxy.send("GET", "/", headers: [("apikey", key)]).status
      }
      #expect(await eventually { try status("always") == 200 })
      let made = try admin.make("/consumers/amal/key-auth", ["key": "brief", "ttl": 2])
      #expect(made["ttl"] == 2)
      #expect(await eventually { try status("brief") == 200 })
      #expect(await eventually { try status("brief") == 401 })
      #expect(try admin.get("/key-auths/brief").status == 404)
      #expect(await eventually {
        let dataPlane = try cluster.dataPlane.status.get("/status").json["configuration_hash"]
        let controlPlane = try admin.get("/status").json["configuration_hash"]
        return dataPlane == controlPlane && dataPlane?.string != ConfigSnapshot.emptyHash
      })
      #expect(try status("always") == 200)
      #expect(try admin.get("/key-auths").json["data"]?.array?.count == 1)
    }
  }
}
