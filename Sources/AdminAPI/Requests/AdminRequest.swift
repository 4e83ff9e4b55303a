import EntityModel

/// A request as endpoints see it: path matched, query and body read.
struct AdminRequest: Sendable {
  var method: AdminMethod
  /// Decoded path parameters in the order of the endpoint's path.
  var parameters: [String]
  var query: QueryArguments
  var body: RequestBody
}

/// The methods that endpoints implement; HEAD and OPTIONS follow from them.
public enum AdminMethod: String, Sendable, Hashable, CaseIterable {
  case get = "GET"
  case post = "POST"
  case put = "PUT"
  case patch = "PATCH"
  case delete = "DELETE"

  /// Whether Kong reads a body for it. Source: Kong fact, admin-api §1.
  var hasBody: Bool {
    switch self {
    case .post, .put, .patch: true
    case .get, .delete: false
    }
  }
}
