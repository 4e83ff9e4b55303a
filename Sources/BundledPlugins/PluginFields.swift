import EntityModel

/// The fields that most plugin schemas share.
enum PluginFields {
  /// A plugin for HTTP only.
  static var protocolsHTTP: FieldSchema {
    var element = FieldSchema(.string)
    element.checks = [.oneOf(["grpc", "grpcs", "http", "https"])]
    var field = FieldSchema(.set(element))
    field.required = true
    field.defaultValue = ["grpc", "grpcs", "http", "https"]
    field.description = "Protocols of the requests that the plugin runs for."
    return field
  }

  /// A scope that instances of the plugin may not have.
  static func noScope(_ collection: String) -> FieldSchema {
    var field = FieldSchema(.foreign(collection))
    field.checks = [.equal(.null)]
    return field
  }

  static func config(_ fields: [RecordSchema.NamedField], entityChecks: [EntityCheck] = []) -> FieldSchema {
    var field = FieldSchema(.record(RecordSchema(fields, entityChecks: entityChecks)))
    field.required = true
    return field
  }
}
