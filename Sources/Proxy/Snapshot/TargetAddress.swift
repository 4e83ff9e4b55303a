/// The `host[:port]` form of targets.
enum TargetAddress {
  /// Port of a target that names none. Source: Kong fact, proxy-behaviour §8.
  static let defaultPort = 8000

  /// Host (an IPv6 address without its brackets) and port; nil if the text has no host or a bad port.
  static func split(_ text: String) -> (host: String, port: Int)? {
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return nil }
      let host = String(text[text.index(after: text.startIndex)..<end])
      let rest = text[text.index(after: end)...]
      if rest.isEmpty { return (host, defaultPort) }
      guard rest.hasPrefix(":"), let port = Int(rest.dropFirst()), (0...65535).contains(port) else { return nil }
      return (host, port)
    }
    guard let colon = text.lastIndex(of: ":") else { return text.isEmpty ? nil : (text, defaultPort) }
    // More than one colon without brackets is a bare IPv6 address.
    if text.firstIndex(of: ":") != colon { return (text, defaultPort) }
    guard let port = Int(text[text.index(after: colon)...]), (0...65535).contains(port), colon > text.startIndex else {
      return nil
    }
    return (String(text[..<colon]), port)
  }
}
