import EntityModel
import NIOCore
import Synchronization

/// What a cache node says of its data.
struct DatakitCacheSettings: Sendable {
  /// Seconds; nil for ever.
  let timeToLive: Double?
  let bypassesErrors: Bool

  enum InputPlace {
    static let key = 0
    static let timeToLive = 1
    static let data = 2
  }

  init(_ config: JSONValue) {
    timeToLive = config["ttl"]?.double
    bypassesErrors = config.flag("bypass_on_error")
  }
}

/// The data of all cache nodes of the process: what was not used for longest goes first when it is full.
///
/// A lock is held for the look-up alone; only requests with cache nodes take it.
final class DatakitCache: Sendable {
  static let shared = DatakitCache(capacity: 64 << 20)

  private struct Entry {
    var value: DatakitValue
    var size: Int
    var expires: ContinuousClock.Instant?
    var lastUse: UInt64
  }

  private struct State {
    var entries: [String: Entry] = [:]
    var size = 0
    var uses: UInt64 = 0
  }

  /// In bytes.
  private let capacity: Int
  private let state = Mutex(State())

  init(capacity: Int) { self.capacity = capacity }

  func value(forKey key: String, at now: ContinuousClock.Instant) -> DatakitValue? {
    state.withLock { state in
      guard var entry = state.entries[key] else { return nil }
      if let expires = entry.expires, expires <= now {
        state.entries[key] = nil
        state.size -= entry.size
        return nil
      }
      state.uses += 1
      entry.lastUse = state.uses
      state.entries[key] = entry
      return entry.value
    }
  }

  /// - Parameter seconds: nil keeps the value until it has to make room.
  /// - Throws: `DatakitFailure` for a value that is larger than an eighth of the cache.
  func store(
    _ value: DatakitValue, forKey key: String, seconds: Double?, at now: ContinuousClock.Instant
  ) throws(DatakitFailure) {
    let size = Self.size(of: value) + key.utf8.count + 128
    guard size <= capacity / 8 else { throw DatakitFailure("the data is too large for the cache") }
    let expires = seconds.map { now + .milliseconds(Int64(min(max($0, 0), 1e9) * 1000)) }
    state.withLock { state in
      state.uses += 1
      if let old = state.entries[key] { state.size -= old.size }
      state.entries[key] = Entry(value: value, size: size, expires: expires, lastUse: state.uses)
      state.size += size
      if state.size > capacity { makeRoom(&state, at: now) }
    }
  }

  /// Drops what has expired and then what was used longest ago, until a quarter is free: seldom, but then thoroughly.
  private func makeRoom(_ state: inout State, at now: ContinuousClock.Instant) {
    for (key, entry) in state.entries {
      if let expires = entry.expires, expires <= now {
        state.size -= entry.size
        state.entries[key] = nil
      }
    }
    guard state.size > capacity / 4 * 3 else { return }
    for (key, entry) in state.entries.sorted(by: { $0.value.lastUse < $1.value.lastUse }) {
      if state.size <= capacity / 4 * 3 { break }
      state.size -= entry.size
      state.entries[key] = nil
    }
  }

  private static func size(of value: DatakitValue) -> Int {
    switch value {
    case .none: 0
    case .bytes(let bytes): bytes.readableBytes
    case .json(let value): size(of: value)
    }
  }

  private static func size(of value: JSONValue) -> Int {
    switch value {
    case .null, .bool, .integer, .number: 24
    case .string(let text): 24 + text.utf8.count
    case .array(let elements): elements.reduce(32) { $0 + size(of: $1) }
    case .object(let members): members.reduce(64) { $0 + 32 + $1.key.utf8.count + size(of: $1.value) }
    }
  }
}
