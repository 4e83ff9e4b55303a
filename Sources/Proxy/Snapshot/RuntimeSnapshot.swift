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
  /// Nil for routes of disabled services, which the table does not have.
  let routes: SharedArray<RouteRuntime?>
  /// Instances without route and service: what runs in rewrite, and in the filters and log of a request without route.
  let globalChain: PluginChain
  /// What the next configuration may take over.
  let parts: CompiledParts
  /// The instances that the snapshot it was compiled after did not have.
  private let fresh: [CompiledPlugin]
  let certificates: CertificateStore
  /// Priority of each configured plugin by its name with underscores, for conditions.
  let configuredPlugins: [String: Int]
  let consumers: ConsumerDirectory
  /// For plugins: every entity by its id or another unique field.
  let entities: EntityIndex

  init(
    parts: CompiledParts, routeTable: RouteTable, globalChain: PluginChain, fresh: [CompiledPlugin],
    certificates: CertificateStore, configuredPlugins: [String: Int], consumers: ConsumerDirectory
  ) {
    number = parts.config.number
    hash = parts.config.hash
    self.parts = parts
    self.routeTable = routeTable
    routes = parts.routes
    self.globalChain = globalChain
    self.fresh = fresh
    self.certificates = certificates
    self.configuredPlugins = configuredPlugins
    self.consumers = consumers
    entities = EntityIndex(parts.config)
  }

  /// Upstream entities by name, for plugins that choose one.
  var balancers: [String: Balancer] { parts.balancers }

  /// Makes the executors ready on one event loop; to be called there before the snapshot is swapped in. Those of the
  /// snapshot that it was compiled after are ready.
  ///
  /// - Throws: `SnapshotCompileError` naming each instance that cannot run.
  func prepare(on loop: LoopServices) throws(SnapshotCompileError) {
    var problems: [SnapshotCompileError.Problem] = []
    for plugin in fresh {
      do {
        try plugin.executor.prepare(on: loop)
      } catch {
        problems.append(.init(entity: "plugins \(plugin.instance.id)", reason: error.description))
      }
    }
    if !problems.isEmpty { throw SnapshotCompileError(problems: problems) }
  }
}

extension RuntimeSnapshot: RequestDirectory {
  public func consumer(_ key: String, byUsername: Bool) -> ConsumerInfo? {
    consumers.consumer(id: key) ?? (byUsername ? consumers.consumer(username: key) : nil)
  }

  public func consumerGroups(ofConsumer id: String) -> [JSONValue] { consumers.consumerGroups(ofConsumer: id) }

  public func hasUpstream(_ name: String) -> Bool { balancers[name] != nil }
}
