/// A content type or disposition with its parameters (RFC 9110 §8.3.1).
struct MediaType: Sendable, Equatable {
  /// In lower case, without parameters.
  var type: String
  /// By name in lower case; quotes and escapes are resolved.
  var parameters: [String: String] = [:]

  init(_ text: String) {
    var pieces: [String] = []
    var current = ""
    var isQuoted = false
    var isEscaped = false
    for character in text.unicodeScalars {
      if isEscaped {
        current.unicodeScalars.append(character)
        isEscaped = false
      } else if isQuoted, character == "\\" {
        isEscaped = true
      } else if character == "\"" {
        isQuoted.toggle()
      } else if character == ";", !isQuoted {
        pieces.append(current)
        current = ""
      } else {
        current.unicodeScalars.append(character)
      }
    }
    pieces.append(current)
    type = Self.trimmed(pieces[0]).lowercased()
    for piece in pieces.dropFirst() {
      guard let equals = piece.firstIndex(of: "=") else { continue }
      let name = Self.trimmed(piece[..<equals]).lowercased()
      if parameters[name] == nil { parameters[name] = Self.trimmed(piece[piece.index(after: equals)...]) }
    }
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\r\n" }
    let front = text.drop(while: isSpace)
    return String(front.reversed().drop(while: isSpace).reversed())
  }
}
