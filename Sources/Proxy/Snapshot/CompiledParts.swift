import EntityModel

/// The parts of a compiled configuration that the next one may take over.
///
/// What is large is shared with the parts of the configuration before, except for what changed.
struct CompiledParts: Sendable {
  var config = ConfigSnapshot.empty
  /// Enabled instances by id.
  private(set) var plugins = SharedMap<CompiledPlugin>()
  /// Parallel to the routes of `config`; nil for routes of disabled services.
  var routes = SharedArray<RouteRuntime?>()
  var services: [String: ServiceRuntime] = [:]
  /// Upstream entities by name.
  var balancers: [String: Balancer] = [:]
  /// Instances that are bound to no route and no service, by plugin name, in the order of their ids.
  var unscoped: [String: [CompiledPlugin]] = [:]
  /// Instances bound to a service and no route, by service; in the order of their ids.
  var byService: [String: [CompiledPlugin]] = [:]
  /// Instances bound to a route, by route; in the order of their ids.
  private(set) var byRoute = SharedMap<[CompiledPlugin]>()
  /// How many enabled instances each plugin has.
  private(set) var instanceCounts: [String: Int] = [:]
  /// Chains of routes without instances of their own, by service; "" for none.
  var chainsByService: [String: PluginChain] = [:]

  /// Takes an instance in; one with the same id must have been removed.
  mutating func add(_ plugin: CompiledPlugin) {
    plugins[plugin.instance.id] = plugin
    instanceCounts[plugin.instance.pluginName, default: 0] += 1
    func insert(into list: inout [CompiledPlugin]) {
      let place = list.lastIndex { $0.instance.id < plugin.instance.id }.map { $0 + 1 } ?? 0
      list.insert(plugin, at: place)
    }
    if let route = plugin.instance.routeID {
      var list = byRoute[route] ?? []
      insert(into: &list)
      byRoute[route] = list
    } else if let service = plugin.instance.serviceID {
      insert(into: &byService[service, default: []])
    } else {
      insert(into: &unscoped[plugin.instance.pluginName, default: []])
    }
  }

  mutating func remove(_ plugin: CompiledPlugin) {
    plugins[plugin.instance.id] = nil
    let left = (instanceCounts[plugin.instance.pluginName] ?? 1) - 1
    instanceCounts[plugin.instance.pluginName] = left > 0 ? left : nil
    func remove(from lists: inout [String: [CompiledPlugin]], _ key: String) {
      lists[key]?.removeAll { $0 === plugin }
      if lists[key]?.isEmpty == true { lists[key] = nil }
    }
    if let route = plugin.instance.routeID {
      let list = (byRoute[route] ?? []).filter { $0 !== plugin }
      byRoute[route] = list.isEmpty ? nil : list
    } else if let service = plugin.instance.serviceID {
      remove(from: &byService, service)
    } else {
      remove(from: &unscoped, plugin.instance.pluginName)
    }
  }
}
