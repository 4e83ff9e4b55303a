import EntityModel
import Expressions
import PluginKit
import Routing

/// The state of one compilation: what is taken over from the running snapshot, and what has to be made.
struct SnapshotCompilation {
  let compiler: SnapshotCompiler
  let config: ConfigSnapshot
  let running: RuntimeSnapshot?
  var problems: [SnapshotCompileError.Problem] = []

  /// Begins as the parts of the running snapshot and becomes those of the new one.
  var parts: CompiledParts
  /// Instances that were made new.
  var fresh: [CompiledPlugin] = []
  /// All services are those that run.
  var areServicesUnchanged = false
  /// An instance without route and service is not the one that runs.
  var isUnscopedChanged = false
  /// Services and routes whose own instances are not those that run.
  var changedServices: Set<String> = []
  var changedRoutes: Set<String> = []
  let consumers: ConsumerDirectory
  private let compileContext: PluginCompileContext
  private let isSameConsumers: Bool
  private let isSameCertificates: Bool
  /// Names of streamed and cloned plugins whose definitions are not those that run.
  private let changedDefinitions: Set<String>

  init(compiler: SnapshotCompiler, config: ConfigSnapshot, running: RuntimeSnapshot?) {
    self.compiler = compiler
    self.config = config
    self.running = running
    parts = running?.parts ?? CompiledParts()
    parts.config = config
    let before = running?.parts.config ?? .empty
    isSameConsumers = running != nil && Self.isSame(before, config, exceptFor: Self.kindsWithoutConsumers)
    consumers = isSameConsumers ? running?.consumers ?? .empty : ConsumerDirectory(config)
    changedDefinitions = Self.changedDefinitions(before, config)
    isSameCertificates = running != nil && before["certificates"] == config["certificates"]
    compileContext = PluginCompileContext(
      consumers: consumers, logger: compiler.logger, services: compiler.services,
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
    compileBalancers()
    compileServices()
    forgetChains()
    let rules = compileRoutes()
    guard problems.isEmpty else { return nil }
    do throws(RouteTableError) {
      let table =
        if let running, rules == nil {
          running.routeTable
        } else {
          try RouteTable(routes: rules ?? [], reusing: running?.routeTable)
        }
      let globalChain =
        if let running, !isUnscopedChanged { running.globalChain } else { chain(forRoute: nil, service: nil) }
      let certificates =
        if let running, isUnchanged("certificates"), isUnchanged("snis") {
          running.certificates
        } else {
          CertificateStore(config: config, logger: compiler.logger)
        }
      return RuntimeSnapshot(
        parts: parts, routeTable: table, globalChain: globalChain, fresh: fresh, certificates: certificates,
        configuredPlugins: configuredPlugins(), consumers: consumers)
    } catch {
      problems.append(.init(entity: "routes \(error.routeID)", reason: error.reason))
      return nil
    }
  }

  // MARK: What changed

  /// Kinds that say nothing about consumers, their credentials and groups.
  private static let kindsWithoutConsumers: Set<String> = [
    "services", "routes", "plugins", "upstreams", "targets", "certificates", "ca_certificates", "snis",
    "custom_plugins", "cloned_plugins",
  ]

  private static func isSame(_ old: ConfigSnapshot, _ new: ConfigSnapshot, exceptFor kinds: Set<String>) -> Bool {
    Set(old.entities.keys).union(new.entities.keys).subtracting(kinds).allSatisfy { old[$0] == new[$0] }
  }

  func isUnchanged(_ kind: String) -> Bool {
    guard let running else { return false }
    return running.parts.config[kind] == config[kind]
  }

  private static func changedDefinitions(_ old: ConfigSnapshot, _ new: ConfigSnapshot) -> Set<String> {
    var changed: Set<String> = []
    func compare(_ kind: String) {
      ConfigSnapshot.compare(old[kind], new[kind]) { old, new in
        for row in [old, new] { if let name = row?["name"]?.string { changed.insert(name) } }
      }
    }
    compare("custom_plugins")
    for clone in new["cloned_plugins"] {
      if let ref = clone["ref"]?.string, changed.contains(ref), let name = clone["name"]?.string {
        changed.insert(name)
      }
    }
    compare("cloned_plugins")
    return changed
  }

  // MARK: Plugins

  private mutating func compilePlugins() {
    let old = running?.parts.config["plugins"] ?? EntityList()
    let new = config["plugins"]
    var removed: [CompiledPlugin] = []
    var added: [EntityFields] = []
    ConfigSnapshot.compare(old, new) { old, new in
      if let before = old?["id"]?.string.flatMap({ parts.plugins[$0] }) { removed.append(before) }
      if let new { added.append(new) }
    }
    let changed = Set(added.compactMap { $0["id"]?.string })
    func makeAgain(_ entity: EntityFields) {
      guard let id = entity["id"]?.string, !changed.contains(id), let before = parts.plugins[id], !mayStay(before)
      else { return }
      removed.append(before)
      added.append(entity)
    }
    if running != nil, !(isSameConsumers && isSameCertificates) {
      for entity in new { makeAgain(entity) }
    } else if running != nil, !changedDefinitions.isEmpty {
      for part in new.parts where !part.names.isDisjoint(with: changedDefinitions) { part.rows.forEach(makeAgain) }
    }
    for plugin in removed where parts.plugins[plugin.instance.id] === plugin {
      parts.remove(plugin)
      noteChange(of: plugin)
    }
    for entity in added {
      guard let plugin = compile(entity) else { continue }
      if let twin = parts.plugins[plugin.instance.id] { parts.remove(twin) }
      parts.add(plugin)
      noteChange(of: plugin)
      fresh.append(plugin)
    }
  }

  /// Whether an instance whose entity is the same also means the same.
  private func mayStay(_ plugin: CompiledPlugin) -> Bool {
    guard !plugin.usesContext || isSameConsumers && isSameCertificates else { return false }
    return changedDefinitions.isEmpty || !changedDefinitions.contains(plugin.instance.pluginName)
  }

  private mutating func noteChange(of plugin: CompiledPlugin) {
    if let route = plugin.instance.routeID {
      changedRoutes.insert(route)
    } else if let service = plugin.instance.serviceID {
      changedServices.insert(service)
    } else {
      isUnscopedChanged = true
    }
  }

  private mutating func compile(_ entity: EntityFields) -> CompiledPlugin? {
    guard entity["enabled"]?.bool != false, let name = entity["name"]?.string, let id = entity["id"]?.string else {
      return nil
    }
    guard let definition = compiler.registry[name] else {
      // Source: Kong fact, plugin-entity §4, "Iterator rebuild aborts".
      problems.append(.init(entity: "plugins \(id)", reason: "\(name) plugin is in use but not enabled"))
      return nil
    }
    do {
      return try compile(entity, id: id, definition: definition)
    } catch {
      problems.append(.init(entity: "plugins \(id)", reason: error.description))
      return nil
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
      condition: condition, runsBefore: names("before"), runsAfter: names("after"),
      usesContext: definition.implementation is any SnapshotAwarePluginImplementation)
  }

  private func configuredPlugins() -> [String: Int] {
    if let running, isUnchanged("plugins"), changedDefinitions.isEmpty { return running.configuredPlugins }
    return Dictionary(
      parts.instanceCounts.keys.map { ($0.replacing("-", with: "_"), compiler.registry[$0]?.priority ?? 0) },
      uniquingKeysWith: { first, _ in first })
  }

  // MARK: Chains

  private mutating func forgetChains() {
    if isUnscopedChanged {
      parts.chainsByService = [:]
    } else {
      for service in changedServices { parts.chainsByService[service] = nil }
    }
  }

  mutating func chain(forRoute route: String?, service: String?) -> PluginChain {
    let routeScoped = route.flatMap { parts.byRoute[$0] } ?? []
    // Routes without instances of their own share their service's chain, and the others begin with it.
    let shared = sharedChain(ofService: service)
    if routeScoped.isEmpty { return shared }
    var candidates: [String: [CompiledPlugin]] = [:]
    for plugin in routeScoped where plugin.instance.serviceID == nil || plugin.instance.serviceID == service {
      candidates[plugin.instance.pluginName, default: []].append(plugin)
    }
    var slots = shared.slots.filter { candidates[$0.name] == nil }
    for (name, own) in candidates {
      let inherited = (parts.unscoped[name] ?? []) + instances(of: name, onService: service)
      if let slot = slot(name, inherited + own) { slots.append(slot) }
    }
    return PluginChain(slots: slots)
  }

  private mutating func sharedChain(ofService service: String?) -> PluginChain {
    if let known = parts.chainsByService[service ?? ""] { return known }
    var candidates = parts.unscoped
    for plugin in service.flatMap({ parts.byService[$0] }) ?? [] {
      candidates[plugin.instance.pluginName, default: []].append(plugin)
    }
    let chain = PluginChain(slots: candidates.compactMap { slot($0, $1) })
    parts.chainsByService[service ?? ""] = chain
    return chain
  }

  private func instances(of name: String, onService service: String?) -> [CompiledPlugin] {
    (service.flatMap { parts.byService[$0] } ?? []).filter { $0.instance.pluginName == name }
  }

  private func slot(_ name: String, _ candidates: [CompiledPlugin]) -> PluginSlot? {
    compiler.registry[name].flatMap { PluginSlot(name: name, priority: $0.priority, candidates: candidates) }
  }
}
