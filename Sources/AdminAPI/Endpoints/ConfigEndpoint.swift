import EntityModel

/// `/config`: the whole configuration of a node without a database. Source: Kong fact, admin-api §5.
enum ConfigEndpoint {
  static let all: [AdminEndpoint] = [
    AdminEndpoint(
      "/config",
      "Reads the running configuration as a declarative file, or replaces it by one (`database=off` only; "
        + "`check_hash=1`, `flatten_errors=1`).",
      acceptsDocuments: true,
      [
        .get: { _, services in
          try requireNoDatabase(services)
          return .ok(["config": .string(try await services.node.declarativeConfiguration())])
        },
        .post: { request, services in try await load(request, services) },
      ])
  ]

  private static func load(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    try requireNoDatabase(services)
    let loaded = try await services.node.loadConfiguration(
      text: try text(of: request.body), checksHash: request.query.isSet("check_hash"),
      flattensErrors: request.query.isSet("flatten_errors"))
    switch loaded {
    case .loaded(let entities): return .created(entities)
    case .unchanged: return AdminResponse(status: 304)
    }
  }

  /// The document: the body itself, or its member `config` where that is a text.
  private static func text(of body: RequestBody) throws(AdminRefusal) -> String {
    var text: String?
    switch body {
    case .none: break
    case .form(let tree): text = tree["config"]?.text
    case .document(let document):
      let wrapper = try? JSONValue(parsing: document).object
      text = wrapper?.count == 1 ? wrapper?["config"]?.string ?? document : document
    case .json(let value): text = value.serializedString
    }
    guard let text, text.contains(where: { !$0.isWhitespace }) else {
      throw .message(400, "expected a declarative configuration")
    }
    return text
  }

  private static func requireNoDatabase(_ services: AdminServices) throws(AdminRefusal) {
    guard !services.configuration.usesDatabase else {
      throw .message(400, "this endpoint is only available when Kong is configured to not use a database")
    }
  }
}
