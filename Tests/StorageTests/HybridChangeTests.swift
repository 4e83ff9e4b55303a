import EntityModel
import Testing

@testable import Storage

/// A linear congruential generator, so that a failure can be seen again.
private struct Dice {
  var state: UInt64

  mutating func roll(_ sides: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(sides))
  }
}

@Suite("Received changes")
struct HybridChangeTests {
  /// The table as it comes over the wire: text in the place of entities, the same part for the same part.
  private struct Wire {
    var parts: [ObjectIdentifier: (source: TablePart, text: TablePart)] = [:]

    mutating func received(_ table: ConfigTable) throws -> ConfigTable {
      var received = ConfigTable(members: table.members, lists: [:])
      for (name, list) in table.lists {
        received.lists[name] = try list.map { source in
          if let known = parts[ObjectIdentifier(source)] { return known.text }
          let rows = try #require(source.rows)
          let text = Array(rows.map(\.serializedString).joined(separator: ",").utf8)
          let made = TablePart(text: text, again: { text })
          let part = try #require(made)
          parts[ObjectIdentifier(source)] = (source, part)
          return part
        }
      }
      return received
    }
  }

  @Test("after many random changes the configuration is what loading the whole gives", arguments: 1...4)
  func equivalence(seed: Int) async throws {
    var dice = Dice(state: UInt64(seed))
    let fixture = try SQLiteFixture()
    let store = fixture.store
    var encoder = HybridEncoder()
    var receiver = HybridReceiver(rules: testRules)
    var wire = Wire()
    var wholes = 0
    let service = try await store.insert(["name": "s", "host": "h"], into: .services)
    for number in 0..<120 {
      _ = try await store.insert(
        ["name": .string("r\(number)"), "paths": ["/"], "service": service.reference], into: .routes)
    }
    for step in 0..<60 {
      for _ in 0...dice.roll(3) {
        let name = "r\(dice.roll(140))"
        let plugin = ["key-auth", "file-log", "mine", "second"][dice.roll(4)]
        // Some are refused: what matters is what is stored afterwards.
        do {
          switch dice.roll(9) {
          case 0: try await store.delete(.endpointKey(name), from: .routes)
          case 1, 2:
            _ = try await store.upsert(
              .endpointKey(name), with: ["paths": [.string("/\(step)")], "service": service.reference], in: .routes)
          case 3, 4, 5:
            guard let route = try await store.select(.endpointKey(name), from: .routes) else { continue }
            _ = try await store.insert(
              ["name": .string(plugin), "route": route.reference, "config": ["word": .string("w\(step)")]],
              into: .plugins)
          case 6:
            let plugins = try await store.snapshot()["plugins"]
            guard !plugins.isEmpty, let id = plugins[dice.roll(plugins.count)]["id"]?.string else { continue }
            if dice.roll(2) == 0 {
              try await store.delete(.id(id), from: .plugins)
            } else {
              _ = try await store.update(.id(id), with: ["enabled": .bool(dice.roll(3) > 0)], in: .plugins)
            }
          case 7:
            _ = try await store.upsert(
              .endpointKey("mine"), with: ["schema": "word", "handler": .string("\(800 + step)")], in: .customPlugins)
          default: _ = try await store.insert(["name": "second", "ref": "key-auth"], into: .clonedPlugins)
          }
        } catch {}
      }
      let payload = encoder.encode(try await store.snapshot())
      let received = try receiver.load(try wire.received(payload.table), hash: payload.hash)
      let whole = try DeclarativeLoader(rules: testRules).load(configTable: payload.configTable, hash: payload.hash)
      #expect(received.entities == whole.entities, "step \(step)")
      #expect(received.hash == payload.hash)
      if receiver.hasReadWhole { wholes += 1 }
    }
    // Only the first.
    #expect(wholes == 1)
  }
}
