import Routing

/// Checks the request target of a request line.
enum RequestTarget {
  /// The parts of a target that passed, as ranges of it.
  struct Form {
    /// Path and query. Empty for an absolute form without a path.
    var path: Range<Int>
    /// Host and port of the absolute form.
    var authority: Range<Int>?
  }

  /// Accepts the origin form and the absolute form of http and https (RFC 9112 §3.2).
  ///
  /// As in Kong a path that climbs above the root, a broken percent escape and an escaped NUL are refused before any
  /// route is looked for.
  static func check(_ target: UnsafeRawBufferPointer) -> Form? {
    guard let first = target.first else { return nil }
    var needsWalk = false
    var previous: UInt8 = 0
    for byte in target {
      // Blanks and control characters would end the target for another reader.
      if byte <= 0x20 || byte == 0x7F { return nil }
      if byte == UInt8(ascii: "%") || (previous == UInt8(ascii: "/") && byte == UInt8(ascii: ".")) { needsWalk = true }
      previous = byte
    }
    var form = Form(path: 0..<target.count, authority: nil)
    if first != UInt8(ascii: "/") {
      guard let absolute = absoluteForm(target) else { return nil }
      form = absolute
    }
    if needsWalk, !canBeNormalized(UnsafeRawBufferPointer(rebasing: target[form.path])) { return nil }
    return form
  }

  private static func absoluteForm(_ target: UnsafeRawBufferPointer) -> Form? {
    var start: Int?
    for scheme: StaticString in ["http://", "https://"]
    where target.count > scheme.utf8CodeUnitCount {
      if UnsafeRawBufferPointer(rebasing: target[0..<scheme.utf8CodeUnitCount]).isText(scheme) {
        start = scheme.utf8CodeUnitCount
      }
    }
    guard let start else { return nil }
    var end = start
    while end < target.count, target[end] != UInt8(ascii: "/"), target[end] != UInt8(ascii: "?") {
      // User information would hide the host from some readers.
      if target[end] == UInt8(ascii: "@") || target[end] == UInt8(ascii: "\\") || target[end] == UInt8(ascii: "#") {
        return nil
      }
      end += 1
    }
    guard end > start, end == target.count || target[end] == UInt8(ascii: "/") else { return nil }
    guard isAuthority(UnsafeRawBufferPointer(rebasing: target[start..<end])) else { return nil }
    return Form(path: end..<target.count, authority: start..<end)
  }

  /// Whether bytes can be host and port of an URL (RFC 3986 §3.2.2), and a `Host` field.
  private static func isAuthority(_ bytes: UnsafeRawBufferPointer) -> Bool {
    HTTP1Fields.isValidHost(bytes)
      && bytes.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
          UInt8(ascii: "~"), UInt8(ascii: "%"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"),
          UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("),
          UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ";"), UInt8(ascii: "="):
          true
        default: false
        }
      }
  }

  /// Whether the path can be normalized, which Kong asks before it looks at any field.
  private static func canBeNormalized(_ target: UnsafeRawBufferPointer) -> Bool {
    let end = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
    if end == 0 { return true }
    var scratch: [UInt8] = []
    return (try? PathNormalizer.normalize(UnsafeRawBufferPointer(rebasing: target[0..<end]), into: &scratch)) != nil
  }
}
