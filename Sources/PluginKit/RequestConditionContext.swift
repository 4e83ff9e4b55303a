import EntityModel
import Expressions

/// Values that plugins share within a request (`kong.ctx.shared`), as conditions ask for them.
///
/// Implemented by what owns `RequestContext.scriptState`; without one the map is empty.
public protocol SharedContextValues: AnyObject {
  /// One key; `missing` if it is not there.
  func sharedValue(forKey key: String) -> ConditionValue
  /// The whole map.
  var allSharedValues: [String: ConditionValue] { get }
}

/// A request as conditions see it. Source: Kong fact, plugin-entity §6.
public struct RequestConditionContext: ConditionContext {
  private let context: RequestContext

  public init(_ context: RequestContext) { self.context = context }

  public func withBytes(of field: ConditionField, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
    switch field {
    case .httpPath:
      context.normalizedPath.withUnsafeBytes { body($0) }
      return true
    case .httpHeader(let name):
      guard let index = headerIndex(name) else { return false }
      context.requestHeaders.withValue(at: index) { body($0) }
      return true
    default: return false
    }
  }

  public func value(of field: ConditionField) -> ConditionValue {
    switch field {
    case .httpMethod: return .string(context.method.name)
    case .httpHost: return .string(context.host)
    case .httpPath: return .string(String(decoding: context.normalizedPath, as: UTF8.self))
    case .httpPathSegments:
      return .list(
        context.normalizedPath.split(separator: UInt8(ascii: "/")).map { .string(String(decoding: $0, as: UTF8.self)) })
    case .httpHeader(let name):
      return headerIndex(name).map { .string(context.requestHeaders.value(at: $0)) } ?? .null
    case .httpHeaderList(let name):
      var values: [ConditionValue] = []
      var start = 0
      while let index = headerIndex(name, from: start) {
        values.append(.string(context.requestHeaders.value(at: index)))
        start = index + 1
      }
      return values.isEmpty ? .null : .list(values)
    case .httpQuery(let name): return queryValues(name, limit: 1).first.map { .string($0) } ?? .null
    case .httpQueryList(let name):
      let values = queryValues(name, limit: .max)
      return values.isEmpty ? .null : .list(values.map { .string($0) })
    case .netProtocol: return .string(context.scheme)
    case .tlsServerName: return text(context.tlsServerName)
    case .sourceIP: return .string(context.clientIP)
    case .sourcePort: return .int(Int64(context.clientPort))
    case .destinationIP: return .string(context.localIP)
    case .destinationPort: return .int(Int64(context.localPort))
    case .routeID: return text(context.route?.id)
    case .routeName: return text(context.route?.name)
    case .routeTags: return texts(context.route?.tags)
    case .serviceID: return text(context.service?.id)
    case .serviceName: return text(context.service?.name)
    case .serviceTags: return texts(context.service?.tags)
    case .consumerID: return text(context.consumer?.id)
    case .consumerUsername: return text(context.consumer?.username)
    case .consumerCustomID: return text(context.consumer?.customID)
    case .consumerTags: return texts(context.consumer?.tags)
    case .consumerGroupNames: return groups("name")
    case .consumerGroupIDs: return groups("id")
    case .shared:
      let values = (context.scriptState as? any SharedContextValues)?.allSharedValues ?? [:]
      if context.sharedValues.isEmpty { return .map(values) }
      return .map(values.merging(context.sharedValues.mapValues { ConditionValue($0) }) { $1 })
    case .sharedKey(let key):
      if let value = context.sharedValues[key] { return ConditionValue(value) }
      return (context.scriptState as? any SharedContextValues)?.sharedValue(forKey: key) ?? .missing
    case .principalID, .principalDisplayName, .principalMetadata: return .null
    case .pluginIsMatched(let name):
      return context.chain?.status(ofPlugin: name).map { .bool($0.isMatched) } ?? .null
    case .pluginPriority(let name):
      return context.chain?.status(ofPlugin: name).map { .int(Int64($0.priority)) } ?? .null
    case .pluginAccessHasExecuted(let name):
      return context.chain?.status(ofPlugin: name).map { .bool($0.accessHasExecuted) } ?? .null
    }
  }

  private func text(_ value: String?) -> ConditionValue { value.map { .string($0) } ?? .null }

  private func texts(_ values: [String]?) -> ConditionValue { values.map { .list($0.map { .string($0) }) } ?? .null }

  private func groups(_ field: String) -> ConditionValue {
    if context.consumerGroups.isEmpty { return .null }
    return .list(context.consumerGroups.compactMap { $0[field]?.string }.map { .string($0) })
  }

  /// Hyphens and underscores of header names are one.
  private func headerIndex(_ name: String, from start: Int = 0) -> Int? {
    var name = name
    return name.withUTF8 { wanted in
      var index = start
      while index < context.requestHeaders.count {
        let isEqual = context.requestHeaders.withName(at: index) { found in
          found.count == wanted.count
            && found.indices.allSatisfy { Self.folded(found[$0]) == Self.folded(wanted[$0]) }
        }
        if isEqual { return index }
        index += 1
      }
      return nil
    }
  }

  private static func folded(_ byte: UInt8) -> UInt8 {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
    case UInt8(ascii: "_"): UInt8(ascii: "-")
    default: byte
    }
  }

  /// Decoded values of a query argument; one without `=` is empty.
  private func queryValues(_ name: String, limit: Int) -> [String] {
    var values: [String] = []
    func search(_ query: UnsafeRawBufferPointer) {
      for argument in query.split(separator: UInt8(ascii: "&")) where values.count < limit {
        let mark = argument.firstIndex(of: UInt8(ascii: "="))
        let key = Self.decoded(argument[argument.startIndex..<(mark ?? argument.endIndex)])
        guard key == name else { continue }
        values.append(mark.map { Self.decoded(argument[($0 + 1)...]) } ?? "")
      }
    }
    if let query = context.queryOverride {
      query.withUnsafeBytes { search($0) }
    } else {
      context.withRawQuery { if let query = $0 { search(query) } }
    }
    return values
  }

  private static func decoded(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
    var result: [UInt8] = []
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let byte = bytes[index]
      if byte == UInt8(ascii: "%"), index + 2 < bytes.endIndex, let high = hexDigitValue(bytes[index + 1]),
        let low = hexDigitValue(bytes[index + 2])
      {
        result.append(UInt8(high) << 4 | UInt8(low))
        index += 3
      } else {
        result.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}

extension ConditionValue {
  public init(_ value: JSONValue) {
    switch value {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .int(value)
    case .number(let value): self = .double(value)
    case .string(let value): self = .string(value)
    case .array(let values): self = .list(values.map { ConditionValue($0) })
    case .object(let members): self = .map(members.mapValues { ConditionValue($0) })
    }
  }
}
