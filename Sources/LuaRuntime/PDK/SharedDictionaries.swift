import PluginKit
import Synchronization

/// What `ngx.shared` is made of: dictionaries of the process, for all event loops. Source: Kong fact, pdk §7.
enum SharedDictionaryNamespace {
  private static let dictionaries = Mutex<[String: SharedDictionary]>([:])

  static let functions: [PDKFunction] = [
    operation("get") { dictionary, call, key in read(dictionary[key, TextTools.now()], call) },
    operation("get_stale") { dictionary, call, key in read(dictionary[key, TextTools.now()], call) },
    operation("set") { dictionary, call, key in write(.always, &dictionary, call, key) },
    operation("safe_set") { dictionary, call, key in write(.always, &dictionary, call, key) },
    operation("add") { dictionary, call, key in write(.ifAbsent, &dictionary, call, key) },
    operation("safe_add") { dictionary, call, key in write(.ifAbsent, &dictionary, call, key) },
    operation("replace") { dictionary, call, key in write(.ifPresent, &dictionary, call, key) },
    operation("delete") { dictionary, call, key in
      dictionary.remove(key)
      call.returns(true)
    },
    operation("incr") { dictionary, call, key in increment(&dictionary, call, key) },
    operation("ttl") { dictionary, call, key in
      guard let entry = dictionary[key, TextTools.now()] else { return call.returnsFailure("not found") }
      call.returns(entry.expires.map { $0 - TextTools.now() } ?? 0)
    },
    operation("expire") { dictionary, call, key in
      guard var entry = dictionary[key, TextTools.now()] else { return call.returnsFailure("not found") }
      entry.expires = expiry(call.number(2))
      _ = dictionary.insert(entry, key)
      call.returns(true)
    },
    operation("flush_all", hasKey: false) { dictionary, _, _ in dictionary = SharedDictionary() },
    operation("flush_expired", hasKey: false) { dictionary, call, _ in
      call.returns(dictionary.removeExpired(TextTools.now()))
    },
    operation("get_keys", hasKey: false) { dictionary, call, _ in
      let keys = dictionary.keys(TextTools.now())
      let asked = call.whole(1, in: 0...1_000_000_000) ?? 1024
      let limit = asked == 0 ? keys.count : asked
      call.beginList(min(limit, keys.count))
      for key in keys.prefix(limit) { call.returns(key) }
    },
    operation("capacity", hasKey: false) { _, call, _ in call.returns(SharedDictionary.capacity) },
    operation("free_space", hasKey: false) { dictionary, call, _ in call.returns(dictionary.freeSpace) },
  ]

  private typealias Operation =
    @Sendable (_ dictionary: inout SharedDictionary, _ call: LuaCall, _ key: [UInt8]) -> Void

  /// An operation whose first argument is the dictionary's name and whose second is the key.
  private static func operation(_ name: String, hasKey: Bool = true, _ body: @escaping Operation) -> PDKFunction {
    PDKFunction("shared.\(name)", .any, level: .internal, wants: .tables, "Shared dictionary") {
      (call) throws(LuaFault) in
      let dictionary = try call.requireString(0, "bad dictionary")
      var key: [UInt8] = []
      if hasKey {
        guard let bytes = call.value(1).scalarBytes else { return call.returnsFailure("nil key") }
        if bytes.isEmpty { return call.returnsFailure("empty key") }
        if bytes.count > 65535 { return call.returnsFailure("key too long") }
        key = bytes
      }
      // The lock is held for one operation on a few bytes; nothing in it waits.
      dictionaries.withLock { body(&$0[dictionary, default: SharedDictionary()], call, key) }
    }
  }

  private static func read(_ entry: SharedDictionary.Entry?, _ call: LuaCall) {
    guard let entry else { return call.returnNil() }
    call.returns(entry.value)
    if entry.flags != 0 { call.returns(entry.flags) }
  }

  private enum Condition { case always, ifAbsent, ifPresent }

  private static func write(
    _ condition: Condition, _ dictionary: inout SharedDictionary, _ call: LuaCall, _ key: [UInt8]
  ) {
    func refuse(_ reason: String) {
      call.returns(false)
      call.returns(reason)
      call.returns(false)
    }
    let value = call.value(2)
    let isKnown = dictionary[key, TextTools.now()] != nil
    switch condition {
    case .ifAbsent where isKnown: return refuse("exists")
    case .ifPresent where !isKnown: return refuse("not found")
    default: break
    }
    switch value {
    case .nil:
      dictionary.remove(key)
      call.returns(true)
      call.returnNil()
      call.returns(false)
    case .boolean, .number, .string:
      let entry = SharedDictionary.Entry(
        value: value, expires: expiry(call.number(3)), flags: call.number(4).flatMap { Int(exactly: $0) } ?? 0)
      guard let isForced = dictionary.insert(entry, key) else { return refuse("no memory") }
      call.returns(true)
      call.returnNil()
      call.returns(isForced)
    default: call.returnsFailure("bad value type")
    }
  }

  private static func increment(_ dictionary: inout SharedDictionary, _ call: LuaCall, _ key: [UInt8]) {
    guard let step = call.number(2) else { return call.returnsFailure("not a number") }
    var entry = SharedDictionary.Entry(value: .number(0), expires: expiry(call.number(4)), flags: 0)
    if let known = dictionary[key, TextTools.now()] {
      entry = known
    } else if let initial = call.number(3) {
      entry.value = .number(initial)
    } else {
      return call.returnsFailure("not found")
    }
    guard case .number(let number) = entry.value else { return call.returnsFailure("not a number") }
    entry.value = .number(number + step)
    guard let isForced = dictionary.insert(entry, key) else { return call.returnsFailure("no memory") }
    call.returns(number + step)
    call.returnNil()
    call.returns(isForced)
  }

  private static func expiry(_ seconds: Double?) -> Double? {
    seconds.flatMap { $0 > 0 ? TextTools.now() + $0 : nil }
  }
}

/// One dictionary of bounded size; full, it forgets what has expired, then any other entry.
struct SharedDictionary: Sendable {
  struct Entry: Sendable {
    var value: LuaValue
    /// Seconds since the epoch.
    var expires: Double?
    var flags: Int

    fileprivate var size: Int {
      if case .string(let bytes) = value { bytes.count } else { 8 }
    }
  }

  /// Bytes of keys and values.
  static let capacity = 12 << 20
  private static let overhead = 96

  private var entries: [[UInt8]: Entry] = [:]
  private var used = 0

  var freeSpace: Int { max(0, Self.capacity - used) }

  subscript(key: [UInt8], now: Double) -> Entry? {
    guard let entry = entries[key] else { return nil }
    if let expires = entry.expires, expires <= now { return nil }
    return entry
  }

  func keys(_ now: Double) -> [[UInt8]] { entries.filter { ($0.value.expires ?? .infinity) > now }.map(\.key) }

  /// - Returns: Whether other entries had to go; nil if there is no room even so.
  mutating func insert(_ entry: Entry, _ key: [UInt8]) -> Bool? {
    let size = key.count + entry.size + Self.overhead
    guard size <= Self.capacity / 2 else { return nil }
    remove(key)
    var isForced = false
    if used + size > Self.capacity { removeExpired(TextTools.now()) }
    while used + size > Self.capacity, let other = entries.first?.key {
      remove(other)
      isForced = true
    }
    entries[key] = entry
    used += size
    return isForced
  }

  mutating func remove(_ key: [UInt8]) {
    guard let entry = entries.removeValue(forKey: key) else { return }
    used -= key.count + entry.size + Self.overhead
  }

  @discardableResult
  mutating func removeExpired(_ now: Double) -> Int {
    let expired = entries.filter { ($0.value.expires ?? .infinity) <= now }.map(\.key)
    for key in expired { remove(key) }
    return expired.count
  }
}
