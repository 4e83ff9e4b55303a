import EntityModel
import Testing

@testable import AdminAPI

@Suite("Cloned plugins over HTTP")
struct ClonedPluginTests {
  private func clone(_ name: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
    .object(["name": .string(name), "ref": "acl"].merging(more) { $1 })
  }

  @Test("every method works by id and by name, and what was not given stays null")
  func methods() async throws {
    try await AdminRig().run { (admin) async throws in
      let made = try await admin.call("POST", "/cloned-plugins", clone("one"))
      #expect(made.status == 201 && made["priority"] == .null && made["tags"] == .null)
      let id = made["id"]?.string ?? ""
      #expect(try await admin.call("GET", "/cloned-plugins/one").json == made.json)
      #expect(try await admin.call("GET", "/cloned-plugins/\(id)").json == made.json)
      #expect(try await admin.call("GET", "/default/cloned-plugins/one").status == 200)
      let list = try await admin.call("GET", "/cloned-plugins?size=1000")
      #expect(list["data"]?.array?.count == 1)
      let changed = try await admin.call("PATCH", "/cloned-plugins/one", ["priority": -5, "tags": ["b", "a"]])
      #expect(changed.status == 200 && changed["priority"] == -5 && changed["tags"] == ["b", "a"])
      #expect(try await admin.call("GET", "/cloned-plugins?tags=a,b")["data"]?.array?.count == 1)
      #expect(try await admin.call("PATCH", "/cloned-plugins/one", ["priority": nil])["priority"] == .null)
      let put = try await admin.call("PUT", "/cloned-plugins/\(id)", clone("renamed", ["id": .string(id)]))
      #expect(put.status == 200 && put["name"] == "renamed" && put["tags"] == .null)
      #expect(put["created_at"] == made["created_at"])
      #expect(try await admin.call("GET", "/cloned-plugins/one").status == 404)
      let byName = try await admin.call("PUT", "/cloned-plugins/two", ["ref": "acl", "priority": 2_147_483_647])
      #expect(byName.status == 200 && byName["name"] == "two" && byName["priority"] == 2_147_483_647)
      let form = try await admin.form("POST", "/cloned-plugins", "name=three&ref=acl&priority=12&tags[]=x")
      #expect(form.status == 201 && form["priority"] == 12 && form["tags"] == ["x"])
      #expect(try await admin.call("DELETE", "/cloned-plugins/two").status == 204)
      #expect(try await admin.call("DELETE", "/cloned-plugins/two").status == 204)
    }
  }

  @Test(
    "a bad name is refused",
    arguments: ["", "Upper", "1st", "-x", "x-", "a_b", "a.b", "a b", "ä", "acl", "request-transformer", "cors"])
  func badNames(_ name: String) async throws {
    try await AdminRig().run { (admin) async throws in
      let refused = try await admin.call("POST", "/cloned-plugins", clone(name))
      #expect(refused.status == 400 && refused["code"] == 2 && refused["fields.name"] != nil, "\(refused.text)")
    }
  }

  @Test("names are one name space with streamed plugins, in both directions")
  func nameSpace() async throws {
    try await AdminRig().run { (admin) async throws in
      let streamed: JSONValue = ["name": "replaceme", "schema": "return {}", "handler": "return {PRIORITY = 1}"]
      #expect(try await admin.call("POST", "/custom-plugins", streamed).status == 201)
      let taken = try await admin.call("POST", "/cloned-plugins", clone("replaceme"))
      #expect(taken.status == 400 && taken["fields.name"] != nil)
      #expect(try await admin.call("POST", "/cloned-plugins", clone("reflector")).status == 201)
      let other: JSONValue = ["name": "reflector", "schema": "return {}", "handler": "return {PRIORITY = 1}"]
      let refused = try await admin.call("POST", "/custom-plugins", other)
      #expect(refused.status == 400 && refused["fields.name"] != nil)
      #expect(try await admin.call("POST", "/cloned-plugins", clone("reflector")).status == 409)
    }
  }

  @Test("a clone refers to one of the sixteen: not to a clone, a streamed plugin, another bundled one, or nothing")
  func references() async throws {
    try await AdminRig().run { (admin) async throws in
      #expect(try await admin.call("POST", "/cloned-plugins", clone("one")).status == 201)
      let streamed: JSONValue = ["name": "replaceme", "schema": "return {}", "handler": "return {PRIORITY = 1}"]
      #expect(try await admin.call("POST", "/custom-plugins", streamed).status == 201)
      for ref: JSONValue in ["one", "replaceme", "correlation-id", "nope", "", nil, 5] {
        let refused = try await admin.call("POST", "/cloned-plugins", clone("two", ["ref": ref]))
        #expect(refused.status == 400 && refused["code"] == 2 && refused["fields.ref"] != nil, "\(refused.text)")
      }
      for priority: JSONValue in [1.5, "1", 2_147_483_648, -2_147_483_649] {
        let refused = try await admin.call("POST", "/cloned-plugins", clone("two", ["priority": priority]))
        #expect(refused.status == 400 && refused["fields.priority"] != nil, "\(refused.text)")
      }
      let unknown = try await admin.call("POST", "/cloned-plugins", clone("two", ["config": [:]]))
      #expect(unknown["fields.config"] == "unknown field")
    }
  }

  @Test("the sixth clone of one plugin is refused, whatever the method and however many write at once")
  func limit() async throws {
    try await AdminRig().run { (admin) async throws in
      let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
        for index in 0..<12 {
          group.addTask {
            index.isMultiple(of: 2)
              ? try await admin.call("POST", "/cloned-plugins", clone("c\(index)")).status
              : try await admin.call("PUT", "/cloned-plugins/c\(index)", ["ref": "acl"]).status
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(statuses.count { $0 < 300 } == 5 && statuses.count { $0 == 400 } == 7)
      let id = "aaaaaaaa-0000-4000-8000-00000000000a"
      let sixth = try await admin.call("PUT", "/cloned-plugins/\(id)", clone("sixth"))
      #expect(sixth.status == 400 && sixth["code"] == 2 && sixth["fields.ref"] != nil)
      let names = try await admin.call("GET", "/cloned-plugins")["data"]?.array?.compactMap { $0["name"]?.string } ?? []
      #expect(try await admin.call("DELETE", "/cloned-plugins/\(names[0])").status == 204)
      #expect(try await admin.call("PUT", "/cloned-plugins/\(id)", clone("sixth")).status == 200)
    }
  }

  @Test("a clone in use keeps all but its tags, and is uniquely scoped beside its source")
  func inUse() async throws {
    try await AdminRig().run { (admin) async throws in
      #expect(try await admin.call("POST", "/cloned-plugins", clone("one", ["priority": 7])).status == 201)
      var instances: [String] = []
      for name in ["acl", "one"] {
        let instance: JSONValue = ["name": .string(name), "config": ["allow": ["a"]]]
        let made = try await admin.call("POST", "/plugins", instance)
        #expect(made.status == 201)
        instances.append(made["id"]?.string ?? "")
        let twice = try await admin.call("POST", "/plugins", instance)
        #expect(twice.status == 409 && twice["fields.name"] == .string(name))
      }
      for change: JSONValue in [["priority": 8], ["priority": nil], ["name": "two"]] {
        let refused = try await admin.call("PATCH", "/cloned-plugins/one", change)
        #expect(refused.status == 400 && refused["code"] == 4 && refused["fields.@referenced_by"] == "plugins")
      }
      let put = try await admin.call("PUT", "/cloned-plugins/one", ["ref": "acl"])
      #expect(put.status == 400 && put["code"] == 4)
      #expect(try await admin.call("DELETE", "/cloned-plugins/one")["code"] == 4)
      #expect(try await admin.call("PATCH", "/cloned-plugins/one", ["tags": ["x"]])["priority"] == 7)
      let same = try await admin.call("PUT", "/cloned-plugins/one", clone("one", ["priority": 7, "tags": ["y"]]))
      #expect(same.status == 200 && same["tags"] == ["y"])
      // A disabled instance is an instance.
      #expect(try await admin.call("PATCH", "/plugins/\(instances[1])", ["enabled": false]).status == 200)
      #expect(try await admin.call("DELETE", "/cloned-plugins/one")["code"] == 4)
      #expect(try await admin.call("DELETE", "/plugins/\(instances[1])").status == 204)
      #expect(try await admin.call("DELETE", "/cloned-plugins/one").status == 204)
      let gone = try await admin.call("POST", "/plugins", ["name": "one", "config": ["allow": ["a"]]])
      #expect(gone.status == 400 && gone["fields.name"] != nil)
    }
  }

  @Test("a clone is listed, has its source's schema and validates at once, also with streaming off")
  func listed() async throws {
    var rig = AdminRig()
    rig.configuration.isStreamingEnabled = false
    try await rig.run { (admin) async throws in
      #expect(try await admin.call("GET", "/schemas/plugins/one").status == 404)
      #expect(try await admin.call("POST", "/cloned-plugins", clone("one")).status == 201)
      let schema = try await admin.call("GET", "/schemas/plugins/one")
      #expect(schema.status == 200)
      #expect(schema.json == (try await admin.call("GET", "/schemas/plugins/acl").json))
      let enabled = try await admin.call("GET", "/plugins/enabled")
      #expect(enabled["enabled_plugins"]?.array?.contains("one") == true)
      #expect(try await admin.call("GET", "/")["plugins.available_on_server.one.priority"] == 950)
      let good = try await admin.call("POST", "/schemas/plugins/validate", ["name": "one", "config": ["deny": ["a"]]])
      #expect(good.status == 200)
      let bad = try await admin.call("POST", "/schemas/plugins/validate", ["name": "one", "config": ["deny": 5]])
      #expect(bad.status == 400 && bad["fields.config.deny"] == "expected an array")
      let draft = try await admin.call("POST", "/schemas/cloned_plugins/validate", clone("acl"))
      #expect(draft.status == 400 && draft["fields.name"] != nil)
    }
  }
}
