/// Values as Lua tables in text, as Kong's messages show them.
enum LuaTableText {
  /// The compact form of keys: `{id="…",name="…"}`, keys sorted, null as `null`.
  static func compact(_ value: JSONValue) -> String {
    switch value {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer(let value): return String(value)
    case .number(let value): return number(value)
    case .string(let text): return quoted(text)
    case .array(let elements): return "{" + elements.map(compact).joined(separator: ",") + "}"
    case .object(let members):
      let pairs = members.keys.sorted().map { "\(key($0))=\(compact(members[$0] ?? .null))" }
      return "{" + pairs.joined(separator: ",") + "}"
    }
  }

  /// The indented form of nested errors. Nulls in arrays are holes: the elements behind them carry their index.
  static func indented(_ value: JSONValue, depth: Int = 0) -> String {
    switch value {
    case .array(let elements):
      var lines: [String] = []
      var isSequence = true
      for (index, element) in elements.enumerated() {
        if element.isNull {
          isSequence = false
          continue
        }
        let text = indented(element, depth: depth + 1)
        lines.append(isSequence ? text : "[\(index + 1)] = \(text)")
      }
      return block(lines, depth: depth)
    case .object(let members):
      let lines = members.keys.sorted().map { name in
        "\(key(name)) = \(indented(members[name] ?? .null, depth: depth + 1))"
      }
      return block(lines, depth: depth)
    default: return compact(value)
    }
  }

  private static func block(_ lines: [String], depth: Int) -> String {
    if lines.isEmpty { return "{}" }
    let margin = String(repeating: "  ", count: depth)
    return "{\n" + lines.map { "\(margin)  \($0)" }.joined(separator: ",\n") + "\n\(margin)}"
  }

  private static func key(_ name: String) -> String {
    let bytes = name.utf8
    let isIdentifier =
      bytes.allSatisfy { ValueChecks.isAlphanumeric($0) || $0 == UInt8(ascii: "_") }
      && bytes.first.map { !ValueChecks.isDigit($0) } == true && !keywords.contains(name)
    return isIdentifier ? name : "[\(quoted(name))]"
  }

  private static let keywords: Set<String> = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil",
    "not", "or", "repeat", "return", "then", "true", "until", "while",
  ]

  /// A Lua string: quoted and escaped, or in long brackets if it spans lines.
  private static func quoted(_ text: String) -> String {
    if text.utf8.contains(0x0A), !text.utf8.contains(0x0D) {
      var level = ""
      while text.contains("]\(level)]") || text.contains("[\(level)[") { level += "=" }
      return "[\(level)[\(text.hasPrefix("\n") ? "\n" : "")\(text)]\(level)]"
    }
    var output = "\""
    for character in text.unicodeScalars {
      switch character {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\r": output += "\\r"
      case "\n": output += "\\\n"
      case "\0": output += "\\0"
      default: output.unicodeScalars.append(character)
      }
    }
    return output + "\""
  }

  /// A number as Lua writes it: 14 significant digits, no fraction for whole ones.
  static func number(_ value: Double) -> String {
    if let whole = Int64(exactly: value), whole.magnitude < 100_000_000_000_000 { return String(whole) }
    return CFormat.general(value, digits: 14)
  }
}
