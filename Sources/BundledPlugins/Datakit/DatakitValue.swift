import EntityModel
import NIOCore

/// What goes from node to node.
enum DatakitValue: Sendable, Equatable {
  /// Nothing: no such value, or a node that did not run.
  case none
  case json(JSONValue)
  /// A text as it was received, perhaps no UTF-8.
  case bytes(ByteBuffer)

  var isNil: Bool {
    switch self {
    case .none, .json(.null): true
    case .json, .bytes: false
    }
  }

  /// As JSON; bytes that are no UTF-8 are replaced.
  var json: JSONValue {
    switch self {
    case .none: .null
    case .json(let value): value
    case .bytes(let bytes): .string(String(buffer: bytes))
    }
  }

  /// The text; numbers and truth values count as their text. Nil for what is no text.
  var text: String? {
    switch self {
    case .none, .json(.null): nil
    case .bytes(let bytes): String(buffer: bytes)
    case .json(.string(let text)): text
    case .json(.integer(let number)): String(number)
    case .json(.number(let number)): JSONValue.text(of: number)
    case .json(.bool(let value)): value ? "true" : "false"
    case .json(.array), .json(.object): nil
    }
  }

  /// The name of the kind, for messages.
  var kind: String {
    switch self {
    case .none, .json(.null): "nil"
    case .bytes, .json(.string): "string"
    case .json(.integer), .json(.number): "number"
    case .json(.bool): "boolean"
    case .json(.array): "array"
    case .json(.object): "object"
    }
  }

  /// The value as an input of that type takes it. Nothing fits everywhere.
  func converted(to type: DatakitType) throws(DatakitFailure) -> DatakitValue {
    if isNil { return .none }
    switch type {
    case .any: return self
    case .string:
      switch self {
      case .bytes, .json(.string): return self
      case .json(.integer), .json(.number): return text.map { .json(.string($0)) } ?? .none
      default: break
      }
    case .number:
      switch self {
      case .json(.integer), .json(.number): return self
      case .json(.string), .bytes:
        if let text, let number = Self.number(text) { return .json(number) }
      default: break
      }
    case .boolean: if case .json(.bool) = self { return self }
    case .map, .object:
      if case .json(.object) = self { return self }
      // An empty list is an empty map to Lua.
      if case .json(.array([])) = self { return .json(.object([:])) }
    }
    throw DatakitFailure("expected a value of the type \(type.rawValue), got \(kind)")
  }

  private static func number(_ text: String) -> JSONValue? {
    if let whole = Int64(text) { return .integer(whole) }
    guard let number = Double(text), number.isFinite else { return nil }
    return .number(number)
  }
}

/// Why a node failed.
struct DatakitFailure: Error, CustomStringConvertible {
  let reason: String

  init(_ reason: String) { self.reason = reason }

  var description: String { reason }
}
