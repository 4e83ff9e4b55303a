import EntityModel
import PluginKit

/// `correlation-id`: gives each request an identifier in a header, and shows it to the client if wanted.
enum CorrelationID {
  static let definition = PluginDefinition(
    description: PluginDescription(
      name: "correlation-id", origin: .bundled, priority: 100_001, version: BundledPlugins.version, schema: schema),
    phases: PhaseSet([.access, .headerFilter]), implementation: Implementation())

  static let schema = PluginSchema(
    name: "correlation-id",
    fields: [
      .init("protocols", PluginFields.protocolsHTTP),
      .init("consumer_group", PluginFields.noScope("consumer_groups")),
      .init("config", PluginFields.config([
        .init("header_name", headerName), .init("generator", generator), .init("echo_downstream", echoDownstream),
      ])),
    ])

  private static var headerName: FieldSchema {
    var field = FieldSchema(.string)
    field.defaultValue = "Kong-Request-ID"
    field.description = "Name of the request header that carries the identifier."
    return field
  }

  private static var generator: FieldSchema {
    var field = FieldSchema(.string)
    field.required = true
    field.defaultValue = "uuid#counter"
    field.checks = [.oneOf(["uuid", "uuid#counter", "tracker"])]
    field.description = "How an identifier is made for a request that brings none."
    return field
  }

  private static var echoDownstream: FieldSchema {
    var field = FieldSchema(.boolean)
    field.required = true
    field.defaultValue = false
    field.description = "Whether the identifier is sent back to the client in the same header."
    return field
  }

  struct Implementation: PluginImplementation {
    func makeExecutor(for instance: PluginInstance) throws(PluginCompileError) -> any PluginExecutor {
      guard let generator = CorrelationIDGenerator(rawValue: instance.config["generator"]?.string ?? "") else {
        throw PluginCompileError(
          plugin: instance.pluginName, reason: "config.generator must be uuid, uuid#counter or tracker")
      }
      return CorrelationIDExecutor(
        headerName: instance.config["header_name"]?.string ?? "Kong-Request-ID", generator: generator,
        echoesDownstream: instance.config["echo_downstream"]?.bool ?? false)
    }
  }
}
