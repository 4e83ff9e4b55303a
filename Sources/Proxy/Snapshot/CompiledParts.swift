import EntityModel

/// The parts of a compiled configuration that the next one may take over.
///
/// Lists are parallel to the entities of `config`, which are in the order of their ids.
struct CompiledParts: Sendable {
  var config = ConfigSnapshot.empty
  /// Nil for disabled instances.
  var plugins: [CompiledPlugin?] = []
  /// Nil for routes of disabled services.
  var routes: [RouteRuntime?] = []
  var services: [String: ServiceRuntime] = [:]
  /// Upstream entities by name.
  var balancers: [String: Balancer] = [:]
  /// Instances that are bound to no route and no service, by plugin name, in the order of their ids.
  var unscoped: [String: [CompiledPlugin]] = [:]
  /// Instances bound to a service and no route, by service; in the order of their ids.
  var byService: [String: [CompiledPlugin]] = [:]
  /// Instances bound to a route, by route; in the order of their ids.
  var byRoute: [String: [CompiledPlugin]] = [:]
  /// How many enabled instances each plugin has.
  private(set) var instanceCounts: [String: Int] = [:]
  /// Chains of routes without instances of their own, by service; "" for none.
  var chainsByService: [String: PluginChain] = [:]

  mutating func add(_ plugin: CompiledPlugin) {
    instanceCounts[plugin.instance.pluginName, default: 0] += 1
    func insert(into list: inout [CompiledPlugin]) {
      let place = list.lastIndex { $0.instance.id < plugin.instance.id }.map { $0 + 1 } ?? 0
      list.insert(plugin, at: place)
    }
    if let route = plugin.instance.routeID {
      insert(into: &byRoute[route, default: []])
    } else if let service = plugin.instance.serviceID {
      insert(into: &byService[service, default: []])
    } else {
      insert(into: &unscoped[plugin.instance.pluginName, default: []])
    }
  }

  mutating func remove(_ plugin: CompiledPlugin) {
    let left = (instanceCounts[plugin.instance.pluginName] ?? 1) - 1
    instanceCounts[plugin.instance.pluginName] = left > 0 ? left : nil
    func remove<Key>(from lists: inout [Key: [CompiledPlugin]], _ key: Key) {
      lists[key]?.removeAll { $0 === plugin }
      if lists[key]?.isEmpty == true { lists[key] = nil }
    }
    if let route = plugin.instance.routeID {
      remove(from: &byRoute, route)
    } else if let service = plugin.instance.serviceID {
      remove(from: &byService, service)
    } else {
      remove(from: &unscoped, plugin.instance.pluginName)
    }
  }
}
