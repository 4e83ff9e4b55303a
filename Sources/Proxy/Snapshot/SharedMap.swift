/// A dictionary whose copies share what is the same in both: changing one entry of a copy copies the few that lie with
/// it, not all.
struct SharedMap<Value: Sendable>: Sendable {
  /// About as many entries lie together.
  private static var shardSize: Int { 32 }

  /// As many as a power of two; the keys' hashes tell where a key lies.
  private var shards: [[String: Value]] = [[:]]
  private(set) var count = 0

  init() {}

  subscript(key: String) -> Value? {
    get { shards[shard(of: key)][key] }
    set {
      let place = shard(of: key)
      if let newValue {
        if shards[place].updateValue(newValue, forKey: key) == nil { count += 1 }
        if count > shards.count * Self.shardSize * 2 { spread() }
      } else if shards[place].removeValue(forKey: key) != nil {
        count -= 1
      }
    }
  }

  /// All values, in no order.
  var values: some Sequence<Value> { shards.lazy.flatMap { $0.values } }

  private func shard(of key: String) -> Int { key.hashValue & (shards.count - 1) }

  private mutating func spread() {
    let all = shards
    shards = Array(repeating: [:], count: all.count * 4)
    for entries in all {
      for (key, value) in entries { shards[shard(of: key)][key] = value }
    }
  }
}
