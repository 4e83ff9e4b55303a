import EntityModel

/// Readers of the notations that settings share.
enum SettingText {
  /// Comma-separated items without surrounding blanks; empty ones are dropped.
  static func items(_ text: String) -> [String] {
    text.split(separator: ",").map(trimmed).filter { !$0.isEmpty }
  }

  static func trimmed(_ text: some StringProtocol) -> String {
    let isBlank: (Character) -> Bool = { $0.isWhitespace }
    guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) })
    else { return "" }
    return String(text[first...last])
  }

  /// `8k`, `10m`, `1g` or plain bytes; nil for anything else and for what does not fit.
  static func size(_ text: String) -> Int? {
    guard let last = text.last else { return nil }
    let shift: Int
    switch last.lowercased() {
    case "k": shift = 10
    case "m": shift = 20
    case "g": shift = 30
    default: shift = 0
    }
    let digits = shift == 0 ? Substring(text) : text.dropLast()
    guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits) else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : bytes
  }

  /// nginx's notation of a time, largest unit first.
  static func time(_ text: String) -> Duration? {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)]
    var rest = Substring(text)
    var milliseconds = 0
    var isEmpty = true
    while !rest.isEmpty {
      if rest.first == " " {
        rest.removeFirst()
        continue
      }
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      guard let number = Int(digits) else { return nil }
      rest = rest.dropFirst(digits.count)
      let letters = rest.prefix { $0.isLetter }
      rest = rest.dropFirst(letters.count)
      guard let factor = letters.isEmpty ? 1000 : units.first(where: { $0.0 == letters })?.1 else { return nil }
      let (part, overflow) = number.multipliedReportingOverflow(by: factor)
      let (sum, sumOverflow) = milliseconds.addingReportingOverflow(part)
      if overflow || sumOverflow || sum > 3_153_600_000_000 { return nil }
      milliseconds = sum
      isEmpty = false
    }
    return isEmpty ? nil : .milliseconds(milliseconds)
  }

  /// `host:port`, IPv6 in brackets.
  static func endpoint(_ text: String) -> (host: String, port: Int)? {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
      guard IPAddress(String(host)) != nil else { return nil }
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty, host.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 != "/" }),
      digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = Int(digits), (0...65535).contains(port)
    else { return nil }
    return (String(host), port)
  }

  @Sendable static func json(seconds duration: Duration) -> JSONValue? {
    let (seconds, attoseconds) = duration.components
    return attoseconds == 0 ? .integer(seconds) : .number(Double(seconds) + Double(attoseconds) / 1e18)
  }

  /// Number of single-character edits between two names.
  static func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    var row = Array(0...right.count)
    for (index, byte) in left.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for (column, other) in right.enumerated() {
        let replaced = diagonal + (byte == other ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
      }
    }
    return row[right.count]
  }
}
