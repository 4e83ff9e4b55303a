import EntityModel
import Foundation
import Testing

@testable import Storage

@Suite struct EntityStoreTests {
  let fixture: SQLiteFixture
  var store: EntityStore { fixture.store }

  init() throws { fixture = try SQLiteFixture() }

  @Test("what is inserted is complete, and found by id and by name")
  func insertAndSelect() async throws {
    let service = try await store.insert(["name": "a", "host": "example.com", "tags": ["t"]], into: .services)
    #expect(service["port"] == 80)
    #expect(service["path"] == .null)
    #expect(UUIDText.isUUID(service.id))
    #expect(try await store.select(.id(service.id), from: .services) == service)
    #expect(try await store.select(.endpointKey("a"), from: .services) == service)
    #expect(try await store.select(.endpointKey("b"), from: .services) == nil)
  }

  @Test("taken ids, names and composite keys are refused in Kong's words")
  func uniqueness() async throws {
    let id = "11111111-abcd-4111-8111-111111111111"
    _ = try await store.insert(["id": .string(id), "name": "a", "host": "h"], into: .services)
    let taken = await refusal { try await store.insert(["id": .string(id), "host": "h"], into: .services) }
    #expect(taken?.code == .primaryKeyViolation)
    #expect(taken?.message == "primary key violation on key '{id=\"\(id)\"}'")
    let named = await refusal { try await store.insert(["name": "a", "host": "h"], into: .services) }
    #expect(named?.code == .uniqueViolation)
    #expect(named?.message == "UNIQUE violation detected on '{name=\"a\"}'")
    #expect(named?.fields == ["name": "a"])

    let plugin = try await store.insert(["name": "key-auth"], into: .plugins)
    let twice = await refusal { try await store.insert(["name": "key-auth"], into: .plugins) }
    #expect(twice?.code == .uniqueViolation)
    #expect(twice?.fields["name"] == "key-auth")
    #expect(twice?.fields["route"] == .null)
    _ = try await store.insert(["name": "key-auth", "service": ["id": .string(id)]], into: .plugins)
    _ = try await store.update(.id(plugin.id), with: ["enabled": false], in: .plugins)
  }

  @Test("a change merges, a missing entity is not found, and a put replaces but keeps the time of creation")
  func updateAndUpsert() async throws {
    let service = try await store.insert(
      ["name": "a", "host": "h", "port": 81, "created_at": 5], into: .services)
    let changed = try await store.update(.endpointKey("a"), with: ["path": "/x"], in: .services)
    #expect(changed["port"] == 81)
    #expect(changed["path"] == "/x")
    let missing = await refusal { try await store.update(.endpointKey("none"), with: [:], in: .services) }
    #expect(missing?.message == "could not find the entity with '{name=\"none\"}'")
    let replaced = try await store.upsert(.endpointKey("a"), with: ["name": "other", "host": "i"], in: .services)
    #expect(replaced.id == service.id)
    #expect(replaced["name"] == "a")
    #expect(replaced["port"] == 80)
    #expect(replaced["created_at"] == 5)
    let id = "22222222-abcd-4222-8222-222222222222"
    let created = try await store.upsert(
      .id(id), with: ["id": "33333333-abcd-4333-8333-333333333333", "host": "h"], in: .services)
    #expect(created.id == id)
    let bad = await refusal { try await store.upsert(.endpointKey("bad name"), with: ["host": "h"], in: .services) }
    #expect(bad?.code == .invalidUnique)
    #expect(bad?.name == "invalid unique name")
  }

  @Test("references must exist, may be given by name, and hold or take along what refers to them")
  func references() async throws {
    let none = "99999999-9999-4999-8999-999999999999"
    let dangling = await refusal {
      try await store.insert(["paths": ["/"], "service": ["id": .string(none)]], into: .routes)
    }
    #expect(dangling?.code == .foreignKeyViolation)
    #expect(
      dangling?.message == "the foreign key '{id=\"\(none)\"}' does not reference an existing 'services' entity.")
    let unresolved = await refusal {
      try await store.insert(["paths": ["/"], "service": ["name": "x"]], into: .routes)
    }
    #expect(unresolved?.code == .foreignKeysUnresolved)

    let service = try await store.insert(["name": "a", "host": "h"], into: .services)
    let route = try await store.insert(["paths": ["/"], "service": ["name": "a"]], into: .routes)
    #expect(route["service"] == service.reference)
    let both: EntityFields = ["paths": ["/b"], "service": ["id": .string(service.id), "name": "a"]]
    #expect(try await store.insert(both, into: .routes)["service"] == service.reference)
    let plugin = try await store.insert(["name": "key-auth", "route": route.reference], into: .plugins)
    let held = await refusal { try await store.delete(.endpointKey("a"), from: .services) }
    #expect(held?.code == .foreignKeyViolation)
    #expect(held?.fields == ["@referenced_by": "routes"])
    try await store.delete(.id(route.id), from: .routes)
    try await store.delete(.id(route.id), from: .routes)
    #expect(try await store.select(.id(plugin.id), from: .plugins) == nil)
  }

  @Test("pages follow the order of ids, and their tokens and sizes are checked")
  func paging() async throws {
    for digit in [3, 1, 5, 2, 4] {
      let id = String(repeating: "\(digit)", count: 8) + "-aaaa-4111-8111-111111111111"
      _ = try await store.upsert(
        .id(id), with: ["username": .string("c\(digit)"), "tags": digit < 5 ? ["t"] : .null], in: .consumers)
    }
    var names: [String] = []
    var request = PageRequest(size: 2)
    repeat {
      let page = try await store.page(request, of: .consumers)
      names += page.entities.compactMap { $0["username"]?.string }
      request.offset = page.nextOffset
    } while request.offset != nil
    #expect(names == ["c1", "c2", "c3", "c4", "c5"])
    #expect(try await store.page(PageRequest(size: 5), of: .consumers).nextOffset == nil)
    let json = await refusal { try await store.page(PageRequest(offset: "nope"), of: .consumers) }
    #expect(json?.message == "'nope' is not a valid offset: bad json encoding")
    let base64 = await refusal { try await store.page(PageRequest(offset: "%"), of: .consumers) }
    #expect(base64?.message == "'%' is not a valid offset: bad base64 encoding")
    #expect(throws: EntityError(code: .invalidSize, message: "size must be a number")) {
      try PageRequest.size(parsing: "x")
    }
    #expect(throws: EntityError.invalidSize(isNumber: true)) { try PageRequest.size(parsing: "1e30") }
    #expect(throws: EntityError.invalidSize(isNumber: true)) { try PageRequest.size(parsing: "1.5") }
    #expect(try await store.page(PageRequest(equals: ["custom_id": "x"]), of: .consumers).entities.isEmpty)
  }

  @Test("tags filter lists and are themselves listed, also after a cascade")
  func tags() async throws {
    let service = try await store.insert(["name": "a", "host": "h", "tags": ["x", "y"]], into: .services)
    _ = try await store.insert(["name": "b", "host": "h", "tags": ["y"]], into: .services)
    let plugin = try await store.insert(
      ["name": "key-auth", "service": service.reference, "tags": ["x"]], into: .plugins)
    func names(_ filter: String) async throws -> [String] {
      let request = PageRequest(tags: try TagFilter(parsing: filter))
      return try await store.page(request, of: .services).entities.compactMap { $0["name"]?.string }.sorted()
    }
    #expect(try await names("x,y") == ["a"])
    #expect(try await names("x/y") == ["a", "b"])
    #expect(throws: EntityError.self) { try TagFilter(parsing: "a,b/c") }
    #expect(throws: EntityError.self) { try TagFilter(parsing: "a,b,c,d,e,f") }
    let tagged = try await store.tags(PageRequest(), matching: "x").entities
    #expect(tagged.map(\.["entity_name"]) == ["plugins", "services"])
    let first = try await store.tags(PageRequest(size: 3), matching: nil)
    #expect(first.entities.count == 3)
    let rest = try await store.tags(PageRequest(size: 3, offset: first.nextOffset), matching: nil)
    #expect(rest.entities.count == 1)
    try await store.delete(.id(service.id), from: .services)
    #expect(try await store.select(.id(plugin.id), from: .plugins) == nil)
    #expect(try await store.tags(PageRequest(), matching: nil).entities.count == 1)
  }

  @Test("a plugin must share a protocol with its route or with a route of its service")
  func protocols() async throws {
    let service = try await store.insert(["host": "h"], into: .services)
    let plugin: EntityFields = ["name": "key-auth", "protocols": ["grpc"], "service": service.reference]
    let free = try await store.insert(plugin, into: .plugins)
    try await store.delete(.id(free.id), from: .plugins)
    let route = try await store.insert(
      ["protocols": ["http"], "paths": ["/"], "service": service.reference], into: .routes)
    let byService = await refusal { try await store.insert(plugin, into: .plugins) }
    let reason: JSONValue = "must match the protocols of at least one route pointing to this Plugin's service"
    #expect(byService?.fields["protocols"] == reason)
    let byRoute = await refusal {
      try await store.insert(["name": "key-auth", "protocols": ["grpc"], "route": route.reference], into: .plugins)
    }
    #expect(byRoute?.fields["protocols"] == "must match the associated route's protocols")
  }

  @Test("a target is found by its address within its upstream")
  func targets() async throws {
    let one = try await store.insert(["name": "one"], into: .upstreams)
    let two = try await store.insert(["name": "two"], into: .upstreams)
    let target = try await store.insert(["target": "10.0.0.1:80", "upstream": one.reference], into: .targets)
    _ = try await store.insert(["target": "10.0.0.1:80", "upstream": two.reference], into: .targets)
    let again = await refusal {
      try await store.insert(["target": "10.0.0.1:80", "upstream": one.reference], into: .targets)
    }
    #expect(again?.code == .uniqueViolation)
    let key = EntityKey.keyInParent("10.0.0.1:80", field: "upstream", parent: one.id)
    #expect(try await store.select(key, from: .targets)?.id == target.id)
    let portless = try await store.insert(["target": "example.com", "upstream": one.reference], into: .targets)
    let short = EntityKey.keyInParent("example.com", field: "upstream", parent: one.id)
    #expect(try await store.select(short, from: .targets)?.id == portless.id)
    let put = try await store.upsert(short, with: ["weight": 5], in: .targets)
    #expect(put.id == portless.id)
    #expect(put["weight"] == 5)
    try await store.delete(short, from: .targets)
    let page = try await store.page(PageRequest(parent: ("upstream", one.id)), of: .targets)
    #expect(page.entities.map(\.id) == [target.id])
  }

  @Test("changes are told, and the snapshot is whole, numbered and hashed")
  func snapshots() async throws {
    let empty = try await store.snapshot()
    var changes = store.changes.stream().makeAsyncIterator()
    _ = try await store.insert(["name": "a", "host": "h"], into: .services)
    await changes.next()
    let one = try await store.snapshot()
    #expect(one["services"].count == 1)
    #expect(one.number > empty.number)
    #expect(one.hash != empty.hash)
    #expect(try await store.snapshot() == one)
  }

  @Test("writers at the same time leave one holder of a name and no dangling reference")
  func concurrency() async throws {
    let store = store
    let winners = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<20 {
        group.addTask {
          await refusal { try await store.insert(["name": "same", "host": "h"], into: .services) } == nil
        }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(winners == 1)
    let service = try #require(try await store.select(.endpointKey("same"), from: .services))
    await withTaskGroup(of: Void.self) { group in
      group.addTask { _ = await refusal { try await store.delete(.id(service.id), from: .services) } }
      for index in 0..<10 {
        group.addTask {
          _ = await refusal {
            try await store.insert(["paths": [.string("/\(index)")], "service": service.reference], into: .routes)
          }
        }
      }
    }
    let left = try await store.select(.id(service.id), from: .services)
    let routes = try await store.page(PageRequest(), of: .routes).entities
    #expect(left != nil || routes.isEmpty)
  }
}
