import EntityModel
import Foundation

@testable import Storage

/// A directory that is gone when the value is.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }
}

/// Reads streamed plugins by plain rules, so that tests of the store need no Lua: the schema text names one required
/// string of the configuration, the handler text is the priority.
struct PlainInspector: StreamedPluginInspector {
  func inspect(name: String, schema: String, handler: String) throws(SchemaViolations) -> StreamedPluginInspection {
    guard let priority = Int(handler) else { throw SchemaViolations(fields: ["handler": "1: no PRIORITY"]) }
    let config = FieldSchema(.record(RecordSchema([.init(schema, required(.string))])))
    return StreamedPluginInspection(
      schema: PluginSchema(
        name: name, fields: [.init("protocols", protocols), .init("config", required(config.kind))]),
      priority: priority, version: "1.0", phases: ["access"])
  }
}

private func required(_ kind: FieldSchema.Kind) -> FieldSchema {
  var field = FieldSchema(kind)
  field.required = true
  return field
}

private var protocols: FieldSchema {
  var field = required(.set(FieldSchema(.string)))
  field.defaultValue = ["grpc", "grpcs", "http", "https"]
  return field
}

func bundledPlugin(_ name: String, priority: Int = 100) -> PluginDescription {
  var word = FieldSchema(.string)
  word.defaultValue = "x"
  let config = required(.record(RecordSchema([.init("word", word)])))
  return PluginDescription(
    name: name, origin: .bundled, priority: priority, version: "3.15.0",
    schema: PluginSchema(name: name, fields: [.init("protocols", protocols), .init("config", config)]))
}

let testRules = StoreRules(
  bundled: [bundledPlugin("key-auth"), bundledPlugin("file-log", priority: 9), bundledPlugin("correlation-id")],
  inspector: PlainInspector(), isStreamingEnabled: true,
  checkCondition: { $0 == "bad" ? "1:1: unexpected end" : nil })

/// A store on a file of its own.
struct SQLiteFixture {
  let directory: TemporaryDirectory
  let storage: SQLiteStorage
  let store: EntityStore

  init(rules: StoreRules = testRules) throws {
    directory = try TemporaryDirectory()
    storage = try SQLiteStorage(path: directory.file("sluice.db"), kinds: EntityStore.kinds)
    store = EntityStore(backend: storage, rules: rules)
  }
}

/// The error of an operation that must fail.
func refusal<Result>(_ body: () async throws -> Result) async -> EntityError? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error as? EntityError
  }
}

extension EntityFields {
  var id: String { self["id"]?.string ?? "" }
  var reference: JSONValue { ["id": self["id"] ?? .null] }
}
