import EntityModel

/// Everything that is wrong with a declarative configuration, in each of the shapes in which Kong tells it.
///
/// Source: Kong fact, declarative §3 and admin-api §5.
public struct DeclarativeError: Error, Sendable, CustomStringConvertible {
  /// Mirrors the file: lists with null for good entries, a message per bad field.
  public let fields: [String: JSONValue]
  /// One entry per bad entity, children beside their parents.
  public let flattenedErrors: [JSONValue]
  /// The part of `fields` that belongs to no entity.
  public let unflattenedFields: [String: JSONValue]

  init(fields: [String: JSONValue], flattenedErrors: [JSONValue] = [], unflattenedFields: [String: JSONValue]? = nil) {
    self.fields = fields
    self.flattenedErrors = flattenedErrors
    self.unflattenedFields = unflattenedFields ?? fields
  }

  /// A text that could not be read at all.
  init(unreadable reason: String) { self.init(fields: ["error": .string(reason)]) }

  /// The refusal of `POST /config`, code 14.
  public var entityError: EntityError { .declarativeConfiguration(fields) }

  /// The body of the Admin API's answer.
  ///
  /// - Parameter flattened: `flatten_errors=1`: bad entities in `flattened_errors` instead of in `fields`.
  public func document(flattened: Bool) -> JSONValue {
    guard flattened, case .object(var members) = entityError.document else { return entityError.document }
    members["fields"] = .object(unflattenedFields)
    members["flattened_errors"] = .array(flattenedErrors)
    return .object(members)
  }

  /// The text of the command line: one line per level, indented.
  public var description: String {
    if fields.count == 1, let reason = fields["error"]?.string { return reason }
    return Self.lines(of: .object(fields), in: "", indent: "").joined(separator: "\n")
  }

  private static func lines(of value: JSONValue, in name: String, indent: String) -> [String] {
    var entries: [(label: String, name: String, value: JSONValue)] = []
    switch value {
    case .object(let members):
      entries = members.keys.sorted().map { ("in '\($0)'", $0, members[$0] ?? .null) }
    case .array(let elements):
      for (index, element) in elements.enumerated() where !element.isNull {
        entries.append(("- in entry \(index + 1) of '\(name)'", String(index + 1), element))
      }
    default: break
    }
    return entries.flatMap { entry -> [String] in
      switch entry.value {
      case .object, .array:
        ["\(indent)\(entry.label):"] + lines(of: entry.value, in: entry.name, indent: indent + "  ")
      default: ["\(indent)\(entry.label): \(entry.value.string ?? entry.value.serializedString)"]
      }
    }
  }
}
