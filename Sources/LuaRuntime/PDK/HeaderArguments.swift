import PluginKit

/// Header fields as plugin API functions take and give them.
enum HeaderArguments {
  /// Bytes of a name; three times as many when each is percent-encoded.
  private static let longestName = 4096
  private static let hexadecimal = Array("0123456789ABCDEF".utf8)

  /// A name or value that cannot end its line: control bytes are percent-encoded.
  static func sanitized(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
    guard bytes.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }) else { return nil }
    var result: [UInt8] = []
    for byte in bytes {
      if (byte < 0x20 && byte != 0x09) || byte == 0x7F {
        result += [UInt8(ascii: "%"), hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]]
      } else {
        result.append(byte)
      }
    }
    return result
  }

  /// Calls `body` with bytes that are safe inside of a head.
  static func withSanitized(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
    if let clean = sanitized(bytes) { clean.withUnsafeBytes(body) } else { body(bytes) }
  }

  /// Checks the name of a single setter's first argument.
  static func name(_ call: LuaCall) throws(LuaFault) -> UnsafeRawBufferPointer {
    guard let name = call.bytes(0) else {
      let shown = call.value(0).scalarBytes.map { String(decoding: $0, as: UTF8.self) } ?? call.typeName(0)
      throw LuaFault("invalid header name \"\(shown)\": got \(call.typeName(0)), expected string")
    }
    if name.isEmpty || name.count > longestName { throw LuaFault("invalid header name: empty or too long") }
    return name
  }

  /// Gives the values of a single setter's second argument, one by one.
  static func forEachValue(
    _ call: LuaCall, named name: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
  ) throws(LuaFault) {
    if let bytes = call.bytes(1) { return withSanitized(bytes, body) }
    let value = call.value(1)
    let shown = String(decoding: name, as: UTF8.self)
    guard let values = try values(of: value, named: shown) else {
      throw LuaFault(
        "invalid header value for \"\(shown)\": got \(value.typeName), "
          + "expected array of string, string, number or boolean")
    }
    for bytes in values { bytes.withUnsafeBytes { withSanitized($0, body) } }
  }

  /// Texts of a header value; nil for a type that is none.
  static func values(of value: LuaValue, named name: String) throws(LuaFault) -> [[UInt8]]? {
    if let bytes = value.scalarBytes { return [bytes] }
    guard case .table = value else { return nil }
    var values: [[UInt8]] = []
    for item in value.list {
      guard case .string(let bytes) = item else {
        throw LuaFault("invalid header value in array \"\(name)\": got \(item.typeName), expected string")
      }
      values.append(bytes)
    }
    return values
  }

  /// Checks a table of header fields.
  static func fields(of table: LuaValue) throws(LuaFault) -> [(name: [UInt8], values: [[UInt8]])] {
    guard case .table(let items, _) = table else { return [] }
    var fields: [(name: [UInt8], values: [[UInt8]])] = []
    for item in items {
      guard case .string(let name) = item.key else {
        let shown = item.key.scalarBytes.map { String(decoding: $0, as: UTF8.self) } ?? item.key.typeName
        throw LuaFault("invalid header name \"\(shown)\": got \(item.key.typeName), expected string")
      }
      let shown = String(decoding: name, as: UTF8.self)
      guard !name.isEmpty, name.count <= longestName else { throw LuaFault("invalid header name: empty or too long") }
      guard let values = try values(of: item.value, named: shown) else {
        throw LuaFault(
          "invalid header value for \"\(shown)\": got \(item.value.typeName), "
            + "expected string, number, boolean or array of strings")
      }
      fields.append((name, values))
    }
    return fields
  }

  /// Replaces a field by the given values.
  static func set(_ name: [UInt8], _ values: [[UInt8]], in block: inout HeaderBlock) {
    name.withUnsafeBytes { name in
      withSanitized(name) { name in
        block.remove(name: name)
        for value in values {
          value.withUnsafeBytes { value in withSanitized(value) { block.append(name: name, value: $0) } }
        }
      }
    }
  }

  /// Checks a `max_headers` or `max_args` argument; what the settings say without one.
  static func limit(
    _ call: LuaCall, _ index: Int, _ name: String, _ usual: KeyPath<LuaListLimits, Int>
  ) throws(LuaFault) -> Int {
    if call.isNil(index) { return call.host.settings.listLimits[keyPath: usual] }
    guard let number = call.number(index) else { throw LuaFault("\(name) must be a number") }
    // Not a number is none of these.
    guard number >= 1 else { throw LuaFault("\(name) must be >= 1") }
    if number > 1000 { throw LuaFault("\(name) must be <= 1000") }
    return Int(number)
  }

  /// Returns a table of fields with lower-case names, and "truncated" if there were more than `limit` (0: no limit).
  static func returnFields(
    _ call: LuaCall, _ block: HeaderBlock, limit: Int, where isWanted: (UnsafeRawBufferPointer) -> Bool = { _ in true }
  ) {
    var names: [[UInt8]] = []
    var values: [[Int]] = []
    var places: [[UInt8]: Int] = [:]
    var count = 0
    var isTruncated = false
    for index in 0..<block.count {
      let name: [UInt8]? = block.withName(at: index) { bytes in isWanted(bytes) ? bytes.map(lowered) : nil }
      guard let name else { continue }
      if limit > 0, count == limit {
        isTruncated = true
        break
      }
      count += 1
      if let place = places[name] {
        values[place].append(index)
      } else {
        places[name] = names.count
        names.append(name)
        values.append([index])
      }
    }
    call.beginTable(names.count)
    for (name, indexes) in zip(names, values) {
      call.returns(name)
      if indexes.count > 1 { call.beginList(indexes.count) }
      for index in indexes { block.withValue(at: index) { call.returns($0) } }
    }
    if isTruncated { call.returns("truncated") }
  }

  /// Returns the first value of a field, or nil.
  static func returnFirst(_ call: LuaCall, _ block: HeaderBlock?, _ name: UnsafeRawBufferPointer) {
    guard let block, let index = block.looseIndex(ofName: name) else { return call.returnNil() }
    block.withValue(at: index) { call.returns($0) }
  }

  static func lowered(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }
}
