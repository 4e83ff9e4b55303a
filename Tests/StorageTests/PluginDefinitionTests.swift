import EntityModel
import Testing

@testable import Storage

@Suite struct PluginDefinitionTests {
  let fixture: SQLiteFixture
  var store: EntityStore { fixture.store }

  init() throws { fixture = try SQLiteFixture() }

  private func definition(_ name: String, schema: String = "word", handler: String = "800") -> EntityFields {
    ["name": .string(name), "schema": .string(schema), "handler": .string(handler)]
  }

  @Test("a streamed plugin can be configured in the moment after it was written, by its own schema")
  func streamed() async throws {
    let before = await store.pluginCatalogue
    #expect(before["mine"] == nil)
    let unknown = await refusal { try await store.insert(["name": "mine"], into: .plugins) }
    #expect(
      unknown?.fields["name"] == "plugin 'mine' not enabled; add it to the 'plugins' configuration property")
    _ = try await store.insert(definition("mine"), into: .customPlugins)
    let description = try #require(await store.pluginCatalogue["mine"])
    #expect(description.origin == .streamed)
    #expect(description.priority == 800)
    let incomplete = await refusal { try await store.insert(["name": "mine"], into: .plugins) }
    #expect(incomplete?.fields["config"] == ["word": "required field missing"])
    let plugin = try await store.insert(["name": "mine", "config": ["word": "w"]], into: .plugins)
    #expect(plugin["protocols"] == ["grpc", "grpcs", "http", "https"])
  }

  @Test("what inspection finds is refused at its field")
  func inspection() async throws {
    let bad = await refusal { try await store.insert(definition("mine", handler: "x"), into: .customPlugins) }
    #expect(bad?.code == .schemaViolation)
    #expect(bad?.fields == ["handler": "1: no PRIORITY"])
    _ = try await store.insert(definition("mine"), into: .customPlugins)
    let worse = await refusal {
      try await store.update(.endpointKey("mine"), with: ["handler": "x"], in: .customPlugins)
    }
    #expect(worse?.fields == ["handler": "1: no PRIORITY"])
  }

  @Test("a definition in use keeps all but its tags, and is free again when its last instance goes")
  func inUse() async throws {
    let stored = try await store.insert(definition("mine"), into: .customPlugins)
    let plugin = try await store.insert(["name": "mine", "config": ["word": "w"]], into: .plugins)
    for change: EntityFields in [["handler": "1"], ["name": "other"], ["schema": "text"]] {
      let refused = await refusal { try await store.update(.id(stored.id), with: change, in: .customPlugins) }
      #expect(refused?.code == .foreignKeyViolation)
      #expect(refused?.fields == ["@referenced_by": "plugins"])
    }
    let put = await refusal {
      try await store.upsert(.id(stored.id), with: definition("mine", handler: "2"), in: .customPlugins)
    }
    #expect(put?.code == .foreignKeyViolation)
    let deleted = await refusal { try await store.delete(.endpointKey("mine"), from: .customPlugins) }
    #expect(deleted?.fields == ["@referenced_by": "plugins"])
    let tagged = try await store.update(.id(stored.id), with: ["tags": ["a"]], in: .customPlugins)
    #expect(tagged["tags"] == ["a"])
    _ = try await store.upsert(.id(stored.id), with: definition("mine"), in: .customPlugins)
    try await store.delete(.id(plugin.id), from: .plugins)
    _ = try await store.update(.id(stored.id), with: ["handler": "7"], in: .customPlugins)
    #expect(await store.pluginCatalogue["mine"]?.priority == 7)
    try await store.delete(.endpointKey("mine"), from: .customPlugins)
    #expect(await store.pluginCatalogue["mine"] == nil)
  }

  @Test("bundled, streamed and cloned plugins share one name space")
  func names() async throws {
    _ = try await store.insert(definition("mine"), into: .customPlugins)
    let clone: EntityFields = ["name": "twin", "ref": "key-auth"]
    _ = try await store.insert(clone, into: .clonedPlugins)
    for name in ["key-auth", "openid-connect", "twin"] {
      let refused = await refusal { try await store.insert(definition(name), into: .customPlugins) }
      #expect(refused?.code == .schemaViolation)
      #expect(refused?.fields["name"]?.string?.contains("'\(name)' belongs to") == true)
    }
    let taken = await refusal { try await store.insert(["name": "mine", "ref": "key-auth"], into: .clonedPlugins) }
    #expect(taken?.fields["name"] != nil)
    let twice = await refusal { try await store.insert(definition("mine"), into: .customPlugins) }
    #expect(twice?.code == .uniqueViolation)
    let renamed = await refusal {
      try await store.update(.endpointKey("mine"), with: ["name": "twin"], in: .customPlugins)
    }
    #expect(renamed?.fields["name"] != nil)
  }

  @Test("a clone has its source's schema, and its priority unless it has its own")
  func clones() async throws {
    let plain = try await store.insert(["name": "log-2", "ref": "file-log"], into: .clonedPlugins)
    #expect(plain["priority"] == .null)
    _ = try await store.insert(["name": "log-3", "ref": "file-log", "priority": 55], into: .clonedPlugins)
    let catalogue = await store.pluginCatalogue
    #expect(catalogue["log-2"]?.priority == 9)
    #expect(catalogue["log-3"]?.priority == 55)
    #expect(catalogue["log-2"]?.origin == .cloned(of: "file-log"))
    _ = try await store.insert(["name": "file-log"], into: .plugins)
    let instance = try await store.insert(["name": "log-2"], into: .plugins)
    #expect(instance["config"] == ["word": "x"])
    for ref in ["rate-limiting", "nothing", "opa"] {
      let refused = await refusal {
        try await store.insert(["name": "other", "ref": .string(ref)], into: .clonedPlugins)
      }
      #expect(refused?.fields["ref"] != nil)
    }
    let held = await refusal {
      try await store.update(.endpointKey("log-2"), with: ["priority": 1], in: .clonedPlugins)
    }
    #expect(held?.code == .foreignKeyViolation)
  }

  @Test("at most five clones of one plugin, however many writers try")
  func cloneLimit() async throws {
    let store = store
    let made = await withTaskGroup(of: EntityError?.self) { group in
      for index in 0..<12 {
        group.addTask {
          await refusal {
            try await store.insert(["name": .string("twin-\(index)"), "ref": "key-auth"], into: .clonedPlugins)
          }
        }
      }
      return await group.reduce(into: [EntityError?]()) { $0.append($1) }
    }
    #expect(made.count { $0 == nil } == 5)
    #expect(made.compactMap { $0 }.allSatisfy { $0.fields["ref"] != nil })
    let one = try #require(try await store.page(PageRequest(), of: .clonedPlugins).entities.first)
    _ = try await store.update(.id(one.id), with: ["priority": 3], in: .clonedPlugins)
    let other = try await store.insert(["name": "log", "ref": "file-log"], into: .clonedPlugins)
    let moved = await refusal { try await store.update(.id(other.id), with: ["ref": "key-auth"], in: .clonedPlugins) }
    #expect(moved?.fields["ref"] != nil)
  }

  @Test("a definition and its instances written at once leave no instance of nothing")
  func definitionRace() async throws {
    let store = store
    _ = try await store.insert(definition("mine"), into: .customPlugins)
    await withTaskGroup(of: Void.self) { group in
      group.addTask { _ = await refusal { try await store.delete(.endpointKey("mine"), from: .customPlugins) } }
      group.addTask {
        _ = await refusal { try await store.insert(["name": "mine", "config": ["word": "w"]], into: .plugins) }
      }
    }
    let isDefined = try await store.select(.endpointKey("mine"), from: .customPlugins) != nil
    let isUsed = try await !store.page(PageRequest(), of: .plugins).entities.isEmpty
    #expect(isDefined == isUsed)
  }

  @Test("with streaming off there are no streamed plugins, stored ones included")
  func streamingOff() async throws {
    _ = try await store.insert(definition("mine"), into: .customPlugins)
    var rules = testRules
    rules.isStreamingEnabled = false
    let other = EntityStore(backend: fixture.storage, rules: rules)
    #expect(try await other.select(.endpointKey("mine"), from: .customPlugins) == nil)
    #expect(try await other.page(PageRequest(), of: .customPlugins).entities.isEmpty)
    #expect(await refusal { try await other.insert(definition("two"), into: .customPlugins) } != nil)
    #expect(await other.pluginCatalogue["mine"] == nil)
    #expect(try await other.snapshot()["custom_plugins"].isEmpty)
  }

  @Test("a bad condition is refused with its place")
  func condition() async throws {
    let bad = await refusal { try await store.insert(["name": "key-auth", "condition": "bad"], into: .plugins) }
    #expect(bad?.fields == ["condition": "1:1: unexpected end"])
    let checked = await refusal { try await store.validate(["name": "key-auth", "condition": "bad"], as: .plugins) }
    #expect(checked == bad)
    let none: JSONValue = ["id": "99999999-9999-4999-8999-999999999999"]
    try await store.validate(["name": "key-auth", "route": none], as: .plugins)
  }
}
