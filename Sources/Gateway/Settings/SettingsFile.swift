/// Reads a settings file: `key = value` lines, `#` comments, quoted values.
///
/// A `#` begins a comment at the start of a line or after a blank; `\#` is the character itself. Within quotes it needs
/// no backslash. The last of several lines for one name counts.
struct SettingsFile {
  struct Entry {
    let name: String
    let value: String
    let line: Int
  }

  private(set) var entries: [Entry] = []
  /// Lines that are no settings: number and what is wrong.
  private(set) var failures: [(line: Int, reason: String)] = []

  init(_ text: String) {
    var number = 0
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      number += 1
      let content = SettingText.trimmed(line)
      if content.isEmpty || content.hasPrefix("#") { continue }
      guard let equals = content.firstIndex(of: "=") else {
        failures.append((number, "\"\(content)\" is not `name = value`"))
        continue
      }
      let name = SettingText.trimmed(content[..<equals]).lowercased()
      guard !name.isEmpty, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }) else {
        failures.append((number, "\"\(name)\" is no name of a setting"))
        continue
      }
      let rest = SettingText.trimmed(content[content.index(after: equals)...])
      guard let value = Self.value(rest) else {
        failures.append((number, "the quoted value of \(name) has no end, or text after it"))
        continue
      }
      entries.append(Entry(name: name, value: value, line: number))
    }
  }

  /// The value without quotes, escapes and comment; nil for a quote that does not end.
  private static func value(_ text: String) -> String? {
    if let quote = text.first, quote == "\"" || quote == "'" {
      let body = text.dropFirst()
      guard let end = body.firstIndex(of: quote) else { return nil }
      let rest = SettingText.trimmed(body[body.index(after: end)...])
      return rest.isEmpty || rest.hasPrefix("#") ? String(body[..<end]) : nil
    }
    var value = ""
    var previous: Character = " "
    for character in text {
      if character == "#" {
        if previous == "\\" {
          value.removeLast()
        } else if previous.isWhitespace {
          break
        }
      }
      value.append(character)
      previous = character
    }
    return SettingText.trimmed(value)
  }
}
