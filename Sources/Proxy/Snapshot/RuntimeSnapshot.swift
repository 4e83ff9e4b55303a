import EntityModel
import NIOSSL
import PluginKit
import Routing

/// A compiled configuration: what every event loop runs until the next one is swapped in.
///
/// Immutable; a request keeps the snapshot it began with until its log phase is over.
public final class RuntimeSnapshot: Sendable {
  public let number: UInt64
  /// Hash of the configuration it was compiled from.
  public let hash: String
  let routeTable: RouteTable
  let routes: [RouteRuntime]
  /// Instances without route and service: what runs in rewrite, and in the filters and log of a request without route.
  let globalChain: PluginChain
  /// Every enabled instance, for preparing the loops.
  let instances: [CompiledPlugin]
  let certificates: CertificateStore
  /// Upstream entities by name, for plugins that choose one.
  let balancers: [String: Balancer]
  /// Priority of each configured plugin by its name with underscores, for conditions.
  let configuredPlugins: [String: Int]
  /// For plugins: a consumer by id, or by username.
  let findConsumer: @Sendable (_ key: String, _ byUsername: Bool) -> ConsumerInfo?
  /// For plugins: the consumer groups of a consumer.
  let findConsumerGroups: @Sendable (_ consumerID: String) -> [JSONValue]
  /// For plugins: whether there is an Upstream of that name.
  let upstreamExists: @Sendable (_ name: String) -> Bool

  init(
    number: UInt64, hash: String, routeTable: RouteTable, routes: [RouteRuntime], globalChain: PluginChain,
    instances: [CompiledPlugin], certificates: CertificateStore, balancers: [String: Balancer],
    configuredPlugins: [String: Int], consumers: ConsumerDirectory = .empty
  ) {
    self.number = number
    self.hash = hash
    self.routeTable = routeTable
    self.routes = routes
    self.globalChain = globalChain
    self.instances = instances
    self.certificates = certificates
    self.balancers = balancers
    self.configuredPlugins = configuredPlugins
    findConsumer = { key, byUsername in
      consumers.consumer(id: key) ?? (byUsername ? consumers.consumer(username: key) : nil)
    }
    findConsumerGroups = { consumers.consumerGroups(ofConsumer: $0) }
    upstreamExists = { balancers[$0] != nil }
  }

  /// Makes the executors ready on one event loop; to be called there before the snapshot is swapped in.
  ///
  /// - Throws: `SnapshotCompileError` naming each instance that cannot run.
  func prepare(on loop: LoopServices) throws(SnapshotCompileError) {
    var problems: [SnapshotCompileError.Problem] = []
    for plugin in instances {
      do {
        try plugin.executor.prepare(on: loop)
      } catch {
        problems.append(.init(entity: "plugins \(plugin.instance.id)", reason: error.description))
      }
    }
    if !problems.isEmpty { throw SnapshotCompileError(problems: problems) }
  }
}
