/// The schema of one plugin: which scopes and protocols an instance may have, and its configuration.
///
/// Source: Kong fact, schema-library §1.
public struct PluginSchema: Sendable {
  public var name: String
  /// The plugin's own fields in declaration order: scope restrictions (`consumer`, `route`, …), `protocols`, `config`.
  /// `config` is always last, and a record unless the plugin says that it is `json`.
  public var fields: [RecordSchema.NamedField]
  /// Checks over the whole instance; paths start with `config.`.
  public var entityChecks: [EntityCheck]
  /// Other names for fields of the instance; paths start with `config.`.
  public var shorthandFields: [ShorthandField]
  public var transformations: [Transformation]

  public init(
    name: String, fields: [RecordSchema.NamedField], entityChecks: [EntityCheck] = [],
    shorthandFields: [ShorthandField] = [], transformations: [Transformation] = []
  ) {
    self.name = name
    self.fields = fields
    self.entityChecks = entityChecks
    self.shorthandFields = shorthandFields
    self.transformations = transformations
  }

  public subscript(name: String) -> FieldSchema? { fields.first { $0.name == name }?.schema }
}
