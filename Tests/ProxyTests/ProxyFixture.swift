import EntityModel
import EpollTransport
import GatewayTesting
import Logging
import NIOCore
import PluginKit

@testable import Proxy

/// A proxy on a port of its own with a configuration made of a few words.
struct ProxyFixture {
  let server: ProxyServer
  let port: Int

  static func start(
    _ entities: [String: [EntityFields]] = [:], plugins: [PluginDefinition] = [], node: NodeInfo = .test,
    configure: (inout ProxyConfiguration) -> Void = { _ in }
  ) async throws -> ProxyFixture {
    var configuration = ProxyConfiguration(listeners: [.init(host: "127.0.0.1", port: 0)])
    configure(&configuration)
    let server = try await ProxyServer(
      configuration: configuration, node: node, group: try .testing(),
      logger: Logger(label: "test") { _ in
        SwiftLogNoOpLogHandler()
      })
    let fixture = ProxyFixture(server: server, port: try await server.start()[0].port)
    try await fixture.load(entities, plugins: plugins)
    return fixture
  }

  /// One service on `upstream` and one route `/` that strips nothing.
  static func start(
    upstream: Int, service: EntityFields = [:], route: EntityFields = [:], plugins: [TestPlugin] = [],
    node: NodeInfo = .test, configure: (inout ProxyConfiguration) -> Void = { _ in }
  ) async throws -> ProxyFixture {
    let instances = plugins.map { plugin -> EntityFields in
      var entity: EntityFields = ["id": .string("plugin-\(plugin.name)"), "name": .string(plugin.name), "config": [:]]
      if let condition = plugin.condition { entity["condition"] = .string(condition) }
      return entity
    }
    return try await start(
      [
        "services": [
          Entities.service("main", port: upstream).merging(service) { $1 }
        ],
        "routes": [Entities.route("main", service: "main", path: "/").merging(route) { $1 }],
        "plugins": instances,
      ], plugins: plugins.map(\.definition), node: node, configure: configure)
  }

  func load(_ entities: [String: [EntityFields]], plugins: [PluginDefinition] = []) async throws {
    let snapshot = try SnapshotCompiler(registry: PluginRegistry(plugins), logger: Logger(label: "test")).compile(
      ConfigSnapshot(entities: entities, hash: "test", number: 1))
    try await server.swap(to: snapshot)
  }

  func connect() throws -> SocketConnection { try SocketConnection(port: port) }

  func get(_ path: String, headers: [(String, String)] = []) throws -> TestResponse {
    try connect().exchange("GET", path, headers: headers)
  }

  func stop() async { await server.drain(timeout: .seconds(1)) }
}

extension EpollEventLoopGroup {
  /// The loops of all tests, which end with the process.
  static func testing() throws -> EpollEventLoopGroup { try shared.get() }

  private static let shared = Result { try EpollEventLoopGroup(numberOfThreads: 2) }
}

extension NodeInfo {
  static let test = NodeInfo(id: "node", hostname: "test")
}

/// Entities as a store would give them, as far as the proxy looks at them.
enum Entities {
  static func service(_ id: String, host: String = "127.0.0.1", port: Int, path: String? = nil) -> EntityFields {
    [
      "id": .string(id), "name": .string(id), "protocol": "http", "host": .string(host), "port": .integer(Int64(port)),
      "path": path.map { .string($0) } ?? .null, "retries": 5, "connect_timeout": 60000, "write_timeout": 60000,
      "read_timeout": 60000, "enabled": true,
    ]
  }

  static func route(_ id: String, service: String?, path: String, stripPath: Bool = false) -> EntityFields {
    [
      "id": .string(id), "name": .string(id), "paths": [.string(path)], "protocols": ["http", "https"],
      "strip_path": .bool(stripPath), "preserve_host": false, "https_redirect_status_code": 426,
      "service": service.map { ["id": .string($0)] } ?? .null,
    ]
  }
}

/// A plugin of a test: a closure per phase.
struct TestPlugin: PluginImplementation {
  let name: String
  let priority: Int
  var condition: String?
  let phases: PhaseSet
  let body: @Sendable (Phase, RequestContext) -> PhaseOutcome

  init(
    _ name: String, priority: Int = 1000, phases: [Phase], condition: String? = nil,
    _ body: @escaping @Sendable (Phase, RequestContext) -> PhaseOutcome
  ) {
    self.name = name
    self.priority = priority
    self.phases = PhaseSet(phases)
    self.condition = condition
    self.body = body
  }

  struct Executor: PluginExecutor {
    let phases: PhaseSet
    let body: @Sendable (Phase, RequestContext) -> PhaseOutcome
    func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome { body(phase, context) }
  }

  func makeExecutor(for instance: PluginInstance) throws(PluginCompileError) -> any PluginExecutor {
    Executor(phases: phases, body: body)
  }

  var definition: PluginDefinition {
    PluginDefinition(
      description: PluginDescription(
        name: name, origin: .bundled, priority: priority, version: "1.0.0",
        schema: PluginSchema(name: name, fields: [])),
      phases: phases, implementation: self)
  }
}

/// A 200 with a body and its length.
func ok(_ body: String, headers: String = "") -> UpstreamAct {
  .send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
}
