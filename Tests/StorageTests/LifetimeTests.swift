import EntityModel
import Synchronization
import Testing

@testable import Storage

@Suite("Entities with a ttl") struct LifetimeTests {
  /// A clock that goes only when the test says so.
  final class Clock: Sendable {
    private let time = Mutex(1_800_000_000.5)
    var seconds: Double { time.withLock { $0 } }
    func advance(by seconds: Double) { time.withLock { $0 += seconds } }
  }

  let clock = Clock()

  private var rules: StoreRules {
    var rules = testRules
    rules.now = { [clock] in clock.seconds }
    return rules
  }

  private func makeKeys(_ store: EntityStore) async throws -> EntityFields {
    let consumer = try await store.insert(["username": "amal"], into: .consumers)
    _ = try await store.insert(["key": "short", "ttl": 10, "consumer": consumer.reference], into: .keyAuthCredentials)
    _ = try await store.insert(["key": "long", "ttl": 100, "consumer": consumer.reference], into: .keyAuthCredentials)
    _ = try await store.insert(["key": "always", "consumer": consumer.reference], into: .keyAuthCredentials)
    return consumer
  }

  @Test("what has expired is removed from the store, and observers hear of it once")
  func removal() async throws {
    let fixture = try SQLiteFixture(rules: rules)
    let store = fixture.store
    _ = try await makeKeys(store)
    let heard = Mutex(0)
    let subscription = store.changes.onChange { heard.withLock { $0 += 1 } }
    let before = try await store.snapshot()
    #expect(try await store.removeExpired() == 0)
    clock.advance(by: 11)
    #expect(try await store.select(.endpointKey("short"), from: .keyAuthCredentials) == nil)
    #expect(try await store.removeExpired() == 1)
    #expect(try await store.removeExpired() == 0)
    #expect(heard.withLock { $0 } == 1)
    let after = try await store.snapshot()
    #expect(after["keyauth_credentials"].compactMap { $0["key"]?.string }.sorted() == ["always", "long"])
    #expect(after.number > before.number && after.hash != before.hash)
    subscription.cancel()
  }

  @Test("a file and a control plane's table carry the time of expiry, so that no copy starts the clock again")
  func copies() async throws {
    let fixture = try SQLiteFixture(rules: rules)
    _ = try await makeKeys(fixture.store)
    let snapshot = try await fixture.store.snapshot()
    let text = DeclarativeExport.text(of: snapshot)
    let payload = HybridPayload.encode(snapshot)
    clock.advance(by: 11)
    let loader = DeclarativeLoader(rules: rules)
    for copy in [try loader.load(text), try loader.load(configTable: payload.configTable, hash: payload.hash)] {
      #expect(copy["keyauth_credentials"].compactMap { $0["key"]?.string }.sorted() == ["always", "long"])
      let memory = MemoryStore(rules: rules)
      memory.replace(with: copy)
      #expect(try await memory.select(.endpointKey("long"), from: .keyAuthCredentials)?["ttl"] == 89)
      clock.advance(by: 100)
      #expect(try await memory.select(.endpointKey("long"), from: .keyAuthCredentials) == nil)
      #expect(try await memory.page(PageRequest(), of: .keyAuthCredentials).entities.count == 1)
      clock.advance(by: -100)
    }
  }

  @Test("a file's ttl counts from the time of creation that it tells, or from its reading")
  func inFile() throws {
    func keys(_ entry: String) throws -> EntityList {
      try DeclarativeLoader(rules: rules).load(
        "{_format_version: '3.0', consumers: [{username: a, keyauth_credentials: [{key: k, \(entry)}]}]}")[
          "keyauth_credentials"]
    }
    #expect(try keys("ttl: 20").first?["ttl"] == 1_800_000_021)
    #expect(try keys("ttl: 20, created_at: 1799999990").first?["ttl"] == 1_800_000_010)
    #expect(try keys("ttl: 20, created_at: 1799999970").isEmpty)
    #expect(throws: DeclarativeError.self) { try keys("ttl: -1") }
    #expect(throws: DeclarativeError.self) { try keys("ttl: soon") }
  }
}
