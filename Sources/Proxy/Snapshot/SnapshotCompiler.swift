import EntityModel
import Logging
import NIOSSL
import PluginKit

/// Turns a configuration into what the event loops run.
///
/// Runs off the event loops. Either the whole configuration compiles or the problems of all its entities are thrown.
public struct SnapshotCompiler: Sendable {
  let registry: PluginRegistry
  let logger: Logger
  /// Server certificates trusted for services with `tls_verify`.
  let trustRoots: NIOSSLTrustRoots
  let services: PluginServices

  public init(
    registry: PluginRegistry, logger: Logger, trustRoots: NIOSSLTrustRoots = .default, services: PluginServices = .none
  ) {
    self.registry = registry
    self.logger = logger
    self.trustRoots = trustRoots
    self.services = services
  }

  /// Compiles a configuration, taking over from the running one whatever did not change: the work follows the change,
  /// not the configuration.
  ///
  /// - Parameter running: what runs now, made by a compiler with the same bundled plugins and services. Executors of
  ///   plugin instances that are the same there keep their state, and count as prepared on every loop.
  public func compile(
    _ config: ConfigSnapshot, reusing running: RuntimeSnapshot? = nil
  ) throws(SnapshotCompileError) -> RuntimeSnapshot {
    var compilation = SnapshotCompilation(compiler: self, config: config, running: running)
    let snapshot = compilation.run()
    guard compilation.problems.isEmpty, let snapshot else {
      throw SnapshotCompileError(problems: compilation.problems)
    }
    return snapshot
  }
}
