import EntityModel

/// One entity of a declarative configuration, taken out of its place in the tree.
struct DeclaredEntity {
  enum Step {
    case key(String)
    case index(Int)
  }

  let kind: EntityDefinition
  /// As it stands in the file, without children.
  let source: EntityFields
  /// Where it stands: `services`, 1, `routes`, 0.
  let path: [Step]
  /// The entity it is nested in, and the field that refers to it.
  let parent: (index: Int, field: String)?

  /// With references resolved and an id.
  var input: EntityFields
  /// Complete; nil until it was found good.
  var row: EntityFields?
  var id: String?
  /// `{"id": …}`, shared by all that refer to it.
  var reference: JSONValue?
  var violations = SchemaViolations()
  /// References to nothing, by field; told apart because Kong tells them by name instead of position.
  var brokenReferences: [String: String] = [:]
  /// Another entity has its id or a unique value.
  var collision: String?

  var isBad: Bool { !violations.isEmpty || !brokenReferences.isEmpty || collision != nil }

  /// By what a person knows it.
  var label: String {
    kind.endpointKey.flatMap { source[$0]?.string } ?? source["id"]?.string ?? id ?? "?"
  }

  /// The errors in the shape of the file, at the entity's place.
  var mirroredErrors: JSONValue {
    var document = violations.document
    for (field, reason) in brokenReferences { document[field] = .string(reason) }
    guard let collision else { return .object(document) }
    if document.isEmpty { return .string(collision) }
    document["@entity"] = .array((document["@entity"]?.array ?? []) + [.string(collision)])
    return .object(document)
  }

  /// The entry of `flattened_errors`.
  func flattenedErrors(parentID: String?) -> JSONValue {
    var entity = source
    if let parent, let parentID { entity[parent.field] = ["id": .string(parentID)] }
    var type = kind.name
    if type.hasSuffix("s") { type.removeLast() }
    var errors: [JSONValue] = []
    for message in violations.entity + (collision.map { [$0] } ?? []) {
      errors.append(["type": "entity", "message": .string(message)])
    }
    func add(_ value: JSONValue, at field: String) {
      switch value {
      case .object(let members):
        for name in members.keys.sorted() { add(members[name] ?? .null, at: "\(field).\(name)") }
      case .array(let elements):
        for (index, element) in elements.enumerated() { add(element, at: "\(field).\(index + 1)") }
      case .null: break
      default:
        errors.append([
          "type": "field", "field": .string(field), "message": .string(value.string ?? value.serializedString),
        ])
      }
    }
    for name in violations.fields.keys.sorted() { add(violations.fields[name] ?? .null, at: name) }
    for name in brokenReferences.keys.sorted() { add(.string(brokenReferences[name] ?? ""), at: name) }
    var output: [String: JSONValue] = [
      "entity_type": .string(type), "entity": .object(entity), "errors": .array(errors),
    ]
    if let id = source["id"] { output["entity_id"] = id }
    if let name = source["name"] { output["entity_name"] = name }
    if let tags = source["tags"], tags.array != nil { output["entity_tags"] = tags }
    return .object(output)
  }
}
