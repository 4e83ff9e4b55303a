/// Shapes stored values for readers: every field there, in the type its schema says.
struct SchemaPresentation {
  func presented(_ members: [String: JSONValue], by schema: RecordSchema) -> [String: JSONValue] {
    var output: [String: JSONValue] = [:]
    output.reserveCapacity(schema.fields.count)
    for field in schema.fields {
      if field.schema.isTransient {
        if let value = members[field.name] { output[field.name] = value }
        continue
      }
      output[field.name] = presented(members[field.name] ?? .null, by: field.schema)
    }
    for shorthand in schema.shorthandFields {
      let path = shorthand.translateBackwards ?? shorthand.schema.deprecation?.replacedWith.first
      guard let path else { continue }
      output[shorthand.name] = FieldPath(path.joined(separator: ".")).value(in: output) ?? .null
    }
    return output
  }

  private func presented(_ value: JSONValue, by field: FieldSchema) -> JSONValue {
    switch (field.kind, value) {
    // A required field that an older version did not know shows its default.
    case (_, .null): return field.required ? field.defaultValue ?? .null : .null
    case (.record(let inner), .object(let members)) where !field.isAbstract:
      return .object(presented(members, by: inner))
    case (.variant(let schema), .object(let members)):
      guard let record = schema.record(for: members) else { return value }
      return .object(presented(members, by: record))
    case (.array(let element), .array(let elements)), (.set(let element), .array(let elements)):
      return .array(elements.map { presented($0, by: element) })
    case (.array, .object([:])), (.set, .object([:])): return .array([])
    case (.map, .array([])): return .object([:])
    case (.map(_, let values), .object(let members)): return .object(members.mapValues { presented($0, by: values) })
    default: return value
    }
  }
}
