/// Records of several forms in one place, told apart by the value of one field, such as the nodes of a graph.
public struct VariantSchema: Sendable {
  public struct Variant: Sendable {
    public var name: String
    /// All fields of the form, the telling one included.
    public var record: RecordSchema

    public init(_ name: String, _ record: RecordSchema) {
      self.name = name
      self.record = record
    }
  }

  /// The field whose value names the form.
  public var key: String
  public var variants: [Variant]

  public init(key: String, _ variants: [Variant]) {
    self.key = key
    self.variants = variants
  }

  public subscript(name: String) -> RecordSchema? { variants.first { $0.name == name }?.record }

  /// The form that a record says it has.
  func record(for members: [String: JSONValue]) -> RecordSchema? { members[key]?.string.flatMap { self[$0] } }

  /// Every field of every form once, for readers of schemas, without defaults: those hold for their own form only.
  var union: RecordSchema {
    var names: Set<String> = []
    var fields: [RecordSchema.NamedField] = []
    for variant in variants {
      for field in variant.record.fields where names.insert(field.name).inserted {
        var field = field
        if field.name == key {
          field.schema.checks = [.oneOf(variants.map { .string($0.name) })]
        } else {
          field.schema.defaultValue = nil
          field.schema.required = false
        }
        fields.append(field)
      }
    }
    return RecordSchema(fields)
  }

  /// Without the fields of other forms that are null, which clients send who fill in every field of the union.
  func withoutForeignNulls(_ members: [String: JSONValue], by record: RecordSchema) -> [String: JSONValue] {
    members.filter { name, value in !value.isNull || record[name] != nil }
  }
}
