/// The schema of one plugin: which scopes and protocols an instance may have, and its configuration.
///
/// Source: Kong fact, schema-library §1.
public struct PluginSchema: Sendable {
  public var name: String
  /// The plugin's own fields in declaration order: scope restrictions (`consumer`, `route`, …), `protocols`, `config`.
  /// `config` is always last and always a record.
  public var fields: [RecordSchema.NamedField]
  /// Checks over the whole instance; paths start with `config.`.
  public var entityChecks: [EntityCheck]

  public init(name: String, fields: [RecordSchema.NamedField], entityChecks: [EntityCheck] = []) {
    self.name = name
    self.fields = fields
    self.entityChecks = entityChecks
  }

  public subscript(name: String) -> FieldSchema? { fields.first { $0.name == name }?.schema }
}
