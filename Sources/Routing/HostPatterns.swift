/// A host of a route, taken apart.
enum HostPattern: Hashable {
  case exact([UInt8])
  case suffix([UInt8])
  case prefix([UInt8])

  init(_ text: some StringProtocol) {
    if text.hasPrefix("*") {
      self = .suffix(Array(text.dropFirst().utf8))
    } else if text.hasSuffix("*") {
      self = .prefix(Array(text.dropLast().utf8))
    } else {
      self = .exact(Array(text.utf8))
    }
  }

  func matches(_ host: UnsafeRawBufferPointer) -> Bool {
    switch self {
    case .exact(let name): host.elementsEqual(name)
    case .suffix(let suffix): host.count >= suffix.count && host.suffix(suffix.count).elementsEqual(suffix)
    case .prefix(let prefix): host.starts(with: prefix)
    }
  }
}

/// A host and the port behind it, of a route or of a Host header.
struct HostAndPort {
  /// Bytes of the host; an IPv6 address keeps its brackets.
  let hostLength: Int
  let port: Int?

  /// Finds the port after the last colon. Text that is no port leaves the whole as host.
  init(_ text: UnsafeRawBufferPointer) {
    let limit = max(0, text.count - 6)
    var index = text.count
    var port = 0
    var scale = 1
    while index > limit {
      index -= 1
      let byte = text[index]
      if byte == UInt8(ascii: ":") {
        let isInsideAddress = index > 0 && text[index - 1] != UInt8(ascii: "]") && text[..<index].contains(byte)
        if !isInsideAddress {
          hostLength = index
          self.port = index + 1 < text.count ? port : nil
          return
        }
        break
      }
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { break }
      port += Int(byte - UInt8(ascii: "0")) * scale
      scale *= 10
    }
    hostLength = text.count
    self.port = nil
  }
}

/// Which of a table's hosts a request's host falls under.
struct HostPatternIndex: Sendable {
  private var exact = ByteStringIndex()
  private var suffixes = ByteStringIndex()
  private var prefixes = ByteStringIndex()
  private var exactNumbers: [Int32] = []
  private var suffixNumbers: [Int32] = []
  private var prefixNumbers: [Int32] = []

  /// Number of the pattern: the one it has, or `next`.
  mutating func insert(_ pattern: HostPattern, next: Int) -> Int {
    func number(_ place: Int, _ numbers: inout [Int32]) -> Int {
      if place == numbers.count { numbers.append(Int32(next)) }
      return Int(numbers[place])
    }
    switch pattern {
    case .exact(let bytes): return number(exact.insert(bytes), &exactNumbers)
    case .suffix(let bytes): return number(suffixes.insert(bytes), &suffixNumbers)
    case .prefix(let bytes): return number(prefixes.insert(bytes), &prefixNumbers)
    }
  }

  var isEmpty: Bool { exact.isEmpty && suffixes.isEmpty && prefixes.isEmpty }

  /// Calls `body` with the number of each pattern that matches.
  func forEachMatch(_ host: UnsafeRawBufferPointer, _ body: (Int) -> Void) {
    if let place = exact.find(host) { body(Int(exactNumbers[place])) }
    for length in suffixes.lengths {
      guard length <= host.count else { break }
      if let place = suffixes.find(UnsafeRawBufferPointer(rebasing: host.suffix(length))) {
        body(Int(suffixNumbers[place]))
      }
    }
    for length in prefixes.lengths {
      guard length <= host.count else { break }
      if let place = prefixes.find(UnsafeRawBufferPointer(rebasing: host.prefix(length))) {
        body(Int(prefixNumbers[place]))
      }
    }
  }
}
