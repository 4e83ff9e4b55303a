/// An expression of a template. Names are resolved to local variables or roots when it is parsed.
indirect enum TemplateExpression {
  case constant(TemplateValue)
  /// A local variable: how many functions outwards, and its place there.
  case local(depth: Int, slot: Int)
  case index(TemplateExpression, TemplateExpression)
  case call(TemplateExpression, [TemplateExpression])
  /// `object:name(…)`.
  case method(TemplateExpression, String, [TemplateExpression])
  case and(TemplateExpression, TemplateExpression)
  case or(TemplateExpression, TemplateExpression)
  case not(TemplateExpression)
  case negative(TemplateExpression)
  case length(TemplateExpression)
  case binary(TemplateOperator, TemplateExpression, TemplateExpression)
  case function(parameters: Int, slots: Int, body: [TemplateStatement])
}

enum TemplateOperator {
  case add, subtract, multiply, divide, modulo, power, concatenate
  case equal, unequal, less, lessOrEqual, greater, greaterOrEqual
}

/// A statement of a function in a template.
indirect enum TemplateStatement {
  /// Sets local variables; those without a value become nil.
  case assign([(depth: Int, slot: Int)], [TemplateExpression])
  case branch([(condition: TemplateExpression, body: [TemplateStatement])], otherwise: [TemplateStatement])
  case block([TemplateStatement])
  case repeatWhile(TemplateExpression, [TemplateStatement])
  case numericLoop(
    slot: Int, from: TemplateExpression, to: TemplateExpression, step: TemplateExpression?, body: [TemplateStatement])
  case leaveLoop
  case call(TemplateExpression)
  case result(TemplateExpression?)
}

/// A piece of the text of an expression.
enum TemplateToken: Equatable {
  case name(String)
  case number(Double)
  case string(String)
  case symbol(String)
  case end
}

/// Cuts an expression into tokens.
struct TemplateLexer {
  private let bytes: [UInt8]
  private var place = 0

  private static let maximumTokens = 4000

  init(_ text: String) { bytes = Array(text.utf8) }

  static func tokens(of text: String) throws(TemplateFailure) -> [TemplateToken] {
    var lexer = TemplateLexer(text)
    var tokens: [TemplateToken] = []
    while true {
      let token = try lexer.next()
      tokens.append(token)
      if token == .end { return tokens }
      // Chains of operators nest as deep as they are long.
      if tokens.count > maximumTokens { throw TemplateFailure("longer than \(maximumTokens) symbols") }
    }
  }

  private func byte(_ offset: Int = 0) -> UInt8? { place + offset < bytes.count ? bytes[place + offset] : nil }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_") || isDigit(byte)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private mutating func next() throws(TemplateFailure) -> TemplateToken {
    while let byte = byte(), byte == 0x20 || (0x09...0x0D).contains(byte) { place += 1 }
    if byte() == UInt8(ascii: "-"), byte(1) == UInt8(ascii: "-") {
      while let byte = byte(), byte != UInt8(ascii: "\n") { place += 1 }
      return try next()
    }
    guard let first = byte() else { return .end }
    if Self.isDigit(first) || (first == UInt8(ascii: ".") && (byte(1).map(Self.isDigit) ?? false)) {
      return try number()
    }
    if Self.isNameByte(first) {
      let start = place
      while let byte = byte(), Self.isNameByte(byte) { place += 1 }
      return .name(String(decoding: bytes[start..<place], as: UTF8.self))
    }
    if first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") { return .string(try quoted(first)) }
    if first == UInt8(ascii: "["), byte(1) == UInt8(ascii: "[") { return .string(try longString()) }
    for symbol in ["...", "..", "==", "~=", "<=", ">="] where bytes[place...].starts(with: symbol.utf8) {
      place += symbol.utf8.count
      return .symbol(symbol)
    }
    place += 1
    let text = String(decoding: [first], as: UTF8.self)
    guard "+-*/%^#<>=(){}[];:,.".contains(text) else { throw TemplateFailure("unexpected symbol near '\(text)'") }
    return .symbol(text)
  }

  private mutating func number() throws(TemplateFailure) -> TemplateToken {
    let start = place
    while let byte = byte() {
      let isExponentSign =
        (byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")) && bytes[place - 1] | 0x20 == UInt8(ascii: "e")
        && place > start && !bytes[start..<place].contains(UInt8(ascii: "x"))
      // `..` after digits is concatenation.
      if byte == UInt8(ascii: "."), self.byte(1) == UInt8(ascii: ".") { break }
      guard Self.isNameByte(byte) || byte == UInt8(ascii: ".") || isExponentSign else { break }
      place += 1
    }
    let text = String(decoding: bytes[start..<place], as: UTF8.self)
    guard let value = LuaNumber.parse(text) else { throw TemplateFailure("malformed number near '\(text)'") }
    return .number(value)
  }

  private mutating func quoted(_ quote: UInt8) throws(TemplateFailure) -> String {
    place += 1
    var result: [UInt8] = []
    while let byte = byte(), byte != quote {
      place += 1
      guard byte == UInt8(ascii: "\\") else {
        result.append(byte)
        continue
      }
      guard let escape = self.byte() else { break }
      place += 1
      switch escape {
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "r"): result.append(0x0D)
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        var value = Int(escape - 0x30)
        for _ in 0..<2 {
          guard let digit = self.byte(), Self.isDigit(digit) else { break }
          value = value * 10 + Int(digit - 0x30)
          place += 1
        }
        guard let code = UInt8(exactly: value) else { throw TemplateFailure("escape sequence too large") }
        result.append(code)
      default: result.append(escape)
      }
    }
    guard byte() == quote else { throw TemplateFailure("unfinished string") }
    place += 1
    return String(decoding: result, as: UTF8.self)
  }

  private mutating func longString() throws(TemplateFailure) -> String {
    place += 2
    let start = place
    while place + 1 < bytes.count {
      if bytes[place] == UInt8(ascii: "]"), bytes[place + 1] == UInt8(ascii: "]") {
        place += 2
        return String(decoding: bytes[start..<(place - 2)], as: UTF8.self)
      }
      place += 1
    }
    throw TemplateFailure("unfinished long string")
  }
}
