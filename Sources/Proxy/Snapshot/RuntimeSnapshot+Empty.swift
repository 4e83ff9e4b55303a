import Routing

extension RuntimeSnapshot {
  /// What runs before the first configuration: every request gets 404.
  static func empty() throws(RouteTableError) -> RuntimeSnapshot {
    RuntimeSnapshot(
      parts: CompiledParts(), routeTable: try RouteTable(routes: []), globalChain: .empty, fresh: [],
      certificates: .empty, configuredPlugins: [:], consumers: .empty)
  }
}
