import EntityModel
import Expressions
import Logging
import NIOSSL
import PluginKit
import Routing

/// Turns a configuration into what the event loops run.
///
/// Runs off the event loops. Either the whole configuration compiles or the problems of all its entities are thrown.
public struct SnapshotCompiler: Sendable {
  private let registry: PluginRegistry
  private let logger: Logger
  /// Server certificates trusted for services with `tls_verify`.
  private let trustRoots: NIOSSLTrustRoots
  private let services: PluginServices

  public init(
    registry: PluginRegistry, logger: Logger, trustRoots: NIOSSLTrustRoots = .default, services: PluginServices = .none
  ) {
    self.registry = registry
    self.logger = logger
    self.trustRoots = trustRoots
    self.services = services
  }

  public func compile(_ config: ConfigSnapshot) throws(SnapshotCompileError) -> RuntimeSnapshot {
    var work = Work(compiler: self, config: config)
    let snapshot = work.run()
    guard work.problems.isEmpty, let snapshot else { throw SnapshotCompileError(problems: work.problems) }
    return snapshot
  }

  /// The state of one compilation.
  private struct Work {
    let compiler: SnapshotCompiler
    let config: ConfigSnapshot
    var problems: [SnapshotCompileError.Problem] = []
    private var instances: [CompiledPlugin] = []
    /// Instances by plugin name that are bound to no route and no service, to one route, to one service, or to both.
    private var unscoped: [String: [CompiledPlugin]] = [:]
    private var byService: [String: [CompiledPlugin]] = [:]
    private var byRoute: [String: [CompiledPlugin]] = [:]
    private var chainsByService: [String: PluginChain] = [:]
    private let compileContext: PluginCompileContext

    init(compiler: SnapshotCompiler, config: ConfigSnapshot) {
      self.compiler = compiler
      self.config = config
      compileContext = PluginCompileContext(
        consumers: ConsumerDirectory(config), logger: compiler.logger, services: compiler.services,
        certificates: Dictionary(
          config["certificates"].compactMap { entity in
            guard let id = entity["id"]?.string, let certificate = entity["cert"]?.string,
              let key = entity["key"]?.string
            else { return nil }
            return (id, CertificatePEM(certificate: certificate, key: key))
          }, uniquingKeysWith: { first, _ in first }))
    }

    mutating func run() -> RuntimeSnapshot? {
      compilePlugins()
      let balancers = compileBalancers()
      let services = compileServices(balancers)
      let (routes, rules) = compileRoutes(services)
      do {
        let table = try RouteTable(routes: rules)
        guard problems.isEmpty else { return nil }
        return RuntimeSnapshot(
          number: config.number, hash: config.hash, routeTable: table, routes: routes,
          globalChain: chain(forRoute: nil, service: nil), instances: instances,
          certificates: CertificateStore(config: config, logger: compiler.logger),
          balancers: balancers, configuredPlugins: configuredPlugins(),
          consumers: compileContext.consumers)
      } catch {
        problems.append(.init(entity: "routes \(error.routeID)", reason: error.reason))
        return nil
      }
    }

    // MARK: Plugins

    private mutating func compilePlugins() {
      for entity in config["plugins"] {
        guard entity["enabled"]?.bool != false, let name = entity["name"]?.string, let id = entity["id"]?.string else {
          continue
        }
        guard let definition = compiler.registry[name] else {
          // Source: Kong fact, plugin-entity §4, "Iterator rebuild aborts".
          problems.append(.init(entity: "plugins \(id)", reason: "\(name) plugin is in use but not enabled"))
          continue
        }
        do {
          let plugin = try compile(entity, id: id, definition: definition)
          instances.append(plugin)
          if let route = plugin.instance.routeID {
            byRoute[route, default: []].append(plugin)
          } else if let service = plugin.instance.serviceID {
            byService[service, default: []].append(plugin)
          } else {
            unscoped[name, default: []].append(plugin)
          }
        } catch {
          problems.append(.init(entity: "plugins \(id)", reason: error.description))
        }
      }
    }

    private func compile(
      _ entity: EntityFields, id: String, definition: PluginDefinition
    ) throws(PluginCompileError) -> CompiledPlugin {
      let instance = PluginInstance(
        id: id, pluginName: definition.name, pluginVersion: definition.description.version,
        instanceName: entity["instance_name"]?.string, config: entity["config"] ?? .object([:]),
        routeID: entity["route"]?["id"]?.string, serviceID: entity["service"]?["id"]?.string,
        consumerID: entity["consumer"]?["id"]?.string, consumerGroupID: entity["consumer_group"]?["id"]?.string)
      var condition: Condition?
      if let source = entity["condition"]?.string {
        do {
          condition = try Condition(source)
        } catch {
          throw PluginCompileError(plugin: definition.name, reason: "condition: \(error)")
        }
      }
      // A clone speaks under its own name.
      var context = compileContext
      context.logger[metadataKey: "plugin"] = .string(definition.name)
      func names(_ relation: String) -> [String] {
        entity["ordering"]?[relation]?["access"]?.array?.compactMap(\.string) ?? []
      }
      return CompiledPlugin(
        instance: instance, executor: try definition.implementation.makeExecutor(for: instance, in: context),
        condition: condition,
        runsBefore: names("before"), runsAfter: names("after"))
    }

    private mutating func chain(forRoute route: String?, service: String?) -> PluginChain {
      let routeScoped = route.flatMap { byRoute[$0] } ?? []
      // Routes without instances of their own share their service's chain.
      if routeScoped.isEmpty, let known = chainsByService[service ?? ""] { return known }
      let serviceScoped = service.flatMap { byService[$0] } ?? []
      var candidates = unscoped
      for plugin in serviceScoped { candidates[plugin.instance.pluginName, default: []].append(plugin) }
      for plugin in routeScoped where plugin.instance.serviceID == nil || plugin.instance.serviceID == service {
        candidates[plugin.instance.pluginName, default: []].append(plugin)
      }
      let chain = PluginChain(
        slots: candidates.compactMap { name, plugins in
          compiler.registry[name].flatMap {
            PluginSlot(name: name, priority: $0.priority, candidates: plugins)
          }
        })
      if routeScoped.isEmpty { chainsByService[service ?? ""] = chain }
      return chain
    }

    private func configuredPlugins() -> [String: Int] {
      Dictionary(
        instances.map {
          ($0.instance.pluginName.replacing("-", with: "_"), compiler.registry[$0.instance.pluginName]?.priority ?? 0)
        }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: Services

    private mutating func compileServices(_ balancers: [String: Balancer]) -> [String: ServiceRuntime] {
      let certificates = Dictionary(
        config["certificates"].compactMap { entity in entity["id"]?.string.map { ($0, entity) } },
        uniquingKeysWith: { first, _ in first })
      let authorities = Dictionary(
        config["ca_certificates"].compactMap { entity in entity["id"]?.string.map { ($0, entity) } },
        uniquingKeysWith: { first, _ in first })
      var services: [String: ServiceRuntime] = [:]
      for entity in config["services"] where entity["enabled"]?.bool != false {
        guard let id = entity["id"]?.string else { continue }
        do {
          let tls = try UpstreamTLSFactory(
            certificates: certificates, authorities: authorities, defaultRoots: compiler.trustRoots
          ).make(for: entity)
          services[id] = ServiceRuntime(
            entity: .object(entity), balancer: balancers[entity["host"]?.string ?? ""], tls: tls)
        } catch {
          problems.append(.init(entity: "services \(id)", reason: "TLS settings cannot be used: \(error)"))
        }
      }
      return services
    }

    private func compileBalancers() -> [String: Balancer] {
      var targets: [String: [(host: String, port: Int, weight: Int)]] = [:]
      for target in config["targets"] {
        guard let upstream = target["upstream"]?["id"]?.string, let address = target["target"]?.string,
          target["failover"]?.bool != true, let (host, port) = TargetAddress.split(address)
        else { continue }
        targets[upstream, default: []].append((host, port, Int(target["weight"]?.integer ?? 100)))
      }
      var balancers: [String: Balancer] = [:]
      for upstream in config["upstreams"] {
        guard let id = upstream["id"]?.string, let name = upstream["name"]?.string else { continue }
        let algorithm = upstream["algorithm"]?.string ?? "round-robin"
        if algorithm != "round-robin" {
          compiler.logger.warning(
            "upstream '\(name)': algorithm '\(algorithm)' is not available yet, round-robin is used instead")
        }
        if Self.checksHealth(upstream["healthchecks"] ?? .null) {
          compiler.logger.warning(
            "upstream '\(name)': health checks are not available yet, its targets count as healthy")
        }
        balancers[name] = Balancer(
          name: name, hostHeader: upstream["host_header"]?.string, targets: targets[id] ?? [])
      }
      return balancers
    }

    /// Whether a counter or interval of the health checks is on; 0 is off.
    private static func checksHealth(_ value: JSONValue) -> Bool {
      ["active", "passive"].contains { kind in
        ["healthy", "unhealthy"].contains { state in
          (value[kind]?[state]?.object ?? [:]).values.contains { ($0.double ?? 0) > 0 }
        }
      }
    }

    // MARK: Routes

    private mutating func compileRoutes(_ services: [String: ServiceRuntime]) -> ([RouteRuntime], [RouteRule]) {
      var routes: [RouteRuntime] = []
      var rules: [RouteRule] = []
      for entity in config["routes"] {
        guard let id = entity["id"]?.string else { continue }
        var service: ServiceRuntime?
        if let serviceID = entity["service"]?["id"]?.string {
          // Routes of a disabled service do not exist for requests.
          guard let found = services[serviceID] else { continue }
          service = found
        }
        let rule = RouteRule(entity: entity, index: routes.count)
        rules.append(rule)
        routes.append(
          RouteRuntime(
            entity: .object(entity), service: service, chain: chain(forRoute: id, service: service?.info.id)))
      }
      return (routes, rules)
    }
  }
}
