import EntityModel
import Storage

/// Reading one consumer group, which Kong answers with what belongs to the group. Source: Kong fact, clients.
enum ConsumerGroupEndpoint {
  /// The endpoints of entities, where reading a consumer group is wrapped.
  static func wrapping(_ endpoints: [AdminEndpoint], of kinds: [EntityDefinition]) -> [AdminEndpoint] {
    guard let groups = kinds.first(where: { $0.name == "consumer_groups" }), let path = groups.adminPath,
      let plugins = kinds.first(where: { $0.name == "plugins" }),
      let field = plugins.foreignFields.first(where: { $0.reference == groups.name })?.name
    else { return endpoints }
    return endpoints.map { endpoint in
      guard endpoint.path == "/\(path)/{\(groups.name)}" else { return endpoint }
      return endpoint.replacing(.get) { request, services in
        let key = try EntityKey(parsing: request.parameters[0], of: groups)
        guard let group = try await services.repository.select(key, from: groups), let id = group["id"]?.string
        else { throw AdminRefusal.notFound }
        let instances = try await services.repository.page(
          PageRequest(size: PageRequest.sizes.upperBound, parent: (field, id)), of: plugins)
        // There are no members: consumers cannot be put into groups yet.
        return .ok([
          "consumer_group": .object(group), "consumers": [],
          "plugins": .array(instances.entities.map(JSONValue.object)),
        ])
      }
    }
  }
}
