import EntityModel
import Storage

/// `/tags`: which entities carry which tags. Source: Kong fact, admin-api §3.
enum TagEndpoints {
  /// The rows of the lists, for `/schemas/tags`; they are derived from entities and never stored themselves.
  static let rows = EntityDefinition(
    name: "tags", adminPath: nil,
    schema: RecordSchema([
      "tag": .string.asRequired(), "entity_name": .string.asRequired(),
      "entity_id": .string.asRequired().checked(by: .uuid),
    ]))

  static let all: [AdminEndpoint] = [
    AdminEndpoint(
      "/tags", "Lists every tag of every entity.",
      [.get: { try await list($0, $1, tag: nil) }]),
    AdminEndpoint(
      "/tags/{tags}", "Lists the entities that carry a tag.",
      [.get: { try await list($0, $1, tag: $0.parameters[0]) }]),
  ]

  private static func list(
    _ request: AdminRequest, _ services: AdminServices, tag: String?
  ) async throws -> AdminResponse {
    let page = try await services.repository.tags(try request.page(), matching: tag)
    let path = "/tags" + (tag.map { "/" + PercentCoding.encode($0) } ?? "")
    return .ok(page.document(path: path, repeating: request.query))
  }
}
