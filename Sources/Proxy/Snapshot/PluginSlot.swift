import PluginKit

/// The instances of one plugin that may run on a route, most specific first.
///
/// A plugin runs at most once per request, with the first instance of the twelve precedence levels whose consumer or
/// group is the request's. Route and service are settled when the snapshot is compiled; what is left to decide per
/// request is the consumer. Source: Kong fact, plugin-entity §3.
struct PluginSlot: Sendable {
  let name: String
  let priority: Int
  /// Union of the phases of all candidates.
  private(set) var phases: PhaseSet
  private var levels: [Level]
  /// The instance that runs whoever the consumer is; nil if that depends on the consumer.
  private(set) var fixed: CompiledPlugin?

  private enum Level: Sendable {
    case everyone(CompiledPlugin)
    case consumers([String: CompiledPlugin])
    case groups([String: CompiledPlugin])
  }

  /// - Parameter candidates: instances that fit the route and service; empty gives nil.
  init?(name: String, priority: Int, candidates: [CompiledPlugin]) {
    guard !candidates.isEmpty else { return nil }
    self.name = name
    self.priority = priority
    phases = candidates.reduce(into: []) { $0.formUnion($1.phases) }
    levels = []
    let byRank = Dictionary(grouping: candidates) { Self.rank(of: $0.instance) }
    for rank in byRank.keys.sorted() {
      let plugins = byRank[rank] ?? []
      if let first = plugins.first, first.instance.consumerID != nil {
        levels.append(
          .consumers(
            Dictionary(plugins.map { ($0.instance.consumerID ?? "", $0) }, uniquingKeysWith: { first, _ in first })))
      } else if let first = plugins.first, first.instance.consumerGroupID != nil {
        levels.append(
          .groups(
            Dictionary(
              plugins.map { ($0.instance.consumerGroupID ?? "", $0) }, uniquingKeysWith: { first, _ in first })))
      } else if let first = plugins.first {
        levels.append(.everyone(first))
      }
    }
    if case .everyone(let plugin) = levels.first { fixed = plugin }
  }

  /// Position of an instance among the twelve levels, 1 the most specific.
  static func rank(of instance: PluginInstance) -> Int {
    switch (
      instance.consumerID != nil, instance.consumerGroupID != nil, instance.routeID != nil, instance.serviceID != nil
    ) {
    case (true, _, true, true): 1
    case (false, true, true, true): 2
    case (true, _, true, false): 3
    case (true, _, false, true): 4
    case (false, true, true, false): 5
    case (false, true, false, true): 6
    case (false, false, true, true): 7
    case (true, _, false, false): 8
    case (false, true, false, false): 9
    case (false, false, true, false): 10
    case (false, false, false, true): 11
    case (false, false, false, false): 12
    }
  }

  /// The instance to run for the request's consumer as it is now; nil if none fits.
  func resolve(_ context: RequestContext) -> CompiledPlugin? {
    for level in levels {
      switch level {
      case .everyone(let plugin):
        return plugin
      case .consumers(let plugins):
        if let consumer = context.consumer, let plugin = plugins[consumer.id] { return plugin }
      case .groups(let plugins):
        // Groups are tried in the order of their names, in which they were put into the context.
        for group in context.consumerGroups {
          if let id = group["id"]?.string, let plugin = plugins[id] { return plugin }
        }
      }
    }
    return nil
  }

  /// Every instance of the slot.
  var candidates: [CompiledPlugin] {
    levels.flatMap { level in
      switch level {
      case .everyone(let plugin): [plugin]
      case .consumers(let plugins), .groups(let plugins): Array(plugins.values)
      }
    }
  }
}
