/// Cuts the source of a condition into tokens.
struct ConditionLexer {
  enum Token: Equatable {
    case identifier(String)
    case int(Int64)
    case string(String)
    /// `&&`, `(` and so on; also the word `in`.
    case symbol(String)
    case end

    var text: String {
      switch self {
      case .identifier(let name): "'\(name)'"
      case .int(let value): "'\(value)'"
      case .string: "a string"
      case .symbol(let symbol): "'\(symbol)'"
      case .end: "the end"
      }
    }
  }

  private let scalars: [Unicode.Scalar]
  private var index = 0
  private var here = SourcePosition()

  init(_ source: String) { scalars = Array(source.unicodeScalars) }

  /// The next token and where it begins.
  mutating func next() throws(ConditionSyntaxError) -> (token: Token, position: SourcePosition) {
    skipBlanks()
    let start = here
    guard let scalar = peek() else { return (.end, start) }
    if Self.isNameStart(scalar) {
      if let quote = peek(1), scalar == "r" || scalar == "R", quote == "\"" || quote == "'" {
        advance(1)
        return (.string(try string(raw: true, from: start)), start)
      }
      if let quote = peek(1), scalar == "b" || scalar == "B", quote == "\"" || quote == "'" {
        throw start.error("byte strings are not supported in conditions")
      }
      let name = take { Self.isNameStart($0) || Self.isDigit($0) }
      return (name == "in" ? .symbol(name) : .identifier(name), start)
    }
    if Self.isDigit(scalar) { return (.int(try int(negative: false, from: start)), start) }
    if scalar == "\"" || scalar == "'" { return (.string(try string(raw: false, from: start)), start) }
    return (try symbol(scalar, from: start), start)
  }

  // MARK: Symbols

  private mutating func symbol(_ scalar: Unicode.Scalar, from start: SourcePosition) throws(ConditionSyntaxError)
    -> Token
  {
    let pair = peek(1).map { String(scalar) + String($0) } ?? ""
    switch pair {
    case "&&", "||", "==", "!=", "<=", ">=":
      advance(2)
      return .symbol(pair)
    case "^=", "=^", "=~":
      throw start.error(
        "the router's operator '\(pair)' is not accepted in conditions; use startsWith(), endsWith() or matches()")
    default: break
    }
    switch scalar {
    case "(", ")", "[", "]", ",", ".", "!", "<", ">", "+":
      advance(1)
      return .symbol(String(scalar))
    case "-":
      guard let digit = peek(1), Self.isDigit(digit) else {
        throw start.error(
          "'-' is only accepted in front of a number; in names of headers and plugins write '_' for '-'")
      }
      advance(1)
      return .int(try int(negative: true, from: start))
    case "=": throw start.error("'=' is not an operator; compare with '=='")
    case "&": throw start.error("'&' is not an operator; use '&&'")
    case "|": throw start.error("'|' is not an operator; use '||'")
    case "~": throw start.error("the router's operator '~' is not accepted in conditions; use matches()")
    case "*", "/", "%", "?", ":", "{", "}": throw start.error("'\(scalar)' is not supported in conditions")
    default: throw start.error("unexpected character '\(scalar)'")
    }
  }

  // MARK: Numbers

  private mutating func int(negative: Bool, from start: SourcePosition) throws(ConditionSyntaxError) -> Int64 {
    let text = take { Self.isDigit($0) || Self.isNameStart($0) }
    if peek() == ".", let digit = peek(1), Self.isDigit(digit) {
      throw start.error("numbers with a fraction are not supported in conditions")
    }
    let isHex = text.hasPrefix("0x") || text.hasPrefix("0X")
    let digits = isHex ? String(text.dropFirst(2)) : text
    guard digits.unicodeScalars.allSatisfy({ isHex ? $0.properties.isASCIIHexDigit : Self.isDigit($0) }),
      !digits.isEmpty
    else { throw start.error("'\(text)' is not an integer") }
    guard let value = Int64((negative ? "-" : "") + digits, radix: isHex ? 16 : 10) else {
      throw start.error("the number \(negative ? "-" : "")\(text) does not fit into 64 bits")
    }
    return value
  }

  // MARK: Strings

  private mutating func string(raw: Bool, from start: SourcePosition) throws(ConditionSyntaxError) -> String {
    guard let quote = peek() else { throw start.error("the string has no end") }
    let isTriple = peek(1) == quote && peek(2) == quote
    advance(isTriple ? 3 : 1)
    var text = String.UnicodeScalarView()
    while let scalar = peek() {
      if scalar == quote, !isTriple || (peek(1) == quote && peek(2) == quote) {
        advance(isTriple ? 3 : 1)
        return String(text)
      }
      if !isTriple, scalar == "\n" || scalar == "\r" { break }
      if scalar == "\\", !raw {
        text.append(try escape())
      } else {
        text.append(scalar)
        advance(1)
      }
    }
    throw start.error("the string has no end: \(isTriple ? "three quotes" : "a quote") missing")
  }

  private mutating func escape() throws(ConditionSyntaxError) -> Unicode.Scalar {
    let start = here
    guard let kind = peek(1) else { throw start.error("the string ends in the middle of an escape") }
    let plain: [Unicode.Scalar: Unicode.Scalar] = [
      "n": "\n", "t": "\t", "r": "\r", "a": "\u{7}", "b": "\u{8}", "f": "\u{C}", "v": "\u{B}", "\\": "\\", "\"": "\"",
      "'": "'", "`": "`", "?": "?",
    ]
    if let scalar = plain[kind] {
      advance(2)
      return scalar
    }
    let (skip, count, radix): (Int, Int, Int)
    switch kind {
    case "x", "X": (skip, count, radix) = (2, 2, 16)
    case "u": (skip, count, radix) = (2, 4, 16)
    case "U": (skip, count, radix) = (2, 8, 16)
    case "0"..."3": (skip, count, radix) = (1, 3, 8)
    default:
      throw start.error("unknown escape '\\\(kind)'; write '\\\\' for a backslash, or a raw string r\"…\" for a regex")
    }
    advance(skip)
    var digits = ""
    while digits.unicodeScalars.count < count, let scalar = peek(), scalar.properties.isASCIIHexDigit {
      digits.unicodeScalars.append(scalar)
      advance(1)
    }
    guard digits.count == count, let value = UInt32(digits, radix: radix), let scalar = Unicode.Scalar(value) else {
      throw start.error("'\\\(kind)' must be followed by \(count) digits of a Unicode scalar")
    }
    return scalar
  }

  // MARK: Characters

  private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
    index + offset < scalars.count ? scalars[index + offset] : nil
  }

  private mutating func advance(_ count: Int) {
    for _ in 0..<count where index < scalars.count {
      if scalars[index] == "\n" {
        here.line += 1
        here.column = 1
      } else {
        here.column += 1
      }
      index += 1
    }
  }

  private mutating func take(while accepts: (Unicode.Scalar) -> Bool) -> String {
    var text = String.UnicodeScalarView()
    while let scalar = peek(), accepts(scalar) {
      text.append(scalar)
      advance(1)
    }
    return String(text)
  }

  private mutating func skipBlanks() {
    while let scalar = peek() {
      switch scalar {
      case " ", "\t", "\n", "\r", "\u{C}": advance(1)
      case "/" where peek(1) == "/":
        while let other = peek(), other != "\n" { advance(1) }
      default: return
      }
    }
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { scalar >= "0" && scalar <= "9" }

  private static func isNameStart(_ scalar: Unicode.Scalar) -> Bool {
    (scalar >= "a" && scalar <= "z") || (scalar >= "A" && scalar <= "Z") || scalar == "_"
  }
}
