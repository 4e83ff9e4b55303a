/// Percent-encoding and argument lists, as nginx reads and writes them.
enum URLText {
  private static let hexadecimal = Array("0123456789ABCDEF".utf8)
  private static let componentKeeps = table("-._~!*'()")
  private static let pathKeeps = table("!#$&'()*+,/:;=?@[]-_.~%")

  private static func table(_ marks: String) -> [Bool] {
    var keeps = [Bool](repeating: false, count: 256)
    for byte in UInt8(ascii: "a")...UInt8(ascii: "z") { keeps[Int(byte)] = true }
    for byte in UInt8(ascii: "A")...UInt8(ascii: "Z") { keeps[Int(byte)] = true }
    for byte in UInt8(ascii: "0")...UInt8(ascii: "9") { keeps[Int(byte)] = true }
    for byte in marks.utf8 { keeps[Int(byte)] = true }
    return keeps
  }

  private static func escape(_ bytes: some Sequence<UInt8>, keeping keeps: (UInt8) -> Bool) -> [UInt8] {
    var result: [UInt8] = []
    for byte in bytes {
      if keeps(byte) {
        result.append(byte)
      } else {
        result += [UInt8(ascii: "%"), hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]]
      }
    }
    return result
  }

  /// Everything but unreserved marks.
  static func escapedComponent(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    escape(bytes) { componentKeeps[Int($0)] }
  }

  /// A whole URI: only what may not stand in one.
  static func escapedURI(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    escape(bytes) { byte in
      byte > 0x20 && byte < 0x7F && !"\"#%<>?\\^`{|}".utf8.contains(byte)
    }
  }

  /// A path that may be encoded already.
  static func escapedPath(_ bytes: some Sequence<UInt8>) -> [UInt8] { escape(bytes) { pathKeeps[Int($0)] } }

  /// Blanks and control bytes only: a query that somebody else has made.
  static func escapedQuery(_ bytes: some Sequence<UInt8>) -> [UInt8] { escape(bytes) { $0 > 0x20 && $0 != 0x7F } }

  static func unescaped(_ bytes: some Collection<UInt8>, plusIsSpace: Bool = true) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var place = bytes.startIndex
    while place < bytes.endIndex {
      let byte = bytes[place]
      place = bytes.index(after: place)
      if byte == UInt8(ascii: "%"), let low = bytes.index(place, offsetBy: 1, limitedBy: bytes.endIndex),
        low < bytes.endIndex, let first = digit(bytes[place]), let second = digit(bytes[low])
      {
        result.append(first << 4 | second)
        place = bytes.index(after: low)
      } else {
        result.append(byte == UInt8(ascii: "+") && plusIsSpace ? UInt8(ascii: " ") : byte)
      }
    }
    return result
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// Calls `body` for each `name=value` of a query, decoded; value nil without `=`. Empty names are skipped.
  /// Stops when `body` returns false.
  static func forEachArgument(_ query: some Collection<UInt8>, _ body: ([UInt8], [UInt8]?) -> Bool) {
    for part in query.split(separator: UInt8(ascii: "&")) {
      let mark = part.firstIndex(of: UInt8(ascii: "="))
      let name = unescaped(part[..<(mark ?? part.endIndex)])
      if name.isEmpty { continue }
      if !body(name, mark.map { unescaped(part[part.index(after: $0)...]) }) { return }
    }
  }

  /// Returns the arguments of a query as a table, and "truncated" if there were more than `limit` (0: no limit).
  /// - Returns: Whether it was truncated.
  @discardableResult
  static func returnArguments(_ call: LuaCall, _ query: some Collection<UInt8>, limit: Int) -> Bool {
    var names: [[UInt8]] = []
    var values: [[[UInt8]?]] = []
    var places: [[UInt8]: Int] = [:]
    var count = 0
    var isTruncated = false
    forEachArgument(query) { name, value in
      if limit > 0, count == limit {
        isTruncated = true
        return false
      }
      count += 1
      if let place = places[name] {
        values[place].append(value)
      } else {
        places[name] = names.count
        names.append(name)
        values.append([value])
      }
      return true
    }
    call.beginTable(names.count)
    for (name, values) in zip(names, values) {
      call.returns(name)
      if values.count > 1 { call.beginList(values.count) }
      for value in values {
        if let value { call.returns(value) } else { call.returns(true) }
      }
    }
    if isTruncated { call.returns("truncated") }
    return isTruncated
  }

  /// `name=value&…` of a table, in its order or sorted by name.
  static func encoded(_ table: LuaValue, sorted: Bool) throws(LuaFault) -> [UInt8] {
    guard case .table(let items, _) = table else { return [] }
    var entries: [(name: [UInt8], text: [UInt8])] = []
    for item in items {
      guard case .string(let key) = item.key else { throw LuaFault("arg keys must be strings") }
      let name = escapedComponent(key)
      var parts: [[UInt8]] = []
      if case .table = item.value {
        for element in item.value.list {
          if case .table = element { throw LuaFault("attempt to use table as query arg value") }
          if let part = try encoded(name, element) { parts.append(part) }
        }
      } else if let part = try encoded(name, item.value) {
        parts.append(part)
      }
      if !parts.isEmpty { entries.append((name, Array(parts.joined(separator: [UInt8(ascii: "&")])))) }
    }
    if sorted { entries.sort { $0.name.lexicographicallyPrecedes($1.name) } }
    return Array(entries.map(\.text).joined(separator: [UInt8(ascii: "&")]))
  }

  private static func encoded(_ name: [UInt8], _ value: LuaValue) throws(LuaFault) -> [UInt8]? {
    switch value {
    case .boolean(let isPresent): return isPresent ? name : nil
    case .string, .number: return name + [UInt8(ascii: "=")] + escapedComponent(value.scalarBytes ?? [])
    default: throw LuaFault("attempt to use \(value.typeName) as query arg value")
    }
  }
}
