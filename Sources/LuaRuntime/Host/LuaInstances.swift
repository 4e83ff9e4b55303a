import CLuaBridge
import PluginKit

/// The handlers and instances that a state has loaded.
///
/// Those whose executor is gone are dropped little by little while others come: each new one looks at a few of the old,
/// so that loading many takes time in proportion to their number.
struct LuaInstances {
  private var byKey: [Int: LuaInstance] = [:]
  private var keys: [Int] = []
  private var cursor = 0
  private var handlers: [LuaSourceIdentity: LuaHandlerBox] = [:]
  /// Those asked for lately, by the last bits of their keys: a look there costs less than one into the dictionary.
  private var recent: [(key: Int, instance: LuaInstance)?] = Array(repeating: nil, count: 64)

  /// Old instances that each new one looks at.
  private static let stride = 4

  var count: Int { byKey.count }

  mutating func find(_ key: Int) -> LuaInstance? {
    let place = key & 63
    if let known = recent[place], known.key == key { return known.instance }
    guard let instance = byKey[key] else { return nil }
    recent[place] = (key, instance)
    return instance
  }

  private mutating func forgetRecent() { for place in recent.indices { recent[place] = nil } }

  func handler(_ identity: LuaSourceIdentity) -> LuaHandler? { handlers[identity]?.handler }

  mutating func insert(_ handler: LuaHandler, for identity: LuaSourceIdentity) {
    handlers[identity] = LuaHandlerBox(handler: handler)
  }

  mutating func insert(_ instance: LuaInstance, key: Int) {
    var hasDropped = false
    for _ in 0..<min(Self.stride, keys.count) {
      if cursor >= keys.count { cursor = 0 }
      if let old = byKey[keys[cursor]], old.isWanted {
        cursor += 1
      } else {
        byKey[keys[cursor]] = nil
        keys.swapAt(cursor, keys.count - 1)
        keys.removeLast()
        hasDropped = true
        if keys.isEmpty { break }
      }
    }
    forgetRecent()
    if hasDropped { handlers = handlers.filter { $0.value.handler != nil } }
    if byKey.updateValue(instance, forKey: key) == nil { keys.append(key) }
  }

  /// Drops what belongs to one plugin version.
  mutating func remove(_ tenant: LuaTenant) {
    forgetRecent()
    byKey = byKey.filter { $0.value.handler.tenant !== tenant }
    keys = Array(byKey.keys)
    cursor = 0
    handlers = handlers.filter { $0.value.handler != nil }
  }

  mutating func removeAll() {
    forgetRecent()
    byKey.removeAll()
    keys.removeAll()
    handlers.removeAll()
  }
}

/// A handler that is not kept alive. Confined to its loop, as handlers are: while `life` is there, so is the handler.
private struct LuaHandlerBox {
  private unowned(unsafe) let kept: LuaHandler
  private weak var life: LuaLife?

  init(handler: LuaHandler) {
    kept = handler
    life = handler.life
  }

  var handler: LuaHandler? { life == nil ? nil : kept }
}
