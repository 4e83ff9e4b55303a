import AdminAPI
import EntityModel
import Foundation
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Storage
import Synchronization
import Testing

/// The Admin API over a real SQLite store in a directory of its own.
struct AdminRig: Sendable {
  var configuration = AdminAPIConfiguration(
    addresses: [.init(host: "127.0.0.1", port: 0)], isStreamingEnabled: true, sluiceVersion: "0.1.2")
  var node = TestNode()
  var clock = TestClock()

  /// Runs the body against the Admin API's own responder.
  func run(_ body: @Sendable (AdminClient) async throws -> Void) async throws {
    try await withRepository { try await run(over: $0, body) }
  }

  func run(
    over repository: any EntityRepository, _ body: @Sendable (AdminClient) async throws -> Void
  ) async throws {
    let api = AdminAPI(repository: repository, node: node, configuration: configuration, logger: Self.silent)
    try await api.makeApplication(at: configuration.addresses[0]).test(.router) { client in
      try await body(AdminClient(client: client))
    }
  }

  /// What a store of this rig may hold.
  var rules: StoreRules {
    StoreRules(
      bundled: TestPlugins.bundled, inspector: TestInspector(), isStreamingEnabled: configuration.isStreamingEnabled,
      now: { [clock] in clock.seconds })
  }

  func withRepository(_ body: (any EntityRepository) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-admin-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let backend = try SQLiteStorage(
      path: directory.appendingPathComponent("store.sqlite").path, kinds: EntityStore.kinds)
    try await body(EntityStore(backend: backend, rules: rules))
  }

  static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// A clock that goes only when the test says so.
final class TestClock: Sendable {
  private let time = Mutex(1_800_000_000.25)

  var seconds: Double { time.withLock { $0 } }

  func advance(by seconds: Double) { time.withLock { $0 += seconds } }
}

/// Sends requests as a client of the Admin API would.
struct AdminClient: Sendable {
  let client: any TestClientProtocol

  struct Answer: Sendable {
    var status: Int
    var headers: HTTPFields
    var text: String
    var json: JSONValue

    subscript(path: String) -> JSONValue? {
      path.split(separator: ".").reduce(json as JSONValue?) { value, part in
        if let index = Int(part), let array = value?.array { array.indices.contains(index) ? array[index] : nil } else {
          value?[String(part)]
        }
      }
    }

    func header(_ name: String) -> String? {
      headers.first { $0.name.rawName.lowercased() == name.lowercased() }?.value
    }
  }

  @discardableResult
  func call(_ method: String, _ path: String, _ json: JSONValue? = nil) async throws -> Answer {
    try await send(method, path, body: json?.serializedString, type: json == nil ? nil : "application/json")
  }

  func send(
    _ method: String, _ path: String, body: String?, type: String?, headers: HTTPFields = [:]
  ) async throws -> Answer {
    try await send(method, path, bytes: body.map { Array($0.utf8) }, type: type, headers: headers)
  }

  func send(
    _ method: String, _ path: String, bytes: [UInt8]?, type: String?, headers: HTTPFields = [:]
  ) async throws -> Answer {
    var headers = headers
    if let type { headers[.contentType] = type }
    let method = try #require(HTTPRequest.Method(method))
    return try await client.execute(
      uri: path, method: method, headers: headers, body: bytes.map { ByteBuffer(bytes: $0) }
    ) { response in
      let text = String(buffer: response.body)
      return Answer(
        status: response.status.code, headers: response.headers, text: text,
        json: (try? JSONValue(parsing: text)) ?? .null)
    }
  }

  func form(_ method: String, _ path: String, _ body: String) async throws -> Answer {
    try await send(method, path, body: body, type: "application/x-www-form-urlencoded")
  }
}

/// A node whose answers the test sets.
final class TestNode: AdminNodeSource {
  struct State: Sendable {
    var dataPlanes: [EntityFields]?
    var logLevel = "notice"
    var running = "_format_version: \"3.0\"\n"
    var loads: [String] = []
    var isReachable: Bool? = true
    var hash: String?
  }

  let state: Mutex<State>

  init(dataPlanes: [EntityFields]? = nil) { state = Mutex(State(dataPlanes: dataPlanes)) }

  let identity = NodeIdentity(
    id: "11111111-2222-4333-8444-555555555555", hostname: "node.test", processID: 42, workerIDs: [1, 2],
    luaVersion: "LuaJIT 2.1")
  let configuration: [String: JSONValue] = ["database": "sqlite", "pg_password": "******"]
  var statistics: NodeStatistics {
    var statistics = NodeStatistics()
    statistics.totalRequests = 7
    statistics.luaMemory = [1 << 20, 1_572_864]
    return statistics
  }
  var isDatabaseReachable: Bool? { state.withLock { $0.isReachable } }
  var configurationHash: String? { state.withLock { $0.hash } }
  var dataPlanes: [EntityFields]? { state.withLock { $0.dataPlanes } }
  var logLevel: String { state.withLock { $0.logLevel } }

  func declarativeConfiguration() async throws(AdminRefusal) -> String { state.withLock { $0.running } }

  func loadConfiguration(
    text: String, checksHash: Bool, flattensErrors: Bool
  ) async throws(AdminRefusal) -> ConfigurationLoad {
    let isKnown = state.withLock { state in
      defer { state.loads.append(text) }
      return state.loads.last == text
    }
    if checksHash, isKnown { return .unchanged }
    guard text.contains("_format_version") else {
      var document: [String: JSONValue] = ["code": 14, "fields": ["_format_version": "required field missing"]]
      if flattensErrors { document["flattened_errors"] = [] }
      throw AdminRefusal(status: 400, document: document)
    }
    return .loaded(["services": ["a": ["id": "a"]]])
  }

  func setLogLevel(_ level: String, timeout: Int?) async throws(AdminRefusal) {
    guard ["debug", "info", "notice"].contains(level) else {
      throw .message(400, "unknown log level: \(level)")
    }
    state.withLock { $0.logLevel = level }
  }
}

/// Plugins that stand for the bundled ones.
enum TestPlugins {
  static let bundled: [PluginDescription] = [
    PluginDescription(
      name: "correlation-id", origin: .bundled, priority: 100_001, version: "3.15.0",
      schema: schema(
        "correlation-id",
        [
          "header_name": .string.defaulting(to: "Kong-Request-ID"),
          "generator": .string.asRequired().defaulting(to: "uuid#counter").checked(
            by: .oneOf(["uuid", "uuid#counter", "tracker"])),
          "echo_downstream": .boolean.asRequired().defaulting(to: false),
        ])),
    PluginDescription(
      name: "rate-limiting", origin: .bundled, priority: 910, version: "3.15.0",
      schema: schema(
        "rate-limiting",
        [
          "minute": .number.checked(by: .greaterThan(0)),
          "hour": .number.checked(by: .greaterThan(0)),
          "policy": .string.asRequired().defaulting(to: "local").checked(by: .oneOf(["local", "redis"])),
          "limits": .array(
            of: .record(RecordSchema(["window": .integer.asRequired(), "name": .string.defaulting(to: "main")]))),
          "headers": .map(.string, .array(of: .string)),
          "redis": .record(
            RecordSchema(["port": .integer.defaulting(to: 6379).checked(by: .between(0, 65535)), "host": .string])
          ).asRequired(),
        ],
        entityChecks: [.atLeastOneOf(["config.minute", "config.hour"])])),
    PluginDescription(
      name: "acl", origin: .bundled, priority: 950, version: "3.15.0",
      schema: schema("acl", ["allow": .array(of: .string), "deny": .array(of: .string)])),
  ]

  /// What `TestInspector` makes of a plugin named replaceme.
  static let streamed = schema(
    "replaceme",
    ["target_word": .string.asRequired(), "replacement_word": .string.asRequired()])

  static func schema(
    _ name: String, _ config: KeyValuePairs<String, FieldSchema>, entityChecks: [EntityCheck] = []
  ) -> PluginSchema {
    PluginSchema(
      name: name,
      fields: [
        .init(
          "protocols",
          FieldSchema.set(of: .string.checked(by: .oneOf(["grpc", "grpcs", "http", "https"]))).asRequired()
            .defaulting(to: ["grpc", "grpcs", "http", "https"])),
        .init("config", FieldSchema.record(RecordSchema(config)).asRequired()),
      ],
      entityChecks: entityChecks)
  }
}

/// Stands for the inspection of Lua text, which belongs to another layer: knows the schema of one plugin, and refuses
/// a handler without a priority.
struct TestInspector: StreamedPluginInspector {
  func inspect(name: String, schema: String, handler: String) throws(SchemaViolations) -> StreamedPluginInspection {
    guard handler.contains("PRIORITY") else {
      throw SchemaViolations(fields: ["handler": "handler.lua:1: PRIORITY is missing; add `PRIORITY = 1000`"])
    }
    let isReflector = name == "reflector"
    return StreamedPluginInspection(
      schema: isReflector ? TestPlugins.schema(name, [:]) : TestPlugins.streamed,
      priority: isReflector ? -10 : 800, version: "1.0", phases: ["access"])
  }
}
