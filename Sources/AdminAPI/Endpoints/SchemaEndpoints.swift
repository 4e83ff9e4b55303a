import EntityModel
import Storage

/// `/schemas`: what entities and plugins accept, and validation without storing. Source: Kong fact, schema-library §9.
enum SchemaEndpoints {
  static func all(of kinds: [EntityDefinition]) -> [AdminEndpoint] {
    let byName = Dictionary(kinds.map { ($0.name, $0) }) { first, _ in first }
    return [
      AdminEndpoint(
        "/schemas/{name}", "Reads the schema of an entity.",
        [
          .get: { request, _ in
            let name = request.parameters[0]
            guard let kind = byName[name] ?? described[name] else { throw noEntity(name) }
            return .ok(kind.document())
          }
        ]),
      AdminEndpoint(
        "/schemas/{db_entity_name}/validate", "Checks an entity without storing it; references are not looked up.",
        [
          .post: { request, services in
            guard let kind = byName[request.parameters[0]] else { throw noEntity(request.parameters[0]) }
            return try await validate(kind, request, services)
          }
        ]),
      AdminEndpoint(
        "/schemas/plugins/validate", "Checks a plugin instance without storing it.",
        [
          .post: { request, services in
            guard let kind = byName["plugins"] else { throw noEntity("plugins") }
            return try await validate(kind, request, services)
          }
        ]),
      AdminEndpoint(
        "/schemas/plugins/{name}", "Reads the schema of a plugin: bundled, streamed or cloned.",
        [
          .get: { request, services in
            guard let plugin = await services.repository.pluginCatalogue[request.parameters[0]] else {
              throw AdminRefusal.message(404, "No plugin named '\(request.parameters[0])'")
            }
            return .ok(plugin.schema.document())
          }
        ]),
    ]
  }

  /// Schemas of what is not stored: rows that are derived, and credentials of plugins that are not available, which
  /// clients ask for before they know.
  private static let described = Dictionary(
    ([TagEndpoints.rows] + AbsentCredentials.all).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

  private static func validate(
    _ kind: EntityDefinition, _ request: AdminRequest, _ services: AdminServices
  ) async throws -> AdminResponse {
    try await services.repository.validate(try await request.fields(of: kind, services), as: kind)
    return .message("schema validation successful")
  }

  private static func noEntity(_ name: String) -> AdminRefusal { .message(404, "No entity named '\(name)'") }
}
