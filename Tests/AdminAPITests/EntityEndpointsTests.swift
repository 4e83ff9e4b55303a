import EntityModel
import Testing

@testable import AdminAPI

@Suite("Entities over HTTP")
struct EntityEndpointsTests {
  private static let id = "11111111-abcd-4111-8111-111111111111"

  @Test("an entity is created, read by id and name, changed, replaced and deleted")
  func lifeOfAService() async throws {
    try await AdminRig().run { (admin) async throws in
      let created = try await admin.call("POST", "/services", ["name": "svc", "url": "http://up.example.com:81/p"])
      #expect(created.status == 201)
      #expect(created["host"] == "up.example.com" && created["port"] == 81 && created["path"] == "/p")
      #expect(created["retries"] == 5 && created["tags"] == .null)
      let id = try #require(created["id"]?.string)
      #expect(try await admin.call("GET", "/services/\(id.uppercased())").json == created.json)
      #expect(try await admin.call("GET", "/services/svc/").json == created.json)
      let changed = try await admin.call("PATCH", "/services/svc", ["port": 82, "path": nil])
      #expect(changed.status == 200 && changed["port"] == 82 && changed["path"] == .null)
      let replaced = try await admin.call("PUT", "/services/\(id)", ["host": "other.example.com", "id": "x"])
      #expect(replaced.status == 200 && replaced["name"] == .null && replaced["port"] == 80)
      #expect(try await admin.call("DELETE", "/services/\(id)").status == 204)
      #expect(try await admin.call("DELETE", "/services/\(id)").status == 204)
      let gone = try await admin.call("GET", "/services/\(id)")
      #expect(gone.status == 404 && gone.json == ["message": "Not found"])
    }
  }

  @Test("PUT by a name creates with that name, and refuses a name that cannot be")
  func putByName() async throws {
    try await AdminRig().run { (admin) async throws in
      let put = try await admin.call("PUT", "/services/putname", ["host": "example.com", "name": "other"])
      #expect(put.status == 200 && put["name"] == "putname")
      let again = try await admin.call("PUT", "/services/putname", ["host": "b.example.com"])
      #expect(again["id"] == put["id"] && again["host"] == "b.example.com")
      let bad = try await admin.call("PUT", "/services/bad%20name", ["host": "example.com"])
      #expect(bad.status == 400 && bad["code"] == 10 && bad["name"] == "invalid unique name")
    }
  }

  @Test("violations name every field, in Kong's words")
  func violations() async throws {
    try await AdminRig().run { (admin) async throws in
      let refused = try await admin.call("POST", "/services", ["name": "a b", "port": "x", "foo": 1])
      #expect(refused.status == 400 && refused["code"] == 2 && refused["name"] == "schema violation")
      #expect(refused["fields.host"] == "required field missing" && refused["fields.foo"] == "unknown field")
      try await admin.call("POST", "/services", ["name": "svc", "host": "example.com"])
      let taken = try await admin.call("POST", "/services", ["name": "svc", "host": "example.com"])
      #expect(taken.status == 409 && taken["message"] == "UNIQUE violation detected on '{name=\"svc\"}'")
      let missing = try await admin.call("PATCH", "/services/none", ["port": 1])
      #expect(missing.status == 404 && missing["code"] == 6)
    }
  }

  @Test("children are listed, created and addressed below their parent, and only there")
  func nestedChildren() async throws {
    try await AdminRig().run { (admin) async throws in
      for name in ["one", "two"] { try await admin.call("POST", "/services", ["name": .string(name), "host": "a.b"]) }
      let created = try await admin.call("POST", "/services/one/routes", ["name": "r", "paths": ["/a"]])
      #expect(created.status == 201)
      let one = try await admin.call("GET", "/services/one")
      #expect(created["service.id"] == one["id"])
      #expect(try await admin.call("GET", "/services/one/routes")["data"]?.array?.count == 1)
      #expect(try await admin.call("GET", "/services/two/routes")["data"] == [])
      #expect(try await admin.call("GET", "/services/one/routes/r").json == created.json)
      for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let body: JSONValue? = method == "GET" || method == "DELETE" ? nil : ["paths": ["/b"]]
        #expect(try await admin.call(method, "/services/two/routes/r", body).status == 404, "\(method)")
      }
      #expect(try await admin.call("GET", "/services/none/routes").json == ["message": "Not found"])
      #expect(try await admin.call("PATCH", "/services/one/routes/r", ["paths": ["/c"]])["paths"] == ["/c"])
      let put = try await admin.call("PUT", "/services/one/routes/new", ["paths": ["/n"]])
      #expect(put["service"] == created["service"])
      #expect(try await admin.call("DELETE", "/services/one/routes/none").status == 204)
      #expect(try await admin.call("DELETE", "/services/one/routes/r").status == 204)
      #expect(try await admin.call("GET", "/routes/r").status == 404)
    }
  }

  @Test("the parent is read, changed and replaced below its child, and made if there is none")
  func parentBelowChild() async throws {
    try await AdminRig().run { (admin) async throws in
      try await admin.call("POST", "/routes", ["name": "r", "paths": ["/a"]])
      #expect(try await admin.call("GET", "/routes/r/service").status == 404)
      #expect(try await admin.call("PUT", "/routes/r/service", ["port": 1]).status == 400)
      let made = try await admin.call("PUT", "/routes/r/service", ["name": "s", "host": "a.example.com"])
      #expect(made.status == 200)
      #expect(try await admin.call("GET", "/routes/r")["service.id"] == made["id"])
      #expect(try await admin.call("GET", "/routes/r/service").json == made.json)
      #expect(try await admin.call("PATCH", "/routes/r/service", ["port": 90])["port"] == 90)
      let replaced = try await admin.call("PUT", "/routes/r/service", ["host": "b.example.com"])
      #expect(replaced["id"] == made["id"] && replaced["host"] == "b.example.com")
      let refused = try await admin.call("DELETE", "/routes/r/service")
      #expect(refused.status == 405 && refused.header("Allow") == "GET, HEAD, OPTIONS, PATCH, PUT")
      let inUse = try await admin.call("DELETE", "/services/\(made["id"]?.string ?? "")")
      #expect(inUse.status == 400 && inUse["fields.@referenced_by"] == "routes")
    }
  }

  @Test("targets live below their upstream alone, by id or by address")
  func targets() async throws {
    try await AdminRig().run { (admin) async throws in
      for name in ["u1", "u2"] { try await admin.call("POST", "/upstreams", ["name": .string(name)]) }
      let created = try await admin.call("POST", "/upstreams/u1/targets", ["target": "10.0.0.1:80", "weight": 0])
      #expect(created.status == 201)
      #expect(try await admin.call("POST", "/upstreams/u2/targets", ["target": "10.0.0.1:80"]).status == 201)
      #expect(try await admin.call("GET", "/upstreams/u1/targets/10.0.0.1%3A80").json == created.json)
      #expect(try await admin.call("GET", "/upstreams/u1/targets/\(created["id"]?.string ?? "")").status == 200)
      #expect(try await admin.call("GET", "/upstreams/u1/targets/all")["data"]?.array?.count == 1)
      #expect(try await admin.call("GET", "/targets").status == 404)
      let health = try await admin.call("GET", "/upstreams/u1/health")
      #expect(health["data.0.health"] == "HEALTHCHECKS_OFF" && health["node_id"] != nil)
      let balancer = try await admin.call("GET", "/upstreams/u1/health?balancer_health=1")
      #expect(balancer["data.health"] == "HEALTHCHECKS_OFF")
      #expect(try await admin.call("DELETE", "/upstreams/u1/targets/10.0.0.1:80").status == 204)
      #expect(try await admin.call("GET", "/upstreams/u2/targets")["data"]?.array?.count == 1)
    }
  }

  @Test("pages follow one another by offset, with size and tags kept in the link")
  func pages() async throws {
    try await AdminRig().run { (admin) async throws in
      for index in 1...5 {
        let body: JSONValue = ["username": .string("c\(index)"), "tags": index == 5 ? nil : ["t", "x y"]]
        try await admin.call("PUT", "/consumers/\(index)1111111-aaaa-4111-8111-111111111111", body)
      }
      var names: [String] = []
      var path: String? = "/consumers?size=2&tags=t,x%20y"
      while let next = path {
        let page = try await admin.call("GET", next)
        names += page["data"]?.array?.compactMap { $0["username"]?.string } ?? []
        path = page["next"]?.string
        #expect((path == nil) == (page["offset"] == nil))
        if let path { #expect(path.contains("&tags=t%2Cx%20y&size=2")) }
      }
      #expect(names == ["c1", "c2", "c3", "c4"])
      for (query, code) in [
        ("size=0", 9), ("size=x", 9), ("size=", 9), ("size", 9), ("size=1001", 9), ("size=nan", 9), ("size=1e999", 9),
        ("offset=nope", 7), ("offset=", 7), ("tags=", 11), ("tags=a,b/c", 11),
      ] {
        let refused = try await admin.call("GET", "/consumers?\(query)")
        #expect(refused.status == 400 && refused["code"] == .integer(Int64(code)), "\(query)")
      }
      #expect(try await admin.call("GET", "/tags/t")["data"]?.array?.count == 4)
      #expect(try await admin.call("GET", "/tags?size=1")["data"]?.array?.count == 1)
    }
  }

  @Test("consumers can be listed by custom_id, which is unique, and by no other field")
  func filterByUniqueField() async throws {
    try await AdminRig().run { (admin) async throws in
      try await admin.call("POST", "/consumers", ["username": "a", "custom_id": "c/1"])
      try await admin.call("POST", "/consumers", ["username": "b"])
      #expect(try await admin.call("GET", "/consumers?custom_id=c/1")["data"]?.array?.count == 1)
      #expect(try await admin.call("GET", "/consumers?custom_id=none")["data"] == [])
      #expect(try await admin.call("GET", "/consumers?username=a")["data"]?.array?.count == 2)
    }
  }

  @Test("a plugin's form follows the plugin's schema, in a change that of the stored plugin")
  func pluginForms() async throws {
    try await AdminRig().run { (admin) async throws in
      let created = try await admin.form(
        "POST", "/plugins",
        "name=rate-limiting&config.minute=5&config.limits[1].window=60&config.headers.x-a=1&config.redis.port=1")
      #expect(created.status == 201)
      #expect(created["config.minute"] == 5 && created["config.limits.0"] == ["window": 60, "name": "main"])
      #expect(created["config.headers"] == ["x-a": ["1"]] && created["config.redis"] == ["port": 1, "host": nil])
      let id = try #require(created["id"]?.string)
      let changed = try await admin.form("PATCH", "/plugins/\(id)", "config.hour=7&config.redis.host=r&instance_name=i")
      #expect(changed.status == 200)
      #expect(changed["config.hour"] == 7 && changed["config.minute"] == 5)
      #expect(changed["config.redis"] == ["port": 1, "host": "r"])
      let refused = try await admin.form("PATCH", "/plugins/i", "config.hour=x")
      #expect(refused.status == 400 && refused["fields.config.hour"] == "expected a number")
    }
  }

  @Test("changing a plugin that is missing says so plainly unless the body names the plugin")
  func missingPlugin() async throws {
    try await AdminRig().run { (admin) async throws in
      let plain = try await admin.call("PATCH", "/plugins/\(Self.id)", ["enabled": false])
      #expect(plain.status == 404 && plain.json == ["message": "Not found"])
      let named = try await admin.call("PATCH", "/plugins/\(Self.id)", ["name": "rate-limiting", "enabled": false])
      #expect(named.status == 404 && named["code"] == 6)
    }
  }

  @Test("an entity without a name is addressed by id alone")
  func invalidPrimaryKey() async throws {
    try await AdminRig().run { (admin) async throws in
      for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let body: JSONValue? = method == "GET" || method == "DELETE" ? nil : [:]
        let refused = try await admin.call(method, "/ca_certificates/not-a-uuid", body)
        #expect(refused.status == 400 && refused["code"] == 1, "\(method)")
        #expect(refused["fields.id"] == "expected a valid UUID")
      }
    }
  }

  @Test("references may be given by name, and with id and name together")
  func references() async throws {
    try await AdminRig().run { (admin) async throws in
      let service = try await admin.call("POST", "/services", ["name": "s", "host": "a.b"])
      let byName = try await admin.call("POST", "/routes", ["paths": ["/a"], "service": ["name": "s"]])
      #expect(byName["service"] == ["id": try #require(service["id"])])
      let both: JSONValue = ["paths": ["/a"], "service": ["id": try #require(service["id"]), "name": "s"]]
      #expect(try await admin.call("POST", "/routes", both).status == 201)
      let missing = try await admin.call("POST", "/routes", ["paths": ["/a"], "service": ["name": "x"]])
      #expect(missing.status == 400 && missing["code"] == 13)
    }
  }

  @Test("a certificate carries its server names, and is addressed by them")
  func certificates() async throws {
    try await AdminRig().run { (admin) async throws in
      let body: JSONValue = [
        "cert": .string(TestCertificate.certificate), "key": .string(TestCertificate.key),
        "snis": ["sni.example.com", "*.example.org"],
      ]
      let created = try await admin.call("POST", "/certificates", body)
      #expect(created.status == 201, "\(created.text)")
      #expect(Set(created["snis"]?.array ?? []) == ["sni.example.com", "*.example.org"])
      let id = try #require(created["id"]?.string)
      #expect(try await admin.call("GET", "/certificates/sni.example.com")["id"] == .string(id))
      #expect(try await admin.call("GET", "/certificates/other.example.com").status == 404)
      #expect(try await admin.call("GET", "/certificates/\(id)/snis")["data"]?.array?.count == 2)
      #expect(try await admin.call("GET", "/snis/sni.example.com/certificate")["id"] == .string(id))
      let changed = try await admin.call("PATCH", "/certificates/\(id)", ["snis": ["new.example.com"]])
      #expect(changed["snis"] == ["new.example.com"])
      #expect(try await admin.call("GET", "/snis")["data"]?.array?.count == 1)
      let taken = try await admin.call("POST", "/certificates", [
        "cert": .string(TestCertificate.certificate), "key": .string(TestCertificate.key), "snis": ["new.example.com"],
      ])
      #expect((400..<500).contains(taken.status))
      #expect(try await admin.call("DELETE", "/snis/new.example.com").status == 204)
      #expect(try await admin.call("DELETE", "/certificates/\(id)").status == 204)
    }
  }

  @Test("a consumer group is read together with what belongs to it")
  func consumerGroups() async throws {
    try await AdminRig().run { (admin) async throws in
      let group = try await admin.call("POST", "/consumer_groups", ["name": "gold"])
      #expect(group.status == 201 && group["name"] == "gold")
      let plugin = try await admin.call("POST", "/consumer_groups/gold/plugins", ["name": "correlation-id"])
      #expect(plugin.status == 201)
      let shown = try await admin.call("GET", "/consumer_groups/gold")
      #expect(shown["consumer_group"] == group.json && shown["consumers"] == [])
      #expect(shown["plugins"] == [plugin.json])
      #expect(try await admin.call("GET", "/consumer_groups/none").status == 404)
      #expect(try await admin.call("PATCH", "/consumer_groups/gold", ["tags": ["x"]])["name"] == "gold")
    }
  }
}
