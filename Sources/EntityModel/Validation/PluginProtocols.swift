/// Whether a plugin instance can run where it is attached.
///
/// Source: Kong fact, plugin-entity §1.
public enum PluginProtocols {
  /// The violation of an instance on a route, or on a service all of whose routes speak other protocols.
  ///
  /// - Parameters:
  ///   - route: the route of the instance, if it has one.
  ///   - serviceRoutes: the routes of its service, looked at only without a route; none means no check.
  public static func violations(
    of plugin: EntityFields, route: EntityFields?, serviceRoutes: [EntityFields]
  ) -> SchemaViolations? {
    let protocols = set(plugin)
    if let route {
      return protocols.isDisjoint(with: set(route))
        ? SchemaViolations(fields: ["protocols": "must match the associated route's protocols"]) : nil
    }
    if serviceRoutes.isEmpty || serviceRoutes.contains(where: { !protocols.isDisjoint(with: set($0)) }) { return nil }
    return SchemaViolations(fields: [
      "protocols": "must match the protocols of at least one route pointing to this Plugin's service"
    ])
  }

  private static func set(_ entity: EntityFields) -> Set<String> {
    Set((entity["protocols"]?.array ?? []).compactMap(\.string))
  }
}
