import AdminAPI
import Clustering
import EntityModel
import Foundation
import Logging
import Proxy
import Storage
import Synchronization

/// What the Admin API and the Status API tell of the running gateway.
final class GatewayNode: AdminNodeSource {
  /// Where the configuration of the node comes from.
  enum Backing: Sendable {
    case database(EntityStore)
    case declarative(DeclarativeConfiguration)
    /// A data plane's store with what the control plane sent.
    case received(MemoryStore)
  }

  let identity: NodeIdentity
  private let parts: GatewayParts
  private let proxy: ProxyServer?
  private let backing: Backing
  private let controlPlane: ControlPlaneServer?
  private let lastPublishedHash = Mutex(ConfigSnapshot.emptyHash)

  init(parts: GatewayParts, proxy: ProxyServer?, backing: Backing, controlPlane: ControlPlaneServer? = nil) {
    self.parts = parts
    self.proxy = proxy
    self.backing = backing
    self.controlPlane = controlPlane
    let processID = Int(ProcessInfo.processInfo.processIdentifier)
    identity = NodeIdentity(
      id: parts.node.id, hostname: parts.node.hostname, processID: processID,
      workerIDs: Array(repeating: processID, count: proxy?.statistics.count ?? 0), luaVersion: "LuaJIT 2.1")
  }

  /// Tells which configuration the control plane has given to its data planes.
  func published(hash: String) { lastPublishedHash.withLock { $0 = hash } }

  /// The settings, and members that clients read although they are no settings here (Kong fact, clients).
  var configuration: [String: JSONValue] {
    parts.node.configuration.merging([
      "rbac": "off", "portal": false, "wasm": false,
      "custom_plugins_enabled": .bool(parts.settings.customPluginStreamingEnabled),
    ]) { setting, _ in setting }
  }

  /// Plugins whose Lua code has no limit of CPU time.
  var trustedPlugins: Set<String> {
    Set(parts.settings.luaQuotaOverrides.filter(\.isTrusted).map(\.plugin))
  }

  var luaMetrics: [NodeMetric] {
    let ends = parts.luaMeter.endedCalls.map { key, count in
      NodeMetric.Sample(
        labels: [
          ("plugin", key.plugin), ("version", key.version), ("phase", key.phase), ("limit", key.limit.rawValue),
        ], value: count)
    }
    return [
      NodeMetric(
        name: "sluice_lua_limit_exceeded_total", isCounter: true,
        summary: "Calls of Lua plugins that a limit has ended", samples: ends),
      NodeMetric(
        name: "sluice_lua_states_replaced_total", isCounter: true,
        summary: "Lua states that were full and were replaced",
        samples: [.init(labels: [], value: parts.luaMeter.replacedStates)]),
      NodeMetric(
        name: "sluice_lua_plugin_trusted", isCounter: false,
        summary: "Lua plugins that are compiled and have no limit of CPU time",
        samples: trustedPlugins.map { .init(labels: [("plugin", $0)], value: 1) }),
    ]
  }

  var statistics: NodeStatistics {
    var sum = NodeStatistics()
    for loop in proxy?.statistics ?? [] {
      sum.connectionsAccepted += loop.accepted
      sum.connectionsHandled += loop.handled
      sum.connectionsActive += loop.active
      sum.connectionsReading += loop.reading
      sum.connectionsWriting += loop.writing
      sum.connectionsWaiting += loop.waiting
      sum.totalRequests += loop.requests
    }
    return sum
  }

  var isDatabaseReachable: Bool? {
    get async {
      guard case .database(let store) = backing else { return nil }
      do {
        _ = try await store.clusterID()
        return true
      } catch {
        return false
      }
    }
  }

  /// Kong compatibility: a control plane tells the hash of what it has published, so that it can be compared with the
  /// rows of its data planes; Kong shows none there.
  var configurationHash: String? {
    switch backing {
    case .database: controlPlane == nil ? nil : lastPublishedHash.withLock { $0 }
    case .declarative(let declarative): declarative.store.configurationHash
    case .received(let store): store.configurationHash
    }
  }

  var dataPlanes: [EntityFields]? {
    guard let controlPlane else { return nil }
    let now = Int64(Date().timeIntervalSince1970)
    return controlPlane.dataPlanes().sorted { $0.id < $1.id }.compactMap {
      $0.json(now: now, purgeDelay: Int64(parts.settings.clusterDataPlanePurgeDelay)).object
    }
  }

  func declarativeConfiguration() async throws(AdminRefusal) -> String {
    switch backing {
    case .database:
      throw .message(
        400, "this endpoint is only available when Kong is configured to not use a database")
    case .declarative(let declarative):
      return declarative.store.configurationText ?? DeclarativeExport.text(of: declarative.store.current)
    case .received(let store):
      return DeclarativeExport.text(of: store.current)
    }
  }

  func loadConfiguration(
    text: String, checksHash: Bool, flattensErrors: Bool
  ) async throws(AdminRefusal) -> ConfigurationLoad {
    guard case .declarative(let declarative) = backing else {
      throw .message(405, "the configuration of a data plane comes from its control plane")
    }
    if checksHash, declarative.store.isCurrent(text) { return .unchanged }
    do throws(DeclarativeConfiguration.Failure) {
      let snapshot = try await declarative.load(text)
      return .loaded(
        snapshot.entities.mapValues { entities in
          .object(
            Dictionary(
              entities.map { ($0["id"]?.string ?? "", JSONValue.object($0)) }, uniquingKeysWith: { first, _ in first }))
        })
    } catch {
      switch error {
      case .busy:
        throw AdminRefusal(
          status: 429, document: ["message": "Currently loading previous configuration"],
          headers: ["Retry-After": "1"])
      case .invalid(let problem):
        throw AdminRefusal(status: 400, document: problem.document(flattened: flattensErrors).object)
      case .cannotRun(let problem):
        throw .message(400, "the configuration cannot run: \(problem)")
      }
    }
  }

  var logLevel: String { ErrorLogHandler.name(of: parts.logLevel.level) }

  func setLogLevel(_ level: String, timeout: Int?) async throws(AdminRefusal) {
    guard let value = ErrorLogHandler.level(named: level) else {
      throw .message(
        400, "unknown log level: \(level); known are debug, info, notice, warn, error, crit, alert and emerg")
    }
    parts.logLevel.set(value, timeout: timeout)
  }
}
