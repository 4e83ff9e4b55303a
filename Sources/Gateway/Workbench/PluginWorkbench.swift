import EntityModel
import Foundation
import LuaRuntime
import PluginKit
import Storage

/// The two texts of a streamed plugin, looked at and run on the author's machine.
///
/// Checks go through the same store as on a control plane, on a database of their own that is thrown away.
public struct PluginWorkbench: Sendable {
  let name: String
  let handler: String
  let schema: String
  let settings: GatewaySettings
  private let inspector: LuaPluginInspector

  /// - Parameters:
  ///   - name: Name of the plugin; nil takes the one in the schema.
  ///   - supposedName: Name for a schema that gives none of its own.
  ///   - settings: As on the gateway that the plugin is for: they decide about the sandbox and the limits.
  public init(
    name: String?, supposedName: String = "plugin", handler: String, schema: String, settings: GatewaySettings
  ) {
    inspector = LuaPluginInspector(settings: settings)
    self.name = name ?? inspector.name(inSchema: schema, supposed: supposedName) ?? supposedName
    self.handler = handler
    self.schema = schema
    self.settings = settings
  }

  /// What is wrong with the plugin or its configuration, in the words of the Admin API.
  public struct Refusal: Error, CustomStringConvertible {
    public let description: String
  }

  /// - Parameter configuration: JSON of an instance's `config`; nil checks the definition alone.
  /// - Returns: Everything that a control plane would know of the plugin, as lines of text.
  public func check(configuration: String?) async throws -> String {
    let (inspection, instance, _) = try await store(configuration: configuration, upstream: nil)
    var report = """
      plugin \(name)
        priority  \(inspection.priority)
        version   \(inspection.version)
        phases    \(inspection.phases.joined(separator: ", "))
        fields

      """
    if case .record(let record)? = inspection.schema["config"]?.kind {
      for field in record.fields { report += Self.lines(of: field, indent: "    ") }
      if record.fields.isEmpty { report += "    none\n" }
    }
    if let config = instance?["config"] {
      report += "  configuration with its defaults\n    \(config.serializedString)\n"
    }
    return report + "the control plane would take it\n"
  }

  private static func lines(of field: RecordSchema.NamedField, indent: String) -> String {
    var words: [String] = []
    if field.schema.required { words.append("required") }
    if let value = field.schema.defaultValue { words.append("default \(value.serializedString)") }
    if field.schema.isReferenceable { words.append("referenceable") }
    if field.schema.isEncrypted { words.append("encrypted") }
    var text = "\(indent)\(field.name): \(typeName(field.schema))"
    if !words.isEmpty { text += " (\(words.joined(separator: ", ")))" }
    text += "\n"
    if case .record(let record) = field.schema.kind {
      for inner in record.fields { text += lines(of: inner, indent: indent + "  ") }
    }
    return text
  }

  private static func typeName(_ schema: FieldSchema) -> String {
    switch schema.kind {
    case .string: "string"
    case .integer: "integer"
    case .number: "number"
    case .boolean: "boolean"
    case .array(let element): "array of \(typeName(element))"
    case .set(let element): "set of \(typeName(element))"
    case .map(let keys, let values): "map of \(typeName(keys)) to \(typeName(values))"
    case .record: "record"
    case .variant(let schema): "record by \(schema.key)"
    case .foreign(let collection): "reference to \(collection)"
    case .json: "json"
    }
  }

  /// Stores definition and instance as the Admin API would.
  ///
  /// - Parameter upstream: port of a service that a route for everything leads to; nil for no route.
  func store(
    configuration: String?, upstream: Int?
  ) async throws -> (StreamedPluginInspection, instance: EntityFields?, ConfigSnapshot) {
    let folder = NSTemporaryDirectory() + "sluice-plugin-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let store = EntityStore(
      backend: try SQLiteStorage(path: folder + "/check.db", kinds: EntityStore.kinds),
      rules: GatewayParts.rules(settings: settings, inspector: inspector))
    do throws(EntityError) {
      _ = try await store.insert(
        ["name": .string(name), "handler": .string(handler), "schema": .string(schema)], into: .customPlugins)
      if let upstream {
        let service = try await store.insert(
          ["name": "upstream", "host": "127.0.0.1", "port": .integer(Int64(upstream)), "path": "/"], into: .services)
        _ = try await store.insert(
          [
            "name": "everything", "paths": ["/"], "protocols": ["http", "https"],
            "service": ["id": service["id"] ?? .null],
          ], into: .routes)
      }
      var instance: EntityFields?
      if configuration != nil || upstream != nil {
        instance = try await store.insert(
          ["name": .string(name), "config": try Self.parsed(configuration ?? "{}")], into: .plugins)
      }
      let inspection = try inspected()
      return (inspection, instance, try await store.snapshot())
    } catch {
      throw Refusal(description: Self.text(of: error))
    }
  }

  private static func parsed(_ text: String) throws(EntityError) -> JSONValue {
    do throws(JSONError) {
      return try JSONValue(parsing: text)
    } catch {
      throw .schemaViolation(SchemaViolations(fields: ["config": .string("is not JSON: \(error)")]))
    }
  }

  private func inspected() throws(EntityError) -> StreamedPluginInspection {
    do throws(SchemaViolations) {
      return try inspector.inspect(name: name, schema: schema, handler: handler)
    } catch {
      throw .schemaViolation(error)
    }
  }

  /// The fields of a refusal, each on a line; its message where there are none.
  private static func text(of error: EntityError) -> String {
    let document = error.document
    guard let fields = document["fields"]?.object, !fields.isEmpty else {
      return document["message"]?.string ?? document.serializedString
    }
    return fields.sorted { $0.key < $1.key }.map { name, value in
      "\(name): \(value.string ?? value.serializedString)"
    }.joined(separator: "\n")
  }
}
