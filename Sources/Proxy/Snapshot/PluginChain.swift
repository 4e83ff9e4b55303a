import PluginKit

/// The plugins of one route and service, in order, decided when the snapshot is compiled.
final class PluginChain: Sendable {
  /// By priority, highest first; equal priorities by name, greatest first. Source: Kong fact, plugin-entity §4.
  let slots: [PluginSlot]
  /// Indices into `slots` in the order in which access runs them: `slots` itself unless an instance has `ordering`.
  let accessOrder: [Int]
  /// The phases in which any plugin of the chain wants to run.
  let phases: PhaseSet

  static let empty = PluginChain(slots: [])

  init(slots: [PluginSlot]) {
    let slots = slots.sorted { left, right in
      left.priority == right.priority ? left.name > right.name : left.priority > right.priority
    }
    self.slots = slots
    phases = slots.reduce(into: []) { $0.formUnion($1.phases) }
    accessOrder = Self.accessOrder(of: slots)
  }

  /// Applies `ordering`: a plugin moves just as far as its dependencies ask, all else stays in priority order.
  ///
  /// Dependencies on absent plugins are ignored. In a cycle the plugin of highest priority goes first, so that every
  /// plugin still runs exactly once.
  ///
  /// Kong compatibility: Kong sorts on each request by the ordering of the instance in effect. Here the orderings of all
  /// instances of a plugin on the route count, so that the order is known before the consumer is.
  private static func accessOrder(of slots: [PluginSlot]) -> [Int] {
    let natural = Array(slots.indices)
    let indexByName = Dictionary(slots.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    var predecessors: [Int: Set<Int>] = [:]
    for (index, slot) in slots.enumerated() {
      for plugin in slot.candidates {
        for name in plugin.runsBefore {
          if let other = indexByName[name], other != index { predecessors[other, default: []].insert(index) }
        }
        for name in plugin.runsAfter {
          if let other = indexByName[name], other != index { predecessors[index, default: []].insert(other) }
        }
      }
    }
    if predecessors.isEmpty { return natural }
    var remaining = natural
    var order: [Int] = []
    while !remaining.isEmpty {
      let next =
        remaining.firstIndex { candidate in
          (predecessors[candidate] ?? []).allSatisfy { !remaining.contains($0) }
        } ?? remaining.startIndex
      order.append(remaining.remove(at: next))
    }
    return order
  }
}
