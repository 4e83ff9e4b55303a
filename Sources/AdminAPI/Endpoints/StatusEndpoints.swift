import EntityModel

/// The Status API: what a load balancer or an orchestrator asks a node.
enum StatusEndpoints {
  static let all: [AdminEndpoint] = [
    NodeEndpoints.nodeStatus,
    AdminEndpoint(
      "/status/ready", "Tells whether the node can serve requests.",
      [.get: { _, services in await ready(services) }]),
  ] + MetricsEndpoint.all

  /// 200 once the node has what it needs; 503 with the reason before. Source: Kong fact, hybrid §5.
  private static func ready(_ services: AdminServices) async -> AdminResponse {
    if await services.node.isDatabaseReachable == false {
      return unavailable("failed to connect to the database")
    }
    if await services.node.configurationHash == ConfigSnapshot.emptyHash {
      return unavailable("no configuration available (empty configuration present)")
    }
    return .message("ready")
  }

  private static func unavailable(_ reason: String) -> AdminResponse {
    AdminResponse(status: 503, body: .json(["message": .string(reason)]))
  }
}
