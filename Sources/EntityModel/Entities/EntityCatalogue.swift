/// Every kind of entity, in an order in which a parent comes before what refers to it.
public enum EntityCatalogue {
  public static let all: [EntityDefinition] = [
    .certificates, .caCertificates, .snis, .services, .routes, .consumers, .consumerGroups,
    .consumerGroupMembers, .acls, .keyAuthCredentials, .upstreams, .targets, .customPlugins, .clonedPlugins, .plugins,
    .clusteringDataPlanes,
  ]

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  public static subscript(name: String) -> EntityDefinition? { byName[name] }

  /// Collections that have a foreign field to the named one: definition, field name, effect of deletion.
  public static func referrers(
    to collection: String
  ) -> [(definition: EntityDefinition, field: String, onDelete: FieldSchema.OnDelete)] {
    all.flatMap { definition in
      definition.foreignFields.filter { $0.reference == collection }.map { (definition, $0.name, $0.onDelete) }
    }
  }
}
