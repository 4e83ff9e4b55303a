import EntityModel
import PluginKit
import Synchronization

/// A place to send a request to.
struct Peer: Sendable, Hashable {
  /// Host name or address literal.
  let host: String
  let port: Int
  /// Host header for this peer, port included unless it is the scheme's own; nil: made from host and port.
  let hostHeader: String?
  /// Index among the peers of the balancer.
  let index: Int
}

/// Chooses a peer of an Upstream entity: weighted round-robin over its targets.
///
/// Kong walks a randomly shuffled wheel with one slot per unit of weight. The same is had here without a wheel: a counter
/// is multiplied by a stride that has no factor in common with the sum of the weights, so that each unit of weight is
/// visited once per turn in scattered order, and the target is found by its cumulative weight. Memory does not depend on
/// the weights. Source: Kong fact, proxy-behaviour §8.
///
/// Shared by all loops; the counter is atomic and its order between loops does not matter.
final class Balancer: Sendable {
  let name: String
  private let peers: [Peer]
  private let cumulativeWeights: [UInt64]
  private let total: UInt64
  private let stride: UInt64
  private let counter: Atomic<UInt64>

  /// - Parameter targets: host, port and weight; targets of weight 0 are left out.
  init(name: String, hostHeader: String?, targets: [(host: String, port: Int, weight: Int)]) {
    self.name = name
    let live = targets.filter { $0.weight > 0 }
    let divisor = live.reduce(0) { Self.greatestCommonDivisor($0, UInt64($1.weight)) }
    peers = live.enumerated().map { index, target in
      Peer(host: target.host, port: target.port, hostHeader: hostHeader, index: index)
    }
    var sum: UInt64 = 0
    cumulativeWeights = live.map { target in
      sum += UInt64(target.weight) / max(divisor, 1)
      return sum
    }
    total = sum
    stride = Self.stride(for: sum)
    counter = Atomic(sum == 0 ? 0 : UInt64.random(in: 0..<sum))
  }

  /// The next peer; one that was not tried yet if there is any.
  ///
  /// - Returns: Nil when the upstream has no target with a weight.
  func next(excluding tried: [Int] = []) -> Peer? {
    guard total > 0 else { return nil }
    var fallback: Peer?
    // One turn of the counter visits every unit of weight; a bounded number of steps keeps large weights cheap.
    for _ in 0..<min(total, UInt64(peers.count) * 4 + 8) {
      let peer = peers[step()]
      if !tried.contains(peer.index) { return peer }
      fallback = peer
    }
    return peers.first { !tried.contains($0.index) } ?? fallback
  }

  private func step() -> Int {
    let count = counter.wrappingAdd(1, ordering: .relaxed).oldValue % total
    let position = count.multipliedFullWidth(by: stride)
    let unit = total.dividingFullWidth((position.high % total, position.low)).remainder
    var low = 0
    var high = cumulativeWeights.count - 1
    while low < high {
      let middle = (low + high) / 2
      if unit < cumulativeWeights[middle] { high = middle } else { low = middle + 1 }
    }
    return low
  }

  private static func stride(for total: UInt64) -> UInt64 {
    guard total > 2 else { return 1 }
    // Near the golden section neighbouring steps fall far apart.
    var stride = max(UInt64(Double(total) * 0.618_033_988_75), 1)
    while greatestCommonDivisor(stride, total) != 1 { stride += 1 }
    return stride
  }

  private static func greatestCommonDivisor(_ left: UInt64, _ right: UInt64) -> UInt64 {
    var left = left
    var right = right
    while right != 0 { (left, right) = (right, left % right) }
    return left
  }
}
