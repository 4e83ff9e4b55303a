import AdminAPI
import BundledPlugins
import Clustering
import EntityModel
import EpollTransport
import Expressions
import Foundation
import Logging
import LuaRuntime
import NIOCore
import NIOPosix
import NIOSSL
import Outbound
import PluginKit
import Proxy
import Storage

/// What every role is made of: logger, identity, event loops, rules of entities, and how the larger parts are made.
struct GatewayParts: Sendable {
  let settings: GatewaySettings
  let logger: Logger
  let logLevel: LogLevelControl
  let node: NodeInfo
  /// The event loops of the proxy.
  let group: EpollEventLoopGroup
  /// The event loops of everything else that talks to the network: plugins' clients, hybrid mode.
  let sideGroup: MultiThreadedEventLoopGroup
  let rules: StoreRules
  let inspector: LuaPluginInspector
  let listeners: ListenersFile
  let outbound: SharedHTTPClient
  let outboundTCP: SharedTCPClient
  let trustRoots: NIOSSLTrustRoots
  let pluginLifetime = PluginLifetime()
  let luaMeter = LuaMeter()
  /// Told of every call of the plugin API, for `sluice plugin run`; nil on a gateway that serves.
  var luaTrace: LuaTrace?

  init(settings: GatewaySettings) async throws {
    self.settings = settings
    let level = ErrorLogHandler.level(named: settings.logLevel.rawValue) ?? .notice
    let logLevel = LogLevelControl(level)
    self.logLevel = logLevel
    let errorLog = try LogFile(path: settings.proxyErrorLog.path.map { settings.resolve($0) } ?? "/dev/null")
    logger = Logger(label: "sluice") { _ in ErrorLogHandler(file: errorLog, control: logLevel) }
    node = NodeInfo(
      id: try NodeIdentityFile.identity(configured: settings.nodeID, prefix: settings.prefix),
      hostname: settings.nodeHostname ?? ProcessInfo.processInfo.hostName, version: SluiceVersion.kong,
      versionNumber: SluiceVersion.kongNumber, serverToken: SluiceVersion.serverToken,
      configuration: settings.redacted(), trustedIPs: settings.trustedIPs.blocks)
    do {
      group = try EpollEventLoopGroup(numberOfThreads: settings.workerProcesses.resolved)
    } catch {
      throw GatewayError("cannot start the event loops of the proxy (nginx_worker_processes): \(error)")
    }
    sideGroup = MultiThreadedEventLoopGroup(numberOfThreads: settings.workerProcesses.resolved)
    trustRoots = try settings.trustRoots()
    outbound = SharedHTTPClient(group: sideGroup, trustRoots: trustRoots)
    outboundTCP = SharedTCPClient(group: sideGroup, trustRoots: trustRoots)
    let inspector = LuaPluginInspector(settings: settings)
    self.inspector = inspector
    rules = Self.rules(settings: settings, inspector: inspector)
    listeners = ListenersFile(prefix: settings.prefix, expected: Self.listenerCount(settings))
    logger.notice("Sluice \(SluiceVersion.current) starts as \(settings.role.rawValue), node \(node.id)")
    announceTrust()
    announceTracing()
  }

  /// Names the instrumentations of which there are no spans.
  private func announceTracing() {
    let absent = settings.tracingInstrumentations.filter { ![.request, .all, .balancer].contains($0) }
    guard !absent.isEmpty else { return }
    logger.warning(
      """
      tracing_instrumentations: the gateway makes no spans for \(absent.map(\.rawValue).joined(separator: ", ")); \
      plugins' own spans are kept
      """)
  }

  /// Says which plugins run without a limit of CPU time.
  private func announceTrust() {
    for override in settings.luaQuotaOverrides where override.isTrusted {
      logger.warning(
        """
        the plugin '\(override.plugin)' is trusted (lua_quota_overrides): its code is compiled, and nothing limits its \
        CPU time
        """)
    }
  }

  /// Every plugin that comes with the program, whatever it is written in, for looking at its declaration.
  static var bundledPlugins: [PluginDefinition] {
    BundledPlugins.all + LuaBundledPlugins.all(settings: LuaRuntime.LuaSettings())
  }

  /// The rules by which entities are validated on a node with these settings.
  static func rules(settings: GatewaySettings, inspector: LuaPluginInspector) -> StoreRules {
    let bundled = BundledPlugins.all.map(\.description) + LuaBundledPlugins.descriptions
    return StoreRules(
      bundled: settings.tlsCertificateVerify ? bundled.map { $0.verifyingServers() } : bundled, inspector: inspector,
      isStreamingEnabled: settings.customPluginStreamingEnabled,
      checkCondition: { source in
        do throws(ConditionSyntaxError) {
          _ = try Condition(source)
          return nil
        } catch {
          return error.description
        }
      })
  }

  private static func listenerCount(_ settings: GatewaySettings) -> Int {
    var count = settings.adminListen.count + settings.statusListen.count
    if settings.role != .controlPlane { count += settings.proxyListen.count }
    if settings.role == .controlPlane { count += settings.clusterListen.count }
    return count
  }

  /// Ends what all roles share.
  func shutDown() async {
    listeners.remove()
    await outbound.shutDown()
    try? await group.shutdownGracefully()
    try? await sideGroup.shutdownGracefully()
    logger.notice("Sluice has stopped")
  }

  // MARK: Store

  func openStore() throws -> EntityStore { EntityStore(backend: try openBackend(), rules: rules) }

  func openBackend() throws -> SQLiteStorage {
    let path = settings.resolvedSQLitePath
    try? FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    return try SQLiteStorage(path: path, kinds: EntityStore.kinds)
  }

  /// The declarative configuration named by the settings, with the words that say where it came from.
  func declarativeText() throws(GatewayError) -> (text: String, source: String)? {
    if let path = settings.declarativeConfig {
      let resolved = settings.resolve(path)
      do {
        return (try String(contentsOfFile: resolved, encoding: .utf8), resolved)
      } catch {
        throw GatewayError("cannot read declarative_config \(resolved): \(error.localizedDescription)")
      }
    }
    return settings.declarativeConfigString.map { ($0, "declarative_config_string") }
  }

  // MARK: Proxy

  func startProxy() async throws -> ProxyServer {
    let proxy = try await ProxyServer(
      configuration: try ProxySettingsReader(settings: settings).configuration(), node: node, group: group,
      logger: logger)
    for bound in try await proxy.start() {
      listeners.add(
        bound.listener.isTLS ? "proxy_ssl" : "proxy", host: bound.listener.host, port: bound.port)
    }
    return proxy
  }

  func applier(_ proxy: ProxyServer) -> ConfigurationApplier {
    ConfigurationApplier(
      registryBuilder: PluginRegistryBuilder(
        inspector: inspector, luaSettings: luaSettings, isStreamingEnabled: settings.customPluginStreamingEnabled),
      proxy: proxy,
      services: PluginServices(
        outbound: outbound, tcp: outboundTCP, lifetime: pluginLifetime,
        scripts: LuaScriptRuntime(settings: luaSettings)),
      trustRoots: trustRoots, logger: logger)
  }

  private var luaSettings: LuaRuntime.LuaSettings {
    var made = LuaRuntime.LuaSettings(
      settings: settings, meter: luaMeter, trustRoots: trustRoots, logSink: LoggerLuaLogSink(logger))
    made.trace = luaTrace
    return made
  }

  func drain(_ proxy: ProxyServer) async {
    logger.notice("draining: requests under way may finish")
    let timeout = TimeAmount(settings.workerShutdownTimeout)
    let deadline = NIODeadline.now() + timeout
    await proxy.drain(timeout: timeout)
    // Requests that used the whole time leave a moment for what they logged.
    await pluginLifetime.end(by: max(deadline, .now() + .seconds(1)))
  }

  // MARK: Cluster

  private func clusterIdentity() throws -> ClusterIdentity {
    guard let certificate = settings.clusterCert, let key = settings.clusterCertKey else {
      throw GatewayError(
        "the role \(settings.role.rawValue) needs cluster_cert and cluster_cert_key; make them with: "
          + "sluice hybrid gen_cert")
    }
    return try ClusterIdentity(
      certificatePEM: try certificate.read(relativeTo: settings.prefix),
      keyPEM: try key.read(relativeTo: settings.prefix))
  }

  private var bundledVersions: [String: String] {
    Dictionary(
      (BundledPlugins.all.map(\.description) + LuaBundledPlugins.descriptions).map { ($0.name, $0.version) },
      uniquingKeysWith: { first, _ in first })
  }

  func startControlPlane(directory: any DataPlaneDirectory) async throws -> ControlPlaneServer {
    let server = try await ControlPlaneServer(
      configuration: ControlPlaneConfiguration(
        identity: try clusterIdentity(), version: SluiceVersion.kong, plugins: bundledVersions,
        maxPayload: settings.clusterMaxPayload, purgeDelay: Int64(settings.clusterDataPlanePurgeDelay), logger: logger),
      directory: directory, group: sideGroup)
    for address in settings.clusterListen {
      let bound = try await server.listen(host: address.host, port: address.port)
      listeners.add("cluster", host: address.host, port: bound.port ?? address.port)
    }
    return server
  }

  func makeDataPlaneClient(_ apply: @escaping DataPlaneClient.Apply) throws -> DataPlaneClient {
    guard let controlPlane = settings.clusterControlPlane else {
      throw GatewayError("the role data_plane needs cluster_control_plane, the host:port of its control plane")
    }
    return DataPlaneClient(
      configuration: DataPlaneConfiguration(
        identity: try clusterIdentity(), host: controlPlane.host, port: controlPlane.port, nodeID: node.id,
        hostname: node.hostname, version: SluiceVersion.kong,
        info: BasicInfo(
          plugins: bundledVersions, processConfiguration: settings.redacted(), labels: settings.clusterDataPlaneLabels),
        maxPayload: settings.clusterMaxPayload,
        lastGoodCopy: LastGoodCopy(
          path: settings.resolve("last-good.config"), maxPayload: settings.clusterMaxPayload),
        logger: logger),
      group: sideGroup, apply: apply)
  }

  // MARK: Admin API and Status API

  /// Adds the Admin API and the Status API to the tasks of the process.
  func serve(
    _ repository: any EntityRepository, _ node: GatewayNode, in group: inout ThrowingTaskGroup<Void, any Error>
  ) {
    for (addresses, kind) in [(settings.adminListen, "admin"), (settings.statusListen, "status")]
    where !addresses.isEmpty {
      group.addTask { try await serve(addresses, kind, repository, node) }
    }
  }

  private func serve(
    _ addresses: [ListenAddress], _ kind: String, _ repository: any EntityRepository, _ node: GatewayNode
  ) async throws {
    let certificates = TLSMaterial(settings: settings)
    let configuration = AdminAPIConfiguration(
      addresses: try addresses.map { address in
        AdminAPIConfiguration.ListenAddress(
          host: address.host, port: address.port,
          tls: address.ssl
            ? try certificates.serverConfiguration(
              certificates: kind == "admin" ? settings.adminSSLCert : settings.statusSSLCert,
              keys: kind == "admin" ? settings.adminSSLCertKey : settings.statusSSLCertKey) : nil)
      },
      surface: kind == "admin" ? .full : .status,
      usesDatabase: settings.database != .off && settings.role != .dataPlane,
      isStreamingEnabled: settings.customPluginStreamingEnabled,
      headers: settings.headers.contains(.adminLatency)
        ? ["server_tokens", "latency_tokens"] : settings.headers.contains(.server) ? ["server_tokens"] : [],
      serverToken: SluiceVersion.serverToken, kongVersion: SluiceVersion.kong, sluiceVersion: SluiceVersion.current,
      maximumBodySize: settings.adminClientMaxBodySize == 0 ? .max : settings.adminClientMaxBodySize)
    let api = AdminAPI(
      repository: repository, node: node, configuration: configuration, logger: logger,
      onServerRunning: { [listeners] address in
        listeners.add(address.tls == nil ? kind : "\(kind)_ssl", host: address.host, port: address.port)
      })
    try await api.run()
  }
}
