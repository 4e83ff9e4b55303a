import EntityModel
import Testing

@testable import AdminAPI

@Suite("Consumer groups and their members")
struct ConsumerGroupTests {
  private func make(_ admin: AdminClient, consumers: [String], groups: [String]) async throws {
    for name in consumers {
      #expect(try await admin.call("POST", "/consumers", ["username": .string(name)]).status == 201)
    }
    for name in groups {
      #expect(try await admin.call("POST", "/consumer_groups", ["name": .string(name)]).status == 201)
    }
  }

  private func names(_ answer: AdminClient.Answer, _ field: String) -> [String] {
    (answer["data"]?.array ?? []).compactMap { $0[field]?.string }.sorted()
  }

  @Test("members are added, listed and taken out from the side of the group")
  func fromGroup() async throws {
    try await AdminRig().run { (admin) async throws in
      try await make(admin, consumers: ["amal", "bea", "carl"], groups: ["gold"])
      let added = try await admin.call("POST", "/consumer_groups/gold/consumers", ["consumer": "amal"])
      #expect(added.status == 201)
      #expect(added["consumer_group.name"] == "gold" && added["consumers.0.username"] == "amal")
      let bea = try await admin.call("GET", "/consumers/bea")["id"]?.string ?? ""
      let more = try await admin.call("POST", "/consumer_groups/gold/consumers", ["consumer": [.string(bea), "carl"]])
      #expect(more["consumers"]?.array?.count == 2)
      let listed = try await admin.call("GET", "/consumer_groups/gold/consumers")
      #expect(names(listed, "username") == ["amal", "bea", "carl"] && listed["next"] == .null)
      #expect(try await admin.call("GET", "/consumer_groups/gold")["consumers"]?.array?.count == 3)
      let bare = try await admin.call("GET", "/consumer_groups/gold?list_consumers=false")
      #expect(bare["consumers"] == [])

      let twice = try await admin.call("POST", "/consumer_groups/gold/consumers", ["consumer": "amal"])
      #expect(twice.status == 409 && twice["message"]?.string?.contains("already in group") == true)
      #expect(try await admin.call("DELETE", "/consumer_groups/gold/consumers/amal").status == 204)
      #expect(try await admin.call("DELETE", "/consumer_groups/gold/consumers/amal").status == 204)
      #expect(try await admin.call("DELETE", "/consumer_groups/gold/consumers/nobody").status == 404)
      #expect(try await admin.call("DELETE", "/consumer_groups/gold/consumers").status == 204)
      #expect(try await admin.call("GET", "/consumer_groups/gold/consumers")["data"] == [])
      #expect(try await admin.call("DELETE", "/consumer_groups/gold/consumers").status == 404)
      #expect(try await admin.call("GET", "/consumers/amal").status == 200)
    }
  }

  @Test("the same from the side of the consumer, also with a form")
  func fromConsumer() async throws {
    try await AdminRig().run { (admin) async throws in
      try await make(admin, consumers: ["amal"], groups: ["gold", "silver"])
      let added = try await admin.form("POST", "/consumers/amal/consumer_groups", "group=gold")
      #expect(added.status == 201)
      #expect(added["consumer.username"] == "amal" && added["consumer_groups.0.name"] == "gold")
      #expect(try await admin.call("POST", "/consumers/amal/consumer_groups", ["group": "silver"]).status == 201)
      #expect(names(try await admin.call("GET", "/consumers/amal/consumer_groups"), "name") == ["gold", "silver"])
      #expect(try await admin.call("DELETE", "/consumers/amal/consumer_groups/gold").status == 204)
      #expect(names(try await admin.call("GET", "/consumers/amal/consumer_groups"), "name") == ["silver"])
      #expect(try await admin.call("DELETE", "/consumers/amal/consumer_groups").status == 204)
      #expect(try await admin.call("DELETE", "/consumers/amal/consumer_groups").status == 204)
      #expect(try await admin.call("GET", "/consumers/nobody/consumer_groups").status == 404)
    }
  }

  @Test("a body that names no one, several things or someone unknown adds nobody")
  func refusals() async throws {
    try await AdminRig().run { (admin) async throws in
      try await make(admin, consumers: ["amal"], groups: ["gold"])
      let path = "/consumer_groups/gold/consumers"
      let empty = try await admin.call("POST", path, [:])
      #expect(empty.status == 400 && empty["message"] == "must provide consumer")
      #expect(try await admin.call("POST", path, ["consumer": 5]).status == 400)
      #expect(try await admin.call("POST", path, ["consumer": []]).status == 400)
      let unknown = try await admin.call("POST", path, ["consumer": "amal", "weight": 1])
      #expect(unknown.status == 400 && unknown["fields.weight"] == "unknown field")
      #expect(try await admin.call("POST", path, ["consumer": ["amal", "nobody"]]).status == 404)
      #expect(try await admin.call("GET", path)["data"] == [])
      #expect(try await admin.call("POST", "/consumer_groups/none/consumers", ["consumer": "amal"]).status == 404)
      let override = "/consumer_groups/gold/overrides/plugins/rate-limiting-advanced"
      let refused = try await admin.call("PUT", override, ["config.limit": [1]])
      #expect(refused.status == 404 && refused["message"]?.string?.contains("not available") == true)
    }
  }

  @Test("several members are added at once or not at all")
  func atomic() async throws {
    try await AdminRig().run { (admin) async throws in
      try await make(admin, consumers: ["amal", "bea"], groups: ["gold"])
      let path = "/consumer_groups/gold/consumers"
      #expect(try await admin.call("POST", path, ["consumer": "bea"]).status == 201)
      #expect(try await admin.call("POST", path, ["consumer": ["amal", "bea"]]).status == 409)
      #expect(names(try await admin.call("GET", path), "username") == ["bea"])
    }
  }

  @Test("members come in pages, with a filter by tags, and go with their consumer or group")
  func pages() async throws {
    try await AdminRig().run { (admin) async throws in
      try await make(admin, consumers: [], groups: ["gold"])
      for index in 0..<7 {
        let tags: JSONValue = index < 3 ? ["low"] : ["high"]
        let consumer: JSONValue = ["username": .string("c\(index)"), "tags": tags]
        #expect(try await admin.call("POST", "/consumers", consumer).status == 201)
        let member: JSONValue = ["consumer": .string("c\(index)")]
        #expect(try await admin.call("POST", "/consumer_groups/gold/consumers", member).status == 201)
      }
      var path: String? = "/consumer_groups/gold/consumers?size=3"
      var found: [String] = []
      var sizes: [Int] = []
      while let next = path {
        let page = try await admin.call("GET", next)
        sizes.append(page["data"]?.array?.count ?? 0)
        found += names(page, "username")
        path = page["next"]?.string.map { $0 + "&size=3" }
      }
      #expect(sizes == [3, 3, 1] && found.sorted() == (0..<7).map { "c\($0)" })
      let high = try await admin.call("GET", "/consumer_groups/gold/consumers?tags=high&size=2")
      #expect(high["data"]?.array?.count == 2 && high["offset"] != nil)
      let all = try await admin.call("GET", "/consumer_groups/gold/consumers?tags=high")
      #expect(names(all, "username") == ["c3", "c4", "c5", "c6"] && all["offset"] == nil)

      #expect(try await admin.call("DELETE", "/consumers/c0").status == 204)
      #expect(try await admin.call("GET", "/consumer_groups/gold/consumers")["data"]?.array?.count == 6)
      #expect(try await admin.call("DELETE", "/consumer_groups/gold").status == 204)
      #expect(try await admin.call("GET", "/consumers/c1/consumer_groups")["data"] == [])
    }
  }
}
