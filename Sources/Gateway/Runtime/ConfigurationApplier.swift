import EntityModel
import Logging
import NIOSSL
import PluginKit
import Proxy

/// The one way by which a configuration starts to run: registry, compile, swap on every loop.
///
/// An actor, so that configurations are applied one after another in the order of the calls.
actor ConfigurationApplier {
  private let registryBuilder: PluginRegistryBuilder
  private let proxy: ProxyServer
  private let services: PluginServices
  private let trustRoots: NIOSSLTrustRoots
  private let logger: Logger

  /// Hash of the configuration that runs, zeros for none.
  private(set) var runningHash = ConfigSnapshot.emptyHash
  /// What runs on every loop; nil before the first configuration.
  private var running: RuntimeSnapshot?
  private var streamedPlugins = StreamedDefinitions()

  /// - Parameter trustRoots: what servers of services are verified with that name no CA certificates.
  init(
    registryBuilder: PluginRegistryBuilder, proxy: ProxyServer, services: PluginServices,
    trustRoots: NIOSSLTrustRoots, logger: Logger
  ) {
    self.registryBuilder = registryBuilder
    self.proxy = proxy
    self.services = services
    self.trustRoots = trustRoots
    self.logger = logger
  }

  /// Runs the configuration, or leaves the present one in place.
  ///
  /// - Parameter isReadWhole: whether all of it was read and validated just now, and not only what changed.
  /// - Throws: `GatewayError` naming every entity that cannot run.
  func apply(_ snapshot: ConfigSnapshot, isReadWhole: Bool = false) async throws(GatewayError) {
    let clock = ContinuousClock()
    let start = clock.now
    do {
      let registry = try registryBuilder.registry(for: snapshot, remembering: &streamedPlugins)
      let compiled = try SnapshotCompiler(
        registry: registry, logger: logger, trustRoots: trustRoots, services: services
      ).compile(snapshot, reusing: running)
      try await proxy.swap(to: compiled)
      running = compiled
    } catch {
      throw GatewayError("\(error)")
    }
    runningHash = snapshot.hash
    if isReadWhole { FreedMemory.giveBack() }
    logger.info("configuration \(snapshot.hash) runs, made ready in \(clock.now - start)")
  }
}
