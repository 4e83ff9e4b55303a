import EntityModel
import Routing

extension RuntimeSnapshot {
  /// What runs before the first configuration: every request gets 404.
  static func empty() throws(RouteTableError) -> RuntimeSnapshot {
    RuntimeSnapshot(
      number: 0, hash: ConfigSnapshot.emptyHash, routeTable: try RouteTable(routes: []), routes: [],
      globalChain: .empty, instances: [], certificates: .empty, balancers: [:], configuredPlugins: [:])
  }
}
