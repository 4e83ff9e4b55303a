import EntityModel
import Testing

@testable import Storage

private let configuration = """
  _format_version: "3.0"
  custom_plugins: [{name: mine, schema: word, handler: "800"}]
  consumers: [{username: bob, custom_id: b, tags: [x, y]}, {username: eve, tags: [y]}]
  services:
  - name: open
    host: h
    routes: [{name: a, paths: [/a], plugins: [{name: mine, config: {word: "\\x85é"}}]}]
  - name: shut
    host: h
    enabled: false
    routes: [{name: b, paths: [/b], plugins: [{name: key-auth}]}]
    plugins: [{name: file-log}]
  plugins: [{name: correlation-id, enabled: false}, {name: key-auth, tags: [y]}]
  """

/// The behaviour that every repository shares, over the same configuration.
@Suite struct RepositoryReadingTests {
  enum Kind: CaseIterable { case memory, sqlite }

  private func repository(_ kind: Kind) async throws -> (any EntityRepository, SQLiteFixture?) {
    let snapshot = try DeclarativeLoader(rules: testRules).load(configuration)
    switch kind {
    case .memory:
      let store = MemoryStore(rules: testRules)
      store.replace(with: snapshot, text: configuration)
      return (store, nil)
    case .sqlite:
      let fixture = try SQLiteFixture()
      for kind in EntityCatalogue.all {
        for row in snapshot[kind.name] { _ = try await fixture.store.upsert(.id(row.id), with: row, in: kind) }
      }
      return (fixture.store, fixture)
    }
  }

  @Test("both stores answer alike", arguments: Kind.allCases)
  func reading(kind: Kind) async throws {
    let (store, fixture) = try await repository(kind)
    defer { withExtendedLifetime(fixture) {} }
    let bob = try #require(try await store.select(.endpointKey("bob"), from: .consumers))
    #expect(bob["custom_id"] == "b")
    #expect(try await store.select(.id(bob.id), from: .consumers) == bob)
    #expect(try await store.page(PageRequest(equals: ["custom_id": "b"]), of: .consumers).entities == [bob])
    let tagged = PageRequest(tags: .all(["x", "y"]))
    #expect(try await store.page(tagged, of: .consumers).entities == [bob])
    #expect(try await store.page(PageRequest(tags: .any(["x", "y"])), of: .consumers).entities.count == 2)
    let first = try await store.page(PageRequest(size: 3), of: .plugins)
    let second = try await store.page(PageRequest(size: 3, offset: first.nextOffset), of: .plugins)
    let ids = (first.entities + second.entities).map(\.id)
    #expect(ids.count == 5)
    #expect(ids == ids.sorted())
    #expect(second.nextOffset == nil)
    let route = try #require(try await store.select(.endpointKey("a"), from: .routes))
    let below = try await store.page(PageRequest(parent: ("route", route.id)), of: .plugins).entities
    #expect(below.map(\.["name"]) == ["mine"])
    #expect(try await store.tags(PageRequest(), matching: "y").entities.count == 3)
    #expect(await store.pluginCatalogue["mine"]?.priority == 800)
    #expect(try await store.snapshot()["services"].count == 2)
    try await store.validate(["name": "mine", "config": ["word": "w"]], as: .plugins)
    let bad = await refusal { try await store.validate(["name": "mine"], as: .plugins) }
    #expect(bad?.code == .schemaViolation)
    let offset = await refusal { try await store.page(PageRequest(offset: "nope"), of: .plugins) }
    #expect(offset?.code == .invalidOffset)
  }
}

@Suite struct MemoryStoreTests {
  @Test("writes are refused with code 12")
  func readOnly() async {
    let store = MemoryStore(rules: testRules)
    #expect(!store.isWritable)
    let refused = await refusal { try await store.insert([:], into: .services) }
    #expect(refused?.code == .operationUnsupported)
    #expect(refused?.message == "cannot create 'services' entities when not using a database")
    for operation in [
      await refusal { try await store.update(.id("x"), with: [:], in: .services) },
      await refusal { try await store.upsert(.id("x"), with: [:], in: .services) },
      await refusal { try await store.delete(.id("x"), from: .services) },
    ] {
      #expect(operation?.code == .operationUnsupported)
    }
  }

  @Test("a new configuration has a new number, its text is kept, and observers hear of it")
  func replacing() async throws {
    let store = MemoryStore(rules: testRules)
    #expect(store.configurationHash == ConfigSnapshot.emptyHash)
    #expect(store.configurationText == nil)
    var changes = store.changes.stream().makeAsyncIterator()
    let snapshot = try DeclarativeLoader(rules: testRules).load(configuration)
    #expect(store.replace(with: snapshot, text: configuration).number == 1)
    await changes.next()
    #expect(store.replace(with: snapshot).number == 2)
    #expect(store.isCurrent(configuration))
    #expect(!store.isCurrent(configuration + "\n"))
  }

  @Test("the exported text loads as the same configuration")
  func export() throws {
    let loader = DeclarativeLoader(rules: testRules)
    let snapshot = try loader.load(configuration)
    let text = DeclarativeExport.text(of: snapshot)
    let again = try loader.load(text)
    #expect(again.entities == snapshot.entities)
    #expect(DeclarativeExport.text(of: again) == text)
  }

  @Test("a data plane reads what a control plane sends: all but what is disabled")
  func hybrid() throws {
    let snapshot = try DeclarativeLoader(rules: testRules).load(configuration)
    let sent = HybridPayload.encode(snapshot)
    #expect(sent.configTable["_transform"] == false)
    #expect(sent.configTable["workspaces"]?.array?.count == 1)
    #expect(sent.configTable["routes"]?.array?.first?["service"]?.string != nil)
    #expect(sent.configTable["routes"]?.array?.first?["ws_id"] == .string(DeterministicID.defaultWorkspace))
    #expect(sent.hash.utf8.count == 32)
    #expect(sent.hashes["targets"] == ConfigSnapshot.emptyHash)
    let wire = try JSONValue(parsing: sent.configTable.serialized())
    let received = try HybridPayload.decode(wire, hash: sent.hash, rules: testRules)
    #expect(received.hash == sent.hash)
    #expect(Array(received["services"]) == snapshot["services"].filter { $0["name"] == "open" })
    #expect(received["routes"].compactMap { $0["name"] } == ["a"])
    #expect(Set(received["plugins"].compactMap { $0["name"]?.string }) == ["mine", "key-auth"])
    #expect(received["custom_plugins"] == snapshot["custom_plugins"])
    #expect(ConfigHash.hash(ofLists: received.entities).hash == sent.hash)
  }

  @Test("fields of a newer control plane are ignored when null and refused, all of them, when not")
  func newerControlPlane() throws {
    func table(_ value: JSONValue) -> JSONValue {
      [
        "_format_version": "3.0", "_transform": false, "novelties": .null,
        "services": [["host": "h", "novelty": value], ["host": "i", "novelty": value]],
        "plugins": [["name": "key-auth", "config": ["word": "w", "novelty": value]]],
      ]
    }
    let received = try HybridPayload.decode(table(.null), hash: nil, rules: testRules)
    #expect(received["services"].count == 2)
    #expect(received["plugins"].first?["config"] == ["word": "w"])
    let error = #expect(throws: DeclarativeError.self) {
      try HybridPayload.decode(table(5), hash: nil, rules: testRules)
    }
    #expect(error?.flattenedErrors.count == 3)
    #expect(throws: DeclarativeError.self) { try HybridPayload.decode([], hash: nil, rules: testRules) }
  }
}
