/// What is wrong with an entity, in the shape of the Admin API's `fields` member.
///
/// `fields` mirrors the entity: a string per bad field, an object per record, an array with nulls for the good elements
/// of an array. `entity` holds the messages about the whole (`@entity`).
public struct SchemaViolations: Error, Sendable, Hashable {
  public var fields: [String: JSONValue]
  public var entity: [String]

  public init(fields: [String: JSONValue] = [:], entity: [String] = []) {
    self.fields = fields
    self.entity = entity
  }

  public var isEmpty: Bool { fields.isEmpty && entity.isEmpty }

  /// The object of the Admin API: the fields, and `@entity` where there are messages about the whole.
  public var document: [String: JSONValue] {
    var document = fields
    if !entity.isEmpty { document["@entity"] = .array(entity.map(JSONValue.string)) }
    return document
  }
}
