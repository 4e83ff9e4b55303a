import Foundation

/// The functions that templates may call. Those of several results give their first.
enum TemplateLibrary {
  struct Function: Sendable {
    let name: String
    let call: @Sendable ([TemplateValue]) throws(TemplateFailure) -> TemplateValue
  }

  /// Longest text that a function makes.
  private static let longestText = 1 << 20

  static let globals: [String: Function] = [
    "type": Function(name: "type") { arguments in .string(arguments.first?.typeName ?? "nil") },
    "tostring": Function(name: "tostring") { arguments in
      guard let value = arguments.first else { return .string("nil") }
      if case .none = value { return .string("nil") }
      return .string(value.rendered)
    },
    "tonumber": Function(name: "tonumber") { (arguments) throws(TemplateFailure) in
      guard let value = arguments.first else { return .none }
      guard arguments.count > 1, let base = arguments[1].coercedNumber.flatMap({ Int(exactly: $0) }), base != 10
      else { return value.coercedNumber.map { .number($0) } ?? .none }
      guard (2...36).contains(base) else { throw TemplateFailure("bad argument #2 to 'tonumber'") }
      return value.coercedText.flatMap { Int64($0, radix: base) }.map { .number(Double($0)) } ?? .none
    },
  ]

  static let strings: [String: Function] = [
    "upper": Function(name: "upper") { (arguments) throws(TemplateFailure) in
      let text = try bytes(arguments, "upper").map { (0x61...0x7A).contains($0) ? $0 - 32 : $0 }
      return .string(String(decoding: text, as: UTF8.self))
    },
    "lower": Function(name: "lower") { (arguments) throws(TemplateFailure) in
      let text = try bytes(arguments, "lower").map { (0x41...0x5A).contains($0) ? $0 + 32 : $0 }
      return .string(String(decoding: text, as: UTF8.self))
    },
    "len": Function(name: "len") { (arguments) throws(TemplateFailure) in
      .number(Double(try bytes(arguments, "len").count))
    },
    "reverse": Function(name: "reverse") { (arguments) throws(TemplateFailure) in
      .string(String(decoding: try bytes(arguments, "reverse").reversed(), as: UTF8.self))
    },
    "sub": Function(name: "sub", call: sub),
    "rep": Function(name: "rep") { (arguments) throws(TemplateFailure) in
      let text = try bytes(arguments, "rep")
      let count = max(0, try integer(arguments, 1, "rep"))
      guard text.count.multipliedReportingOverflow(by: count).partialValue <= longestText, count <= longestText else {
        throw TemplateFailure("resulting string too large")
      }
      return .string(String(decoding: Array(repeatElement(text, count: count).joined()), as: UTF8.self))
    },
    "byte": Function(name: "byte") { (arguments) throws(TemplateFailure) in
      let text = try bytes(arguments, "byte")
      var place = arguments.count > 1 ? try integer(arguments, 1, "byte") : 1
      if place < 0 { place += text.count + 1 }
      return text.indices.contains(place - 1) ? .number(Double(text[place - 1])) : .none
    },
    "char": Function(name: "char") { (arguments) throws(TemplateFailure) in
      var text: [UInt8] = []
      for index in arguments.indices {
        guard let byte = UInt8(exactly: try integer(arguments, index, "char")) else {
          throw TemplateFailure("bad argument #\(index + 1) to 'char' (invalid value)")
        }
        text.append(byte)
      }
      return .string(String(decoding: text, as: UTF8.self))
    },
    "find": Function(name: "find", call: find),
    "match": Function(name: "match") { (arguments) throws(TemplateFailure) in
      let text = try bytes(arguments, "match")
      var search = TemplatePattern(try bytes(arguments, "match", at: 1), in: text)
      guard let match = try search.search(from: try start(arguments, text.count, "match")) else { return .none }
      return match.captures.first
        ?? .string(String(decoding: text[match.start..<match.end], as: UTF8.self))
    },
    "gsub": Function(name: "gsub", call: gsub),
    "format": Function(name: "format", call: format),
  ]

  // MARK: Arguments

  private static func bytes(
    _ arguments: [TemplateValue], _ name: String, at index: Int = 0
  ) throws(TemplateFailure) -> [UInt8] {
    guard index < arguments.count, let text = arguments[index].coercedText else {
      let type = index < arguments.count ? arguments[index].typeName : "no value"
      throw TemplateFailure("bad argument #\(index + 1) to '\(name)' (string expected, got \(type))")
    }
    return Array(text.utf8)
  }

  private static func integer(
    _ arguments: [TemplateValue], _ index: Int, _ name: String
  ) throws(TemplateFailure) -> Int {
    guard index < arguments.count, let number = arguments[index].coercedNumber, number.isFinite,
      let value = Int(exactly: number.rounded(.down)), value.magnitude < Int(Int32.max)
    else {
      let type = index < arguments.count ? arguments[index].typeName : "no value"
      throw TemplateFailure("bad argument #\(index + 1) to '\(name)' (number expected, got \(type))")
    }
    return value
  }

  /// The optional third argument of searches, as an offset.
  private static func start(_ arguments: [TemplateValue], _ count: Int, _ name: String) throws(TemplateFailure) -> Int {
    guard arguments.count > 2 else { return 0 }
    var place = try integer(arguments, 2, name)
    if place < 0 { place += count + 1 }
    return max(place - 1, 0)
  }

  // MARK: Functions

  private static func sub(_ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue {
    let text = try bytes(arguments, "sub")
    var first = try integer(arguments, 1, "sub")
    var last = arguments.count > 2 ? try integer(arguments, 2, "sub") : -1
    if first < 0 { first = max(first + text.count + 1, 1) }
    if last < 0 { last += text.count + 1 }
    first = max(first, 1)
    last = min(last, text.count)
    return .string(first > last ? "" : String(decoding: text[(first - 1)..<last], as: UTF8.self))
  }

  private static func find(_ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue {
    let text = try bytes(arguments, "find")
    let pattern = try bytes(arguments, "find", at: 1)
    let start = try start(arguments, text.count, "find")
    guard start <= text.count else { return .none }
    if arguments.count > 3, arguments[3].isTrue {
      var place = start
      while place + pattern.count <= text.count {
        if text[place...].starts(with: pattern) { return .number(Double(place + 1)) }
        place += 1
      }
      return .none
    }
    var search = TemplatePattern(pattern, in: text)
    return try search.search(from: start).map { .number(Double($0.start + 1)) } ?? .none
  }

  /// Only with a text as replacement.
  private static func gsub(_ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue {
    let text = try bytes(arguments, "gsub")
    let pattern = try bytes(arguments, "gsub", at: 1)
    guard arguments.count > 2, arguments[2].coercedText != nil else {
      throw TemplateFailure("in a template the replacement of 'gsub' must be a string")
    }
    let replacement = try bytes(arguments, "gsub", at: 2)
    var left = arguments.count > 3 ? try integer(arguments, 3, "gsub") : Int.max
    var search = TemplatePattern(pattern, in: text)
    var result: [UInt8] = []
    var place = 0
    while left > 0, let match = try search.search(from: place) {
      left -= 1
      result += text[place..<match.start]
      try expand(replacement, match, text, into: &result)
      if result.count > longestText { throw TemplateFailure("resulting string too large") }
      if match.end > match.start {
        place = match.end
      } else {
        if match.start < text.count { result.append(text[match.start]) }
        place = match.start + 1
      }
      if place > text.count || pattern.first == UInt8(ascii: "^") { break }
    }
    if place < text.count { result += text[place...] }
    return .string(String(decoding: result, as: UTF8.self))
  }

  private static func expand(
    _ replacement: [UInt8], _ match: TemplatePattern.Match, _ text: [UInt8], into result: inout [UInt8]
  ) throws(TemplateFailure) {
    var index = 0
    while index < replacement.count {
      let byte = replacement[index]
      index += 1
      guard byte == UInt8(ascii: "%"), index < replacement.count else {
        result.append(byte)
        continue
      }
      let mark = replacement[index]
      index += 1
      switch mark {
      case UInt8(ascii: "0"): result += text[match.start..<match.end]
      case UInt8(ascii: "1") where match.captures.isEmpty: result += text[match.start..<match.end]
      case UInt8(ascii: "1")...UInt8(ascii: "9"):
        let place = Int(mark) - 0x31
        guard match.captures.indices.contains(place) else { throw TemplateFailure("invalid capture index") }
        result += Array(match.captures[place].rendered.utf8)
      default: result.append(mark)
      }
    }
  }

  private static func format(_ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue {
    let pattern = try bytes(arguments, "format")
    var result = ""
    var next = 1
    var index = 0
    while index < pattern.count {
      guard pattern[index] == UInt8(ascii: "%") else {
        let end = pattern[index...].firstIndex(of: UInt8(ascii: "%")) ?? pattern.count
        result += String(decoding: pattern[index..<end], as: UTF8.self)
        index = end
        continue
      }
      var specification = "%"
      index += 1
      while index < pattern.count, "-+ #0123456789.".utf8.contains(pattern[index]), specification.utf8.count < 8 {
        specification.append(Character(Unicode.Scalar(pattern[index])))
        index += 1
      }
      guard index < pattern.count else { throw TemplateFailure("invalid option '%' to 'format'") }
      let kind = pattern[index]
      index += 1
      if kind == UInt8(ascii: "%") {
        result += "%"
        continue
      }
      guard next < arguments.count else { throw TemplateFailure("bad argument #\(next + 1) to 'format' (no value)") }
      switch kind {
      case UInt8(ascii: "d"), UInt8(ascii: "i"):
        result += String(format: specification + "lld", Int64(try integer(arguments, next, "format")))
      case UInt8(ascii: "x"), UInt8(ascii: "X"), UInt8(ascii: "o"), UInt8(ascii: "u"):
        result += String(
          format: specification + "ll" + String(Character(Unicode.Scalar(kind))),
          Int64(try integer(arguments, next, "format")))
      case UInt8(ascii: "f"), UInt8(ascii: "g"), UInt8(ascii: "e"):
        guard let number = arguments[next].coercedNumber else {
          throw TemplateFailure("bad argument #\(next + 1) to 'format' (number expected)")
        }
        result += String(format: specification + String(Character(Unicode.Scalar(kind))), number)
      case UInt8(ascii: "s"):
        guard specification == "%" else { throw TemplateFailure("widths of strings cannot be used in a template") }
        result += arguments[next].rendered
      case UInt8(ascii: "q"): result += "\"" + arguments[next].rendered.replacing("\"", with: "\\\"") + "\""
      default: throw TemplateFailure("invalid option '%\(Character(Unicode.Scalar(kind)))' to 'format'")
      }
      next += 1
    }
    return .string(result)
  }
}
