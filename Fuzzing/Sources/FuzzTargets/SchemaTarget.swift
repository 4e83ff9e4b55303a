import EntityModel
import LuaRuntime

/// The text of a schema and, behind a line of `---`, a configuration in JSON: the schema is inspected and read, shown as
/// the Admin API shows it, and the configuration is validated by it.
struct SchemaTarget {
  private static let handler = "return {PRIORITY = 1, VERSION = \"1.0\", access = function() end}"
  private let inspector = LuaPluginInspector(limits: .init(time: .milliseconds(5), memoryBytes: 8 << 20))

  func run(_ bytes: UnsafeRawBufferPointer) {
    let input = Array(bytes)
    let separator = Array("\n---\n".utf8)
    let cut = input.indices.first { input[$0...].starts(with: separator) }
    let text = String(decoding: input[..<(cut ?? input.count)], as: UTF8.self)
    guard let inspection = try? inspector.inspect(name: "probe", schema: text, handler: Self.handler) else { return }
    _ = inspection.schema.document().serialized()

    let configuration = cut.flatMap { try? JSONValue(parsing: input[($0 + separator.count)...]) }
    let catalogue = PluginCatalogue([
      PluginDescription(
        name: "probe", origin: .streamed, priority: inspection.priority, version: inspection.version,
        schema: inspection.schema)
    ])
    let validator = EntityValidator(catalogue: catalogue, now: { 0 })
    guard
      let entity = try? validator.validateInsert(
        ["name": "probe", "config": configuration ?? .object([:])], of: .plugins)
    else { return }
    _ = validator.present(entity, of: .plugins).serialized()
  }
}
