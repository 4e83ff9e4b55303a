/// What a condition may ask of a request.
///
/// Source: Kong fact, plugin-entity §6. `description` is the name used in conditions.
public enum ConditionField: Sendable, Hashable, CustomStringConvertible {
  case httpMethod
  case httpHost
  /// Normalized path without query.
  case httpPath
  /// Segments of the normalized path, empty ones dropped.
  case httpPathSegments
  /// First value of a header; null if absent. The name is lower-case with hyphens (`x-name`); a field spelled with
  /// underscores has the same name.
  case httpHeader(String)
  /// All values of a header; null if absent. Name as in `httpHeader`.
  case httpHeaderList(String)
  /// First value of a query argument; null if absent.
  case httpQuery(String)
  /// All values of a query argument; null if absent.
  case httpQueryList(String)
  /// `http` or `https` (`grpc`, `tcp` and so on for others).
  case netProtocol
  /// Null when the connection is not TLS or the client named no server.
  case tlsServerName
  case sourceIP
  case sourcePort
  case destinationIP
  case destinationPort
  case routeID
  case routeName
  case routeTags
  case serviceID
  case serviceName
  case serviceTags
  case consumerID
  case consumerUsername
  case consumerCustomID
  case consumerTags
  case consumerGroupNames
  case consumerGroupIDs
  /// The whole of `kong.ctx.shared`: a map.
  case shared
  /// One key of `kong.ctx.shared`; missing if it is not there.
  case sharedKey(String)
  case principalID
  case principalDisplayName
  /// A map, null without a principal.
  case principalMetadata
  /// Whether a plugin is configured for the request's route or service; null when it is not configured at all.
  /// The plugin's name has underscores for hyphens.
  case pluginIsMatched(String)
  case pluginPriority(String)
  case pluginAccessHasExecuted(String)

  public var description: String {
    switch self {
    case .httpMethod: "http.method"
    case .httpHost: "http.host"
    case .httpPath: "http.path"
    case .httpPathSegments: "http.path_segments"
    case .httpHeader(let name): "http.headers." + name.replacing("-", with: "_")
    case .httpHeaderList(let name): "http.headers_list." + name.replacing("-", with: "_")
    case .httpQuery(let name): "http.queries." + name
    case .httpQueryList(let name): "http.queries_list." + name
    case .netProtocol: "net.protocol"
    case .tlsServerName: "net.tls.sni"
    case .sourceIP: "net.src.ip"
    case .sourcePort: "net.src.port"
    case .destinationIP: "net.dst.ip"
    case .destinationPort: "net.dst.port"
    case .routeID: "route.id"
    case .routeName: "route.name"
    case .routeTags: "route.tags"
    case .serviceID: "service.id"
    case .serviceName: "service.name"
    case .serviceTags: "service.tags"
    case .consumerID: "consumer.id"
    case .consumerUsername: "consumer.username"
    case .consumerCustomID: "consumer.custom_id"
    case .consumerTags: "consumer.tags"
    case .consumerGroupNames: "consumer_group.names"
    case .consumerGroupIDs: "consumer_group.ids"
    case .shared: "kong.ctx.shared"
    case .sharedKey(let key): "kong.ctx.shared." + key
    case .principalID: "principal.id"
    case .principalDisplayName: "principal.display_name"
    case .principalMetadata: "principal.metadata"
    case .pluginIsMatched(let name): "plugins.\(name).is_matched"
    case .pluginPriority(let name): "plugins.\(name).priority"
    case .pluginAccessHasExecuted(let name): "plugins.\(name).access_has_executed"
    }
  }
}
