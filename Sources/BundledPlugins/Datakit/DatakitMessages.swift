import EntityModel
import NIOCore
import PluginKit

/// Header fields as nodes hold them: a text by name, or a list of texts; null removes.
enum DatakitHeaders {
  /// Fields that say how one message is framed, which never go from one to another.
  private static let framing: Set<String> = [
    "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
  ]

  static func isFraming(_ name: String) -> Bool { framing.contains(name.lowercased()) }

  static func value(_ block: HeaderBlock) -> JSONValue {
    var fields: [(name: String, value: String)] = []
    block.forEach { name, value in
      fields.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
    }
    return value(fields)
  }

  /// Names keep the spelling of their first field.
  static func value(_ fields: [(name: String, value: String)]) -> JSONValue {
    var spellings: [String: String] = [:]
    var members: [String: JSONValue] = [:]
    for (name, value) in fields {
      let lowered = name.lowercased()
      let spelling = spellings[lowered] ?? name
      spellings[lowered] = spelling
      switch members[spelling] {
      case .array(let values)?: members[spelling] = .array(values + [.string(value)])
      case .some(let first): members[spelling] = .array([first, .string(value)])
      case nil: members[spelling] = .string(value)
      }
    }
    return .object(members)
  }

  /// The fields to send, by name.
  static func fields(_ value: DatakitValue) throws(DatakitFailure) -> [(name: String, value: String)] {
    var fields: [(name: String, value: String)] = []
    for change in try changes(value) {
      for text in change.values { fields.append((change.name, text)) }
    }
    return fields
  }

  /// What is to be set, by name; no values remove the field.
  static func changes(_ value: DatakitValue) throws(DatakitFailure) -> [(name: String, values: [String])] {
    guard let members = value.json.object else { return [] }
    var changes: [(name: String, values: [String])] = []
    for name in members.keys.sorted() {
      guard isToken(name) else { throw DatakitFailure("invalid header name '\(name)'") }
      let given = members[name] ?? .null
      var values: [String] = []
      switch given {
      case .null: break
      case .array(let elements):
        for element in elements where !element.isNull { values.append(try text(element, name)) }
      default: values = [try text(given, name)]
      }
      changes.append((name, values))
    }
    return changes
  }

  private static func text(_ value: JSONValue, _ name: String) throws(DatakitFailure) -> String {
    guard let text = DatakitValue.json(value).text else {
      throw DatakitFailure(
        "invalid value of the header '\(name)': expected a string, got \(DatakitValue.json(value).kind)")
    }
    guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
      throw DatakitFailure("invalid value of the header '\(name)': control characters are not allowed")
    }
    return text
  }

  /// A token of RFC 9110 §5.6.2, short enough for a field.
  private static func isToken(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 1024
      && name.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
      }
  }

  /// Applies changes to a message's headers.
  static func apply(_ value: DatakitValue, to block: inout HeaderBlock) throws(DatakitFailure) {
    for change in try changes(value) where !isFraming(change.name) {
      block.remove(change.name)
      for text in change.values { block.add(change.name, text) }
    }
  }

  /// Whether the value says something of a field.
  static func mentions(_ name: String, _ value: DatakitValue) -> Bool {
    value.json.object?.keys.contains { $0.lowercased() == name } ?? false
  }
}

/// Bodies and queries between bytes and values.
enum DatakitBodies {
  /// Reads a received body: JSON by its content type, else as it is. An empty one is nothing.
  static func decoded(
    _ body: ByteBuffer, contentType: String?, of message: String
  ) throws(DatakitFailure) -> DatakitValue {
    if body.readableBytes == 0 { return .none }
    guard MediaKind.isJSON(contentType) else { return .bytes(body) }
    do {
      return .json(try JSONValue(parsing: body.readableBytesView))
    } catch {
      throw DatakitFailure("the \(message) body is not valid JSON: \(error.reason) at byte \(error.offset)")
    }
  }

  /// The bytes of a body, and the content type that they call for; nil for no body.
  ///
  /// - Parameter contentType: what the headers say already.
  static func encoded(_ value: DatakitValue, contentType: String?) -> (bytes: ByteBuffer, contentType: String?)? {
    switch value {
    case .none, .json(.null): return nil
    case .bytes(let bytes): return (bytes, nil)
    case .json(.string(let text)): return (ByteBuffer(string: text), nil)
    case .json(let json):
      if json.object != nil, contentType?.lowercased().hasPrefix("application/x-www-form-urlencoded") == true {
        return (ByteBuffer(bytes: query(value) ?? []), nil)
      }
      return (ByteBuffer(bytes: json.serialized()), "application/json")
    }
  }

  /// Arguments as text; nil for nothing.
  static func query(_ value: DatakitValue) -> [UInt8]? {
    guard let members = value.json.object else { return nil }
    var arguments = Arguments()
    for (name, value) in members { arguments[name] = argument(value) }
    return arguments.encoded
  }

  private static func argument(_ value: JSONValue) -> Arguments.Value {
    switch value {
    case .null, .bool(true): .flag
    case .array(let elements): .list(elements.map(argument))
    case .object: .text(value.serializedString)
    default: .text(DatakitValue.json(value).text ?? "")
    }
  }
}
