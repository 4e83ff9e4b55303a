import EntityModel
import Synchronization
import Testing

@testable import Storage

@Suite("Snapshots after changes")
struct IncrementalSnapshotTests {
  /// The snapshot as a store reads it that has seen nothing before.
  private func fresh(_ fixture: SQLiteFixture) async throws -> ConfigSnapshot {
    try await EntityStore(backend: fixture.storage, rules: testRules).snapshot()
  }

  @Test("each is what reading everything gives, also after cascades and writes of another process")
  func equivalence() async throws {
    let fixture = try SQLiteFixture()
    let store = fixture.store
    #expect(try await store.snapshot() == fresh(fixture))
    let service = try await store.insert(["name": "a", "host": "h"], into: .services)
    #expect(try await store.snapshot() == fresh(fixture))
    let route = try await store.insert(["name": "r", "paths": ["/"], "service": service.reference], into: .routes)
    let plugin = try await store.insert(["name": "key-auth", "route": route.reference], into: .plugins)
    let consumer = try await store.insert(["username": "bob"], into: .consumers)
    _ = try await store.insert(["consumer": consumer.reference, "group": "g"], into: .acls)
    #expect(try await store.snapshot() == fresh(fixture))
    _ = try await store.update(.id(plugin.id), with: ["tags": ["x"]], in: .plugins)
    _ = try await store.update(.endpointKey("a"), with: ["port": 81], in: .services)
    #expect(try await store.snapshot() == fresh(fixture))
    try await store.delete(.id(route.id), from: .routes)
    try await store.delete(.id(consumer.id), from: .consumers)
    let after = try await store.snapshot()
    #expect(after == (try await fresh(fixture)))
    #expect(after["plugins"].isEmpty && after["acls"].isEmpty)
    let other = EntityStore(backend: fixture.storage, rules: testRules)
    _ = try await other.insert(["name": "b", "host": "h"], into: .services)
    _ = try await store.insert(["name": "c", "host": "h"], into: .services)
    #expect(try await store.snapshot() == fresh(fixture))
    #expect(try await store.snapshot()["services"].count == 3)
  }

  @Test("a deletion of what is not there changes nothing and tells nobody")
  func nothingDeleted() async throws {
    let fixture = try SQLiteFixture()
    let before = try await fixture.store.snapshot()
    let told = Told()
    fixture.store.changes.onChange { told.note() }
    try await fixture.store.delete(.endpointKey("none"), from: .services)
    #expect(try await fixture.store.snapshot() == before)
    #expect(told.count.load(ordering: .relaxed) == 0)
  }

  @Test("payloads and what a data plane makes of them are those of a first one, whatever came before")
  func payloads() async throws {
    let fixture = try SQLiteFixture()
    let store = fixture.store
    var encoder = HybridEncoder()
    var receiver = HybridReceiver(rules: testRules)
    func check() async throws {
      let snapshot = try await store.snapshot()
      let payload = encoder.encode(snapshot)
      let plain = HybridPayload.encode(snapshot)
      #expect(payload.configTable == plain.configTable)
      #expect(payload.hash == plain.hash && payload.hashes == plain.hashes)
      let received = try receiver.load(configTable: payload.configTable, hash: payload.hash)
      let whole = try DeclarativeLoader(rules: testRules).load(configTable: payload.configTable, hash: payload.hash)
      #expect(received.entities == whole.entities)
      #expect(received.hash == payload.hash)
    }
    try await check()
    let service = try await store.insert(["name": "a", "host": "h"], into: .services)
    try await check()
    for number in 0..<5 {
      let route = try await store.insert(
        ["name": .string("r\(number)"), "paths": ["/"], "service": service.reference], into: .routes)
      _ = try await store.insert(["name": "key-auth", "route": route.reference], into: .plugins)
      try await check()
    }
    _ = try await store.insert(["name": "mine", "schema": "word", "handler": "800"], into: .customPlugins)
    let plugin = try await store.insert(["name": "mine", "config": ["word": "w"]], into: .plugins)
    try await check()
    _ = try await store.update(.id(plugin.id), with: ["config": ["word": "v"]], in: .plugins)
    try await check()
    _ = try await store.update(.endpointKey("r3"), with: ["paths": ["/three"]], in: .routes)
    _ = try await store.insert(["name": "second", "ref": "key-auth"], into: .clonedPlugins)
    try await check()
    try await store.delete(.endpointKey("r1"), from: .routes)
    try await check()
    try await store.delete(.id(plugin.id), from: .plugins)
    try await store.delete(.endpointKey("mine"), from: .customPlugins)
    try await check()
    _ = try await store.update(.endpointKey("a"), with: ["enabled": false], in: .services)
    try await check()
  }

  @Test("one changed entity is validated alone, routes and kinds that expire included")
  func readsChangesAlone() async throws {
    let fixture = try SQLiteFixture()
    let store = fixture.store
    var encoder = HybridEncoder()
    var receiver = HybridReceiver(rules: testRules)
    func isReadWhole() async throws -> Bool {
      let payload = encoder.encode(try await store.snapshot())
      let snapshot = try receiver.load(configTable: payload.configTable, hash: payload.hash)
      let whole = try DeclarativeLoader(rules: testRules).load(configTable: payload.configTable, hash: payload.hash)
      #expect(snapshot.entities == whole.entities)
      return receiver.hasReadWhole
    }
    let service = try await store.insert(["name": "a", "host": "h"], into: .services)
    let consumer = try await store.insert(["username": "bob"], into: .consumers)
    #expect(try await isReadWhole())
    let route = try await store.insert(["name": "r", "paths": ["/"], "service": service.reference], into: .routes)
    #expect(try await !isReadWhole())
    let plugin = try await store.insert(["name": "key-auth", "route": route.reference], into: .plugins)
    #expect(try await !isReadWhole())
    let keys = EntityDefinition.keyAuthCredentials
    let key = try await store.insert(["consumer": consumer.reference, "key": "k", "ttl": 1000], into: keys)
    #expect(try await !isReadWhole())
    _ = try await store.insert(["consumer": consumer.reference, "key": "l"], into: keys)
    #expect(try await !isReadWhole())
    try await store.delete(.id(key.id), from: keys)
    #expect(try await !isReadWhole())
    try await store.delete(.id(plugin.id), from: .plugins)
    #expect(try await !isReadWhole())
  }

  @Test("a received change that is not good is refused as in a whole configuration, and the next good one is taken")
  func badChanges() throws {
    let service = "11111111-1111-4111-8111-111111111111"
    func table(_ routes: JSONValue...) -> JSONValue {
      [
        "_format_version": "3.0", "_transform": false,
        "services": [["id": .string(service), "name": "s", "host": "h"]], "routes": .array(routes),
      ]
    }
    func route(_ digit: Int, service: String, name: String, paths: JSONValue = ["/"]) -> JSONValue {
      [
        "id": .string("\(digit)2222222-2222-4222-8222-222222222222"), "name": .string(name), "paths": paths,
        "service": .string(service),
      ]
    }
    var receiver = HybridReceiver(rules: testRules)
    let good = route(1, service: service, name: "a")
    _ = try receiver.load(configTable: table(good), hash: "1")
    let bad: [JSONValue] = [
      route(2, service: "33333333-3333-4333-8333-333333333333", name: "b"), route(2, service: service, name: "a"),
      route(2, service: service, name: "b", paths: [5]), "text",
    ]
    for route in bad {
      let error = #expect(throws: DeclarativeError.self) {
        try receiver.load(configTable: table(good, route), hash: "2")
      }
      let whole = #expect(throws: DeclarativeError.self) {
        try DeclarativeLoader(rules: testRules).load(configTable: table(good, route), hash: "2")
      }
      #expect(error?.description == whole?.description)
    }
    let next = try receiver.load(configTable: table(good, route(2, service: service, name: "b")), hash: "3")
    #expect(next["routes"].count == 2)
    let orphan: JSONValue = [
      "_format_version": "3.0", "_transform": false, "services": [], "routes": [good],
    ]
    #expect(throws: DeclarativeError.self) { try receiver.load(configTable: orphan, hash: "4") }
  }
}

private final class Told: Sendable {
  let count = Atomic<Int>(0)

  func note() { count.add(1, ordering: .relaxed) }
}
