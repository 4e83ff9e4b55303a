import EntityModel

/// What an endpoint answers; the responder adds the headers that every answer has.
struct AdminResponse: Sendable {
  enum Body: Sendable {
    case none
    case json(JSONValue)
    case text(String, type: String)
  }

  var status: Int
  var body: Body
  var headers: [String: String]

  init(status: Int, body: Body = .none, headers: [String: String] = [:]) {
    self.status = status
    self.body = body
    self.headers = headers
  }

  static func ok(_ document: JSONValue) -> AdminResponse { AdminResponse(status: 200, body: .json(document)) }

  static func ok(_ document: [String: JSONValue]) -> AdminResponse { .ok(.object(document)) }

  static func created(_ document: [String: JSONValue]) -> AdminResponse {
    AdminResponse(status: 201, body: .json(.object(document)))
  }

  static let noContent = AdminResponse(status: 204)

  static func message(_ text: String) -> AdminResponse { .ok(["message": .string(text)]) }

  init(_ refusal: AdminRefusal) {
    self.init(
      status: refusal.status, body: refusal.document.map { .json(.object($0)) } ?? .none, headers: refusal.headers)
  }

  init(_ error: EntityError) {
    self.init(status: error.code.httpStatus, body: .json(error.document))
  }
}
