import EntityModel

/// An answer of 300 and more that ends the handling of a request where it is thrown.
///
/// Refusals about an entity are `EntityError`s; this one is for the request itself and for the node.
public struct AdminRefusal: Error, Sendable, Hashable {
  /// HTTP status.
  public var status: Int
  /// The JSON object of the body; nil for an answer without one.
  public var document: [String: JSONValue]?
  /// More response headers, for example `Retry-After`.
  public var headers: [String: String]

  public init(status: Int, document: [String: JSONValue]?, headers: [String: String] = [:]) {
    self.status = status
    self.document = document
    self.headers = headers
  }

  /// A refusal with the usual `message` member.
  public static func message(_ status: Int, _ message: String) -> AdminRefusal {
    AdminRefusal(status: status, document: ["message": .string(message)])
  }

  static let notFound = AdminRefusal.message(404, "Not found")
  static let tooManyArguments = AdminRefusal.message(400, "Too many arguments")
}
