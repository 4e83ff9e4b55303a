import EntityModel
import Storage

/// `/clustering`: the data planes that a control plane knows. Source: Kong fact, admin-api §5 and hybrid §7.
enum ClusteringEndpoints {
  static let all: [AdminEndpoint] = [
    AdminEndpoint(
      "/clustering/data-planes", "Lists the data planes with the configuration they run and whether it is current.",
      [.get: { request, services in try await dataPlanes(request, services) }]),
    AdminEndpoint(
      "/clustering/status", "Maps the ids of data planes to what they run (deprecated; see `/clustering/data-planes`).",
      [.get: { _, services in try await status(services) }]),
  ]

  private static func known(_ services: AdminServices) async throws(AdminRefusal) -> [EntityFields] {
    guard let dataPlanes = await services.node.dataPlanes else {
      throw .message(
        400, "this endpoint is only available when Kong is configured to run as Control Plane for the cluster")
    }
    return dataPlanes
  }

  private static func dataPlanes(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let asked = try request.page()
    var rest = try await known(services)[...]
    if let offset = asked.offset {
      guard UUIDText.isUUID(offset) else {
        throw EntityError.invalidOffset(offset, reason: "it is not the id of a data plane")
      }
      let last = offset.lowercased()
      rest = rest.drop { ($0["id"]?.string ?? "") <= last }
    }
    let page = Array(rest.prefix(asked.size))
    let next = rest.count > page.count ? page.last?["id"]?.string : nil
    return .ok(
      EntityPage(entities: page, nextOffset: next).document(path: "/clustering/data-planes", repeating: request.query))
  }

  private static func status(_ services: AdminServices) async throws -> AdminResponse {
    var document: [String: JSONValue] = [:]
    for dataPlane in try await known(services) {
      guard let id = dataPlane["id"]?.string else { continue }
      let shown = ["config_hash", "hostname", "ip", "last_seen"].map { ($0, dataPlane[$0] ?? .null) }
      document[id] = .object(Dictionary(shown) { first, _ in first })
    }
    return AdminResponse(status: 200, body: .json(.object(document)), headers: ["Deprecation": "true"])
  }
}
