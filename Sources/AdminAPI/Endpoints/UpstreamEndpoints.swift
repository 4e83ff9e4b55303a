import EntityModel
import Storage

/// What upstreams have beyond other entities. Source: Kong fact, admin-api §1.
enum UpstreamEndpoints {
  static func all(of kinds: [EntityDefinition]) -> [AdminEndpoint] {
    guard let upstreams = kinds.first(where: { $0.name == "upstreams" }), let path = upstreams.adminPath,
      let targets = kinds.first(where: { $0.name == "targets" }),
      let field = targets.foreignFields.first(where: { $0.reference == upstreams.name }),
      let relation = EntityRelation(child: targets, field: field.name, parent: upstreams)
    else { return [] }
    return [
      AdminEndpoint(
        "/\(path)/{upstreams}/targets/all", "Lists the targets of an upstream, those of weight 0 included.",
        [.get: { try await relation.list($0, $1) }]),
      AdminEndpoint(
        "/\(path)/{upstreams}/health", "Tells the health of an upstream's targets, as this node sees it.",
        [.get: { try await health($0, $1, relation) }]),
    ]
  }

  /// No target is checked yet, hence every one is `HEALTHCHECKS_OFF`.
  private static func health(
    _ request: AdminRequest, _ services: AdminServices, _ relation: EntityRelation
  ) async throws -> AdminResponse {
    let upstreamID = try await relation.parentID(request, services)
    let nodeID = JSONValue.string(services.node.identity.id)
    if request.query.isSet("balancer_health") {
      let health: JSONValue = ["health": "HEALTHCHECKS_OFF", "id": .string(upstreamID)]
      return .ok(["data": health, "next": nil, "node_id": nodeID])
    }
    var asked = try request.page()
    asked.parent = (relation.field, upstreamID)
    var page = try await services.repository.page(asked, of: relation.child)
    page.entities = page.entities.map { $0.merging(["health": "HEALTHCHECKS_OFF"]) { _, health in health } }
    var document = page.document(path: "/\(relation.parentPath)/\(upstreamID)/health", repeating: nil)
    document["node_id"] = nodeID
    return .ok(document)
  }
}
