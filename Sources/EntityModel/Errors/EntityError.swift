/// A refusal of the Admin API or of the store, in Kong's words.
///
/// Source: Kong fact, admin-api §4 (codes, names and messages).
public struct EntityError: Error, Sendable, Hashable {
  public var code: Code
  public var message: String
  /// The `fields` member, or `options` for `invalidOptions`.
  public var fields: [String: JSONValue]
  /// What follows the code's name in the `name` member (`invalid unique name`).
  var nameSuffix: String?

  public init(code: Code, message: String, fields: [String: JSONValue] = [:]) {
    self.code = code
    self.message = message
    self.fields = fields
  }

  public enum Code: Int, Sendable, Hashable {
    case invalidPrimaryKey = 1
    case schemaViolation = 2
    case primaryKeyViolation = 3
    case foreignKeyViolation = 4
    case uniqueViolation = 5
    case notFound = 6
    case invalidOffset = 7
    case databaseError = 8
    case invalidSize = 9
    case invalidUnique = 10
    case invalidOptions = 11
    case operationUnsupported = 12
    case foreignKeysUnresolved = 13
    case declarativeConfiguration = 14
    case referencedByOthers = 19

    /// HTTP status of the Admin API.
    public var httpStatus: Int {
      switch self {
      case .uniqueViolation: 409
      case .notFound: 404
      case .databaseError: 500
      case .operationUnsupported: 405
      default: 400
      }
    }

    /// The `name` member.
    public var name: String {
      switch self {
      case .invalidPrimaryKey: "invalid primary key"
      case .schemaViolation: "schema violation"
      case .primaryKeyViolation: "primary key violation"
      case .foreignKeyViolation: "foreign key violation"
      case .uniqueViolation: "unique constraint violation"
      case .notFound: "not found"
      case .invalidOffset: "invalid offset"
      case .databaseError: "database error"
      case .invalidSize: "invalid size"
      case .invalidUnique: "invalid unique"
      case .invalidOptions: "invalid options"
      case .operationUnsupported: "operation unsupported"
      case .foreignKeysUnresolved: "foreign keys unresolved"
      case .declarativeConfiguration: "invalid declarative configuration"
      case .referencedByOthers: "referenced by others"
      }
    }
  }
}
