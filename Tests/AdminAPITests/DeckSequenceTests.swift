import EntityModel
import Testing

@testable import AdminAPI

/// The calls of decK in its order, for a file with a streamed plugin, a service, a route and two instances.
/// Source: Kong fact, clients.
@Suite("decK: ping, apply, dump, reset")
struct DeckSequenceTests {
  private static let handler = "local M = {PRIORITY = 800, VERSION = '1.0'}\nfunction M:access(conf) end\nreturn M\n"
  private static let schema = "return {name = 'replaceme', fields = {{config = {type = 'record', fields = {}}}}}\n"

  /// What the file says: collection path, id, entity.
  private static let file: [(path: String, id: String, entity: [String: JSONValue])] = [
    (
      "custom-plugins", "aaaaaaaa-0000-4000-8000-000000000001",
      ["name": "replaceme", "handler": .string(handler), "schema": .string(schema)]
    ),
    (
      "services", "aaaaaaaa-0000-4000-8000-000000000002",
      ["name": "example-service", "host": "echo.example.com", "port": 80, "protocol": "http"]
    ),
    (
      "routes", "aaaaaaaa-0000-4000-8000-000000000003",
      [
        "name": "example-route", "paths": ["/anything"], "protocols": ["http", "https"],
        "service": ["id": "aaaaaaaa-0000-4000-8000-000000000002", "name": "example-service"],
      ]
    ),
    (
      "plugins", "aaaaaaaa-0000-4000-8000-000000000004",
      ["name": "replaceme", "config": ["target_word": "sea", "replacement_word": "pelican"]]
    ),
    (
      "plugins", "aaaaaaaa-0000-4000-8000-000000000005",
      [
        "name": "rate-limiting", "config": ["minute": 5], "tags": ["guide"],
        "service": ["id": "aaaaaaaa-0000-4000-8000-000000000002"],
      ]
    ),
  ]

  private static let dumped = [
    "services", "routes", "plugins", "filter-chains", "certificates", "ca_certificates", "snis", "upstreams", "vaults",
    "partials", "keys", "key-sets", "consumer_groups", "consumers", "key-auths", "hmac-auths", "jwts", "basic-auths",
    "oauth2", "acls", "mtls-auths", "degraphql_routes", "graphql-rate-limiting-advanced/costs", "cloned-plugins",
    "custom-plugins",
  ]
  private static let required: Set<String> = [
    "services", "routes", "plugins", "consumers", "certificates", "snis", "upstreams", "custom-plugins",
  ]

  private func ping(_ admin: AdminClient) async throws {
    let root = try await admin.call("GET", "/")
    #expect(root.status == 200 && root["version"] == "3.15.0.0" && root["configuration"]?.object != nil)
  }

  private func dump(_ admin: AdminClient) async throws -> [String: [EntityFields]] {
    try await ping(admin)
    var entities: [String: [EntityFields]] = [:]
    for path in Self.dumped {
      let list = try await admin.call("GET", "/\(path)?size=1000")
      if Self.required.contains(path) {
        #expect(list.status == 200, "\(path)")
      } else {
        #expect(list.status == 200 || list.status == 404, "\(path)")
      }
      entities[path] = list["data"]?.array?.compactMap(\.object) ?? []
      #expect(list["offset"] == nil)
    }
    return entities
  }

  /// Adds the defaults that `/schemas` tells, as decK does before it compares.
  private func filled(_ entity: JSONValue, _ schema: JSONValue) -> JSONValue {
    guard case .object(var members) = entity, let fields = schema["fields"]?.array else { return entity }
    for (name, field) in fields.flatMap({ $0.object ?? [:] }) {
      if field["type"] == "record", field["required"] == true || members[name]?.object != nil {
        members[name] = filled(members[name] ?? [:], field)
      } else if members[name] == nil, let value = field["default"] {
        members[name] = value
      }
    }
    return .object(members)
  }

  /// Whether the stored entity has all that is wanted; unset fields count as null.
  private func holds(_ stored: JSONValue?, _ wanted: JSONValue) -> Bool {
    guard case .object(let members) = wanted, let stored = stored?.object else { return stored ?? .null == wanted }
    return members.allSatisfy { name, value in
      ["service", "route", "consumer", "consumer_group"].contains(name)
        ? stored[name]?["id"] == value["id"] : holds(stored[name] ?? .null, value)
    }
  }

  /// Applies the file and returns the paths that were written.
  private func apply(_ admin: AdminClient) async throws -> [String] {
    let present = try await dump(admin)
    var schemas: [String: JSONValue] = [:]
    for name in ["services", "routes", "upstreams", "targets", "consumer_group_plugins"] {
      let schema = try await admin.call("GET", "/schemas/\(name)")
      #expect(schema.status == 200 || name == "consumer_group_plugins")
      schemas[name] = schema.json
    }
    var written: [String] = []
    for (path, id, entity) in Self.file {
      var schema = schemas[path]
      if path == "plugins" {
        let answer = try await admin.call("GET", "/schemas/plugins/\(entity["name"]?.string ?? "")")
        #expect(answer.status == 200)
        schema = answer.json
      }
      let wanted = filled(.object(entity.merging(["id": .string(id)]) { $1 }), schema ?? .null)
      let stored = present[path]?.first { $0["id"]?.string == id }.map(JSONValue.object)
      if let stored, holds(stored, wanted) { continue }
      let answer = try await admin.call("PUT", "/\(path)/\(id)", wanted)
      #expect(answer.status == 200, "\(path): \(answer.text)")
      written.append(path)
    }
    return written
  }

  @Test("a first apply creates everything, a second changes nothing, reset removes all")
  func applyTwiceAndReset() async throws {
    try await AdminRig().run { (admin) async throws in
      try await ping(admin)
      #expect(try await apply(admin) == ["custom-plugins", "services", "routes", "plugins", "plugins"])
      #expect(try await apply(admin).isEmpty)
      let present = try await dump(admin)
      let custom = try #require(present["custom-plugins"]?.first)
      #expect(custom["handler"] == .string(Self.handler) && custom["schema"] == .string(Self.schema))
      #expect(custom["created_at"]?.integer != nil)
      let instance = try #require(present["plugins"]?.first { $0["name"] == "replaceme" })
      #expect(instance["protocols"] == ["grpc", "grpcs", "http", "https"])
      let inUse = try await admin.call("DELETE", "/custom-plugins/replaceme")
      #expect(inUse.status == 400 && inUse["code"] == 4 && inUse["fields.@referenced_by"] == "plugins")
      for path in ["plugins", "routes", "services", "custom-plugins"] {
        for entity in present[path] ?? [] {
          #expect(try await admin.call("DELETE", "/\(path)/\(entity["id"]?.string ?? "")").status == 204)
        }
      }
      #expect(try await dump(admin).values.allSatisfy(\.isEmpty))
      #expect(try await admin.call("GET", "/schemas/plugins/replaceme").status == 404)
    }
  }

  @Test("a plugin that does not load is refused with the field and the Lua line")
  func refusedDefinition() async throws {
    try await AdminRig().run { (admin) async throws in
      let refused = try await admin.call(
        "POST", "/custom-plugins", ["name": "replaceme", "schema": "return {}", "handler": "return {}"])
      #expect(refused.status == 400 && refused["code"] == 2)
      #expect(refused["fields.handler"]?.string?.contains("handler.lua:1") == true)
      #expect(try await admin.call("POST", "/custom-plugins", .null).status == 400)
    }
  }

  @Test("a clone follows its reference at once, and its priority stays null unless given")
  func clones() async throws {
    try await AdminRig().run { (admin) async throws in
      let id = "aaaaaaaa-0000-4000-8000-000000000009"
      let clone = try await admin.call(
        "PUT", "/cloned-plugins/\(id)", ["name": "acl-2", "ref": "acl", "id": .string(id)])
      #expect(clone.status == 200 && clone["priority"] == .null && clone["tags"] == .null)
      let source = try await admin.call("GET", "/schemas/plugins/acl")
      #expect(try await admin.call("GET", "/schemas/plugins/acl-2").json == source.json)
      for (name, group) in [("acl", "a"), ("acl-2", "b")] {
        let instance = try await admin.call(
          "POST", "/plugins", ["name": .string(name), "config": ["allow": [.string(group)]]])
        #expect(instance.status == 201, "\(instance.text)")
      }
      #expect(try await admin.call("DELETE", "/cloned-plugins/acl-2").status == 400)
      let unknown = try await admin.call("POST", "/cloned-plugins", ["name": "twice", "ref": "nope"])
      #expect(unknown.status == 400 && unknown["fields.ref"] != nil)
    }
  }

  @Test("clones, consumers with keys, groups with members and a plugin for a group arrive level by level")
  func levels() async throws {
    try await AdminRig().run { (admin) async throws in
      func id(_ number: Int) -> String { "bbbbbbbb-0000-4000-8000-00000000000\(number)" }
      let levels: [[(path: String, entity: JSONValue)]] = [
        [
          ("/consumers/\(id(1))", ["id": .string(id(1)), "username": "amal"]),
          ("/cloned-plugins/\(id(2))", ["id": .string(id(2)), "name": "acl-2", "ref": "acl", "priority": 951]),
        ],
        [
          ("/consumer_groups/\(id(3))", ["id": .string(id(3)), "name": "gold"]),
          (
            "/consumers/\(id(1))/key-auth/\(id(4))",
            ["id": .string(id(4)), "key": "k", "consumer": ["id": .string(id(1)), "username": "amal"]]
          ),
          (
            "/consumers/\(id(1))/acls/\(id(5))",
            ["id": .string(id(5)), "group": "g", "consumer": ["id": .string(id(1))]]
          ),
        ],
        [
          (
            "/plugins/\(id(6))",
            [
              "id": .string(id(6)), "name": "correlation-id",
              "consumer_group": ["id": .string(id(3)), "name": "gold"],
            ]
          ),
          ("/plugins/\(id(7))", ["id": .string(id(7)), "name": "acl-2", "config": ["allow": ["g"]]]),
        ],
      ]
      for level in levels {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for (path, entity) in level {
            group.addTask {
              let answer = try await admin.call("PUT", path, entity)
              #expect(answer.status == 200 && holds(answer.json, entity), "\(path): \(answer.text)")
            }
          }
          try await group.waitForAll()
        }
      }
      let member = try await admin.call("POST", "/consumer_groups/\(id(3))/consumers", ["consumer": "amal"])
      #expect(member.status == 201)

      let group = try await admin.call("GET", "/consumer_groups/gold")
      #expect(group["consumers.0.username"] == "amal" && group["plugins.0.name"] == "correlation-id")
      let bare = try await admin.call("GET", "/consumer_groups/gold?list_consumers=false")
      #expect(bare["consumer_group.name"] == "gold" && bare["consumers"] == [])
      let present = try await dump(admin)
      #expect(present["cloned-plugins"]?.first?["priority"] == 951)
      #expect(present["key-auths"]?.first?["ttl"] == .null && present["acls"]?.first?["group"] == "g")
      #expect(present["plugins"]?.first?["consumer_group"] == ["id": .string(id(3))])
      #expect(try await admin.call("PATCH", "/consumer_groups/\(id(3))", ["name": "gold", "tags": ["t"]]).status == 200)

      for path in [
        "/plugins/\(id(6))", "/plugins/\(id(7))", "/consumer_groups/\(id(3))/consumers/\(id(1))",
        "/consumers/\(id(1))/key-auth/\(id(4))", "/consumers/\(id(1))/acls/\(id(5))", "/consumer_groups/\(id(3))",
        "/consumers/\(id(1))", "/cloned-plugins/\(id(2))",
      ] {
        #expect(try await admin.call("DELETE", path).status == 204, "\(path)")
      }
      #expect(try await dump(admin).values.allSatisfy(\.isEmpty))
    }
  }
}
