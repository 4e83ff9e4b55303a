import EntityModel
import Logging
import PluginKit
import Testing

@testable import Proxy

/// What a snapshot means, in comparable words.
private func meaning(of snapshot: RuntimeSnapshot) -> [String] {
  func words(_ chain: PluginChain) -> String {
    chain.slots.map { slot in
      "\(slot.name)@\(slot.priority)[\(slot.candidates.map(\.instance.id).sorted().joined(separator: ","))]"
    }.joined(separator: " ") + " \(chain.accessOrder)"
  }
  let routes = snapshot.routes.compactMap { $0 }.map { route in
    let place = route.service?.balancer.map { "balancer \($0.name)" } ?? route.service?.host ?? "nowhere"
    return "\(route.info.entity.serializedString) to \(place): \(words(route.chain))"
  }
  return routes + [
    "global " + words(snapshot.globalChain), "\(snapshot.configuredPlugins.sorted { $0.key < $1.key })",
    "\(snapshot.balancers.keys.sorted())", "\(snapshot.routeTable.routeCount) in the table",
  ]
}

/// A linear congruential generator, so that a failure can be seen again.
private struct Dice {
  var state: UInt64

  mutating func roll(_ sides: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(sides))
  }
}

@Suite("Compiling after a change")
struct IncrementalCompileTests {
  private let plugins = ["one", "two", "three"].enumerated().map { index, name in
    TestPlugin(name, priority: 100 * index, phases: [.access]) { _, _ in .finished }
  }

  private func compiler(_ more: [PluginDefinition] = []) -> SnapshotCompiler {
    SnapshotCompiler(
      registry: PluginRegistry(plugins.map(\.definition) + more),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  private func plugin(_ id: String, _ name: String, route: String? = nil, service: String? = nil) -> EntityFields {
    [
      "id": .string(id), "name": .string(name), "config": [:], "enabled": true,
      "route": route.map { ["id": .string($0)] } ?? .null, "service": service.map { ["id": .string($0)] } ?? .null,
    ]
  }

  @Test("after any changes the snapshot is what compiling from nothing gives", arguments: 1...8)
  func equivalence(seed: Int) throws {
    var dice = Dice(state: UInt64(seed))
    var entities: [String: [String: EntityFields]] = [:]
    var running: RuntimeSnapshot?
    for step in 0..<60 {
      for _ in 0...dice.roll(3) {
        let number = dice.roll(6)
        let other = dice.roll(4)
        let kind = ["services", "routes", "plugins", "plugins", "upstreams", "targets"][dice.roll(6)]
        let id = "\(kind)-\(number)"
        guard dice.roll(4) > 0 else {
          entities[kind]?[id] = nil
          continue
        }
        switch kind {
        case "services":
          var service = Entities.service(id, host: dice.roll(2) == 0 ? "name-\(other)" : "127.0.0.1", port: 1 + other)
          service["enabled"] = .bool(dice.roll(4) > 0)
          entities[kind, default: [:]][id] = service
        case "routes":
          entities[kind, default: [:]][id] = Entities.route(
            id, service: dice.roll(3) == 0 ? nil : "services-\(other)", path: "/\(dice.roll(9))")
        case "plugins":
          var row = plugin(
            id, ["one", "two", "three"][dice.roll(3)], route: dice.roll(2) == 0 ? "routes-\(other)" : nil,
            service: dice.roll(3) == 0 ? "services-\(dice.roll(4))" : nil)
          row["enabled"] = .bool(dice.roll(5) > 0)
          if dice.roll(4) == 0 { row["ordering"] = ["before": ["access": ["three"]]] }
          entities[kind, default: [:]][id] = row
        case "upstreams":
          entities[kind, default: [:]][id] = ["id": .string(id), "name": .string("name-\(other)")]
        default:
          entities[kind, default: [:]][id] = [
            "id": .string(id), "upstream": ["id": .string("upstreams-\(other)")], "target": "127.0.0.1:80",
            "weight": 100,
          ]
        }
      }
      let config = ConfigSnapshot(
        entities: entities.mapValues { list in list.sorted { $0.key < $1.key }.map(\.value) }, hash: "\(step)",
        number: UInt64(step))
      let next = try compiler().compile(config, reusing: running)
      #expect(meaning(of: next) == meaning(of: try compiler().compile(config)), "step \(step)")
      #expect(next.number == UInt64(step))
      running = next
    }
  }

  @Test("what a change does not concern stays the same object")
  func reuse() throws {
    func config(_ more: EntityFields...) -> ConfigSnapshot {
      ConfigSnapshot(
        entities: [
          "services": [Entities.service("s", port: 1)],
          "routes": [Entities.route("a", service: "s", path: "/a"), Entities.route("b", service: "s", path: "/b")],
          "plugins": [plugin("p1", "one", route: "a")] + more,
        ], hash: "h", number: 1)
    }
    let first = try compiler().compile(config())
    let second = try compiler().compile(config(plugin("p2", "two", route: "b")), reusing: first)
    #expect(second.routes[0] === first.routes[0])
    #expect(second.routes[1] !== first.routes[1])
    #expect(second.routes[1]?.service === first.routes[1]?.service)
    #expect(second.parts.plugins["p1"] === first.parts.plugins["p1"] && second.parts.plugins.count == 2)
    let third = try compiler().compile(config(plugin("p2", "two")), reusing: second)
    #expect(third.routes[0]?.chain.slots.map(\.name) == ["two", "one"])
    #expect(third.parts.plugins["p1"] === first.parts.plugins["p1"] && third.parts.plugins.count == 2)
  }

  @Test("instances of a definition that changed, and those that know consumers when these change, are made again")
  func dependence() throws {
    func config(handler: String, consumer: String) -> ConfigSnapshot {
      ConfigSnapshot(
        entities: [
          "custom_plugins": [["id": "c", "name": "one", "handler": .string(handler)]],
          "consumers": [["id": .string(consumer), "username": .string(consumer)]],
          "plugins": [plugin("p1", "one"), plugin("p2", "two"), plugin("p3", "aware")],
        ], hash: "h", number: 1)
    }
    func areSame(_ left: RuntimeSnapshot, _ right: RuntimeSnapshot) -> [Bool] {
      ["p1", "p2", "p3"].map { left.parts.plugins[$0] != nil && left.parts.plugins[$0] === right.parts.plugins[$0] }
    }
    let aware = PluginDefinition(
      description: PluginDescription(
        name: "aware", origin: .bundled, priority: 1, version: "1.0.0", schema: PluginSchema(name: "aware", fields: [])),
      phases: [], implementation: AwarePlugin())
    let first = try compiler([aware]).compile(config(handler: "1", consumer: "u"))
    let second = try compiler([aware]).compile(config(handler: "2", consumer: "u"), reusing: first)
    #expect(areSame(first, second) == [false, true, true])
    let third = try compiler([aware]).compile(config(handler: "2", consumer: "v"), reusing: second)
    #expect(areSame(second, third) == [true, true, false])
    #expect(third.consumer("v", byUsername: true)?.id == "v")
    #expect(throws: SnapshotCompileError.self) {
      try SnapshotCompiler(registry: PluginRegistry([aware]), logger: Logger(label: "test")).compile(
        config(handler: "3", consumer: "v"), reusing: third)
    }
  }
}

private struct AwarePlugin: SnapshotAwarePluginImplementation {
  struct Executor: PluginExecutor {
    let phases: PhaseSet = []
    func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome { .finished }
  }

  func makeExecutor(
    for instance: PluginInstance, in context: PluginCompileContext
  ) throws(PluginCompileError) -> any PluginExecutor { Executor() }
}
