import EntityModel
import PluginKit

/// The arguments of a query or of a form body, by name. Source: Kong fact, pdk §1 "get_query".
struct Arguments {
  enum Value: Equatable {
    /// A name without `=`.
    case flag
    case text(String)
    case list([Value])
  }

  private(set) var values: [String: Value] = [:]

  init() {}

  /// The query as later plugins and the upstream see it.
  init(queryOf context: RequestContext) {
    if let query = context.queryOverride {
      query.withUnsafeBytes { read($0) }
    } else {
      context.withRawQuery { if let query = $0 { read(query) } }
    }
  }

  /// A form body.
  init(form: some Collection<UInt8>) {
    Array(form).withUnsafeBytes { read($0) }
  }

  private mutating func read(_ bytes: UnsafeRawBufferPointer) {
    for part in bytes.split(separator: UInt8(ascii: "&")) {
      let mark = part.firstIndex(of: UInt8(ascii: "="))
      let name = PercentCoding.decoded(part[part.startIndex..<(mark ?? part.endIndex)])
      if name.isEmpty { continue }
      append(mark.map { .text(PercentCoding.decoded(part[($0 + 1)..<part.endIndex])) } ?? .flag, to: name)
    }
  }

  var isEmpty: Bool { values.isEmpty }

  subscript(name: String) -> Value? {
    get { values[name] }
    set { values[name] = newValue }
  }

  /// Adds a value beside those that the name has.
  mutating func append(_ value: Value, to name: String) {
    switch values[name] {
    case nil: values[name] = value
    case .list(let list): values[name] = .list(list + [value])
    case .some(let single): values[name] = .list([single, value])
    }
  }

  /// Joins the arguments of another list.
  mutating func merge(_ other: Arguments) {
    for (name, value) in other.values {
      if case .list(let list) = value {
        for element in list { append(element, to: name) }
      } else {
        append(value, to: name)
      }
    }
  }

  /// As text: sorted by name, values of one name in their order.
  var encoded: [UInt8] {
    var result: [UInt8] = []
    func write(_ name: [UInt8], _ value: Value) {
      switch value {
      case .list(let list):
        for element in list { write(name, element) }
      case .flag:
        if !result.isEmpty { result.append(UInt8(ascii: "&")) }
        result += name
      case .text(let text):
        if !result.isEmpty { result.append(UInt8(ascii: "&")) }
        result += name
        result.append(UInt8(ascii: "="))
        PercentCoding.encode(text, into: &result)
      }
    }
    for name in values.keys.sorted() {
      var key: [UInt8] = []
      PercentCoding.encode(name, into: &key)
      if let value = values[name] { write(key, value) }
    }
    return result
  }

  var json: JSONValue { .object(values.mapValues(Self.json)) }

  private static func json(_ value: Value) -> JSONValue {
    switch value {
    case .flag: true
    case .text(let text): .string(text)
    case .list(let list): .array(list.map(json))
    }
  }
}

/// Percent-encoding of arguments and paths (RFC 3986 §2.1).
enum PercentCoding {
  private static let hexadecimal = Array("0123456789ABCDEF".utf8)
  private static let componentMarks = keeping("-._~!*'()")
  private static let pathMarks = keeping("!#$&'()*+,/:;=?@[]-_.~%")

  private static func keeping(_ marks: String) -> [Bool] {
    var table = [Bool](repeating: false, count: 256)
    for byte in UInt8(ascii: "0")...UInt8(ascii: "9") { table[Int(byte)] = true }
    for byte in UInt8(ascii: "A")...UInt8(ascii: "Z") { table[Int(byte)] = true }
    for byte in UInt8(ascii: "a")...UInt8(ascii: "z") { table[Int(byte)] = true }
    for byte in marks.utf8 { table[Int(byte)] = true }
    return table
  }

  /// `+` is a space; escapes that are none stay.
  static func decoded(_ bytes: some Collection<UInt8>) -> String {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let byte = bytes[index]
      bytes.formIndex(after: &index)
      if byte == UInt8(ascii: "%"), let low = bytes.index(index, offsetBy: 1, limitedBy: bytes.endIndex),
        low < bytes.endIndex, let first = hexDigitValue(bytes[index]), let second = hexDigitValue(bytes[low])
      {
        result.append(first << 4 | second)
        index = bytes.index(after: low)
      } else {
        result.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  static func encode(_ text: String, into result: inout [UInt8]) {
    append(text.utf8, componentMarks, &result)
  }

  /// A path that may be encoded already.
  static func encodedPath(_ text: String) -> [UInt8] {
    var result: [UInt8] = []
    append(text.utf8, pathMarks, &result)
    return result
  }

  private static func append(_ bytes: some Sequence<UInt8>, _ kept: [Bool], _ result: inout [UInt8]) {
    for byte in bytes {
      if kept[Int(byte)] {
        result.append(byte)
      } else {
        result.append(UInt8(ascii: "%"))
        result.append(hexadecimal[Int(byte >> 4)])
        result.append(hexadecimal[Int(byte & 15)])
      }
    }
  }
}
