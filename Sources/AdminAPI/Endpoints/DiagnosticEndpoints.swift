import EntityModel

/// What Kong tells of its caches, timers and resolver, as far as there is something of the kind here.
/// Source: Kong fact, admin-api §5.
enum DiagnosticEndpoints {
  static let all: [AdminEndpoint] = [
    AdminEndpoint(
      "/cache", "Empties the caches of entities; there are none, since every node holds its configuration whole.",
      [.delete: { _, _ in .noContent }]),
    AdminEndpoint(
      "/cache/{key}", "Looks for a cached entity; there is none.",
      [.get: { _, _ in throw AdminRefusal.notFound }, .delete: { _, _ in .noContent }]),
    AdminEndpoint(
      "/timers", "Counts the timers of Lua plugins.", [.get: { _, services in await timers(services) }]),
    AdminEndpoint(
      "/status/dns", "Statistics of the resolver: not available.",
      [.get: { _, _ in throw AdminRefusal.message(501, "not implemented with the legacy DNS client") }]),
  ]

  private static func timers(_ services: AdminServices) async -> AdminResponse {
    let statistics = await services.node.statistics
    let count = statistics.runningTimers + statistics.pendingTimers
    return .ok([
      "worker": ["id": 0, "count": .integer(Int64(services.node.identity.workerIDs.count))],
      "stats": [
        "flamegraph": ["running": "", "pending": "", "elapsed_time": ""],
        "sys": [
          "running": .integer(Int64(statistics.runningTimers)), "pending": .integer(Int64(statistics.pendingTimers)),
          "waiting": 0, "total": .integer(Int64(count)), "runs": 0,
        ],
        "timers": [:],
      ],
    ])
  }
}
