extension EntityError {
  /// Code 2: what is wrong with the fields of an entity, each violation named in the message.
  ///
  /// The message goes two levels deep; deeper ones are shown as Lua tables. Messages about the whole entity come first.
  public static func schemaViolation(_ violations: SchemaViolations) -> EntityError {
    let document = violations.document
    var parts = violations.entity
    for name in document.keys.sorted() where name != "@entity" {
      switch document[name] {
      case .object(let members):
        for key in members.keys.sorted() { parts.append("\(name).\(key): \(text(of: members[key] ?? .null))") }
      case .array(let elements):
        for (index, element) in elements.enumerated() where !element.isNull {
          parts.append("\(name).\(index + 1): \(text(of: element))")
        }
      case let value?: parts.append("\(name): \(text(of: value))")
      case nil: break
      }
    }
    let count = parts.count == 1 ? "schema violation" : "\(parts.count) schema violations"
    return EntityError(
      code: .schemaViolation, message: "\(count) (\(parts.joined(separator: "; ")))", fields: document)
  }

  private static func text(of value: JSONValue) -> String {
    if case .string(let text) = value { text } else { LuaTableText.indented(value) }
  }

  /// Code 5: the fields, with their values, that another entity has already.
  public static func unique(fields: [String: JSONValue]) -> EntityError {
    EntityError(
      code: .uniqueViolation, message: "UNIQUE violation detected on '\(LuaTableText.compact(.object(fields)))'",
      fields: fields)
  }

  /// Code 3: the id is taken.
  public static func primaryKeyViolation(id: String) -> EntityError {
    let fields: [String: JSONValue] = ["id": .string(id)]
    return EntityError(
      code: .primaryKeyViolation, message: "primary key violation on key '\(LuaTableText.compact(.object(fields)))'",
      fields: fields)
  }

  /// Code 6, by id.
  public static func notFound(id: String) -> EntityError {
    EntityError(
      code: .notFound,
      message: "could not find the entity with primary key '\(LuaTableText.compact(["id": .string(id)]))'",
      fields: ["id": .string(id)])
  }

  /// Code 6, by another unique field.
  public static func notFound(field: String, value: String) -> EntityError {
    let fields: [String: JSONValue] = [field: .string(value)]
    return EntityError(
      code: .notFound, message: "could not find the entity with '\(LuaTableText.compact(.object(fields)))'",
      fields: fields)
  }

  /// Code 1: an id that is none. As Kong does, the message carries the reason in place of the id.
  public static func invalidPrimaryKey() -> EntityError {
    let fields: [String: JSONValue] = ["id": "expected a valid UUID"]
    return EntityError(
      code: .invalidPrimaryKey, message: "invalid primary key: '\(LuaTableText.compact(.object(fields)))'",
      fields: fields)
  }

  /// Code 10: the name in a path is not one that the field could have.
  public static func invalidUnique(field: String, reason: String) -> EntityError {
    var error = EntityError(code: .invalidUnique, message: reason)
    error.nameSuffix = field
    return error
  }

  /// Code 4: a foreign field points to nothing.
  public static func foreignKeyViolation(field: String, id: String, collection: String) -> EntityError {
    let key: JSONValue = ["id": .string(id)]
    return EntityError(
      code: .foreignKeyViolation,
      message: "the foreign key '\(LuaTableText.compact(key))' does not reference an existing '\(collection)' entity.",
      fields: [field: key])
  }

  /// Code 4: an entity cannot be deleted because one of `referrer` points to it.
  public static func referencedBy(_ referrer: String, collection: String) -> EntityError {
    EntityError(
      code: .foreignKeyViolation,
      message: "an existing '\(referrer)' entity references this '\(collection)' entity",
      fields: ["@referenced_by": .string(referrer)])
  }

  /// Code 19: a CA certificate cannot be deleted because an entity names it in a list.
  public static func caCertificateInUse(id: String, by collection: String, referrerID: String) -> EntityError {
    EntityError(
      code: .referencedByOthers,
      message: "ca certificate \(id) is still referenced by \(collection) (id = \(referrerID))")
  }

  /// Code 13: a foreign field given by another unique field of an entity that does not exist.
  public static func unresolvedForeignKey(
    field: String, key: [String: JSONValue], collection: String
  ) -> EntityError {
    let table = LuaTableText.compact(.object(key))
    let reason = "the foreign key cannot be resolved with '\(table)' for an existing '\(collection)' entity"
    let name = key.keys.min() ?? "id"
    return EntityError(
      code: .foreignKeysUnresolved, message: "foreign key unresolved (\(field).\(name): \(reason))",
      fields: [field: .object([name: .string(reason)])])
  }

  /// Code 7.
  public static func invalidOffset(_ offset: String, reason: String = "bad base64 encoding") -> EntityError {
    EntityError(code: .invalidOffset, message: "'\(offset)' is not a valid offset: \(reason)")
  }

  /// Code 9.
  public static func invalidSize(isNumber: Bool) -> EntityError {
    EntityError(
      code: .invalidSize,
      message: isNumber ? "size must be an integer between 1 and 1000" : "size must be a number")
  }

  /// Code 11: options of a list, for example `["tags": "invalid filter syntax"]`.
  public static func invalidOptions(_ options: [String: String]) -> EntityError {
    let parts = options.keys.sorted().map { "\($0): \(options[$0] ?? "")" }
    let count = parts.count == 1 ? "invalid option" : "\(parts.count) invalid options"
    return EntityError(
      code: .invalidOptions, message: "\(count) (\(parts.joined(separator: "; ")))",
      fields: options.mapValues(JSONValue.string))
  }

  /// Code 12: a write to a gateway that has no store of its own; `verb` is create, update, upsert or delete.
  public static func operationUnsupported(verb: String, collection: String) -> EntityError {
    EntityError(
      code: .operationUnsupported, message: "cannot \(verb) '\(collection)' entities when not using a database")
  }

  /// Code 14: a declarative file with errors; `fields` mirrors the file.
  public static func declarativeConfiguration(_ fields: [String: JSONValue]) -> EntityError {
    EntityError(
      code: .declarativeConfiguration,
      message: "declarative config is invalid: \(LuaTableText.compact(.object(fields)))", fields: fields)
  }

  /// The body of the Admin API's answer.
  public var document: JSONValue {
    var members: [String: JSONValue] = [
      "code": .integer(Int64(code.rawValue)), "name": .string(name), "message": .string(message),
    ]
    if !fields.isEmpty { members[code == .invalidOptions ? "options" : "fields"] = .object(fields) }
    return .object(members)
  }

  /// The `name` member of the answer.
  public var name: String { nameSuffix.map { "\(code.name) \($0)" } ?? code.name }

  /// The status of the Admin API's answer.
  public var httpStatus: Int { code.httpStatus }
}
