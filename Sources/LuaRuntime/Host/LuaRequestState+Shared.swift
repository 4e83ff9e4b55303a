import CLuaBridge
import EntityModel
import Expressions
import PluginKit

/// `kong.ctx.shared` as conditions and plugins written in Swift ask for it.
extension LuaRequestState: SharedContextValues {
  func sharedValue(forKey key: String) -> ConditionValue {
    guard slu_host_read_shared(host.raw, reference, key) else { return .missing }
    return lastRead?.json.map { ConditionValue($0) } ?? .missing
  }

  /// Every value that is plain data.
  var allSharedValues: [String: ConditionValue] {
    guard slu_host_read_shared(host.raw, reference, nil), case .table(let items, _) = lastRead else { return [:] }
    var values: [String: ConditionValue] = [:]
    for item in items {
      guard let key = item.key.scalarBytes, let value = item.value.json else { continue }
      values[String(decoding: key, as: UTF8.self)] = ConditionValue(value)
    }
    return values
  }

  private var lastRead: LuaValue? {
    guard let nodes = host.raw.pointee.call.nodes else { return nil }
    var place = 0
    return LuaValue(UnsafePointer(nodes), &place)
  }
}
