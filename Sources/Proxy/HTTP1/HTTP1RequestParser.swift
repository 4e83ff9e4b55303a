import NIOCore
import PluginKit

/// Reads request heads, however the bytes are cut.
///
/// Works line by line over the received buffer and remembers where it stopped. Everything that two readers could
/// understand differently is refused (RFC 9112 §11.2): bare CR or LF, folded lines, blanks before the colon, control
/// characters, repeated or malformed lengths, a length beside a transfer coding, more than one Host.
struct HTTP1RequestParser {
  struct Limits {
    /// Longest request line or header line in bytes (`large_client_header_buffers`).
    var line = 8192
    /// Longest head in bytes.
    var head = 4 * 8192 + 1024
  }

  /// Why a request is refused; the connection is closed afterwards.
  enum Refusal: Error, Equatable {
    case badRequest
    case lineTooLong
    case headTooLarge
    case methodNotAllowed
    case unknownCoding
    case versionNotSupported

    /// The status sent, as Kong does. 494 never goes out: it is sent as 400.
    var status: Int {
      switch self {
      case .badRequest, .headTooLarge: 400
      case .lineTooLong: 414
      case .methodNotAllowed: 405
      case .unknownCoding: 501
      case .versionNotSupported: 505
      }
    }

    /// The status whose sentence is told.
    var messageStatus: Int { self == .headTooLarge ? 494 : status }
  }

  /// A complete head; the offsets are relative to its first byte.
  struct Head: Equatable {
    var method: HTTPMethod
    var target: Range<Int>
    /// Set for the absolute form: the host that counts instead of the Host field.
    var authority: Range<Int>?
    /// 10 or 11.
    var version: Int
    var body: HTTP1Fields.BodyLength
    var isKeepAlive: Bool
    var expectsContinue: Bool
    var connection: HTTP1Fields.ConnectionOptions
    var hasUpgrade: Bool
    /// Bytes of the head, the empty line included.
    var length: Int
  }

  enum Result: Equatable {
    case needsMore
    case head(Head)
    case refused(Refusal)
  }

  private let limits: Limits
  private let tokens = HTTPCharacters.tokenTable
  /// Bytes of the current head that were read, all of them whole lines.
  private var position = 0
  /// Bytes before the head that are skipped: empty lines (RFC 9112 §2.2).
  private var skipped = 0
  private var hasRequestLine = false
  private var method = HTTPMethod.get
  private var target = 0..<0
  private var authority: Range<Int>?
  private var version = 11
  private var facts = HTTP1Fields()
  private(set) var fields: [HeaderBlock.Entry] = []

  init(limits: Limits = Limits()) { self.limits = limits }

  /// True when bytes of a head have come but not all.
  var isInsideHead: Bool { position > 0 }

  /// Starts over for the next request of the connection.
  mutating func reset() {
    position = 0
    skipped = 0
    hasRequestLine = false
    authority = nil
    facts = HTTP1Fields()
    fields.removeAll(keepingCapacity: true)
  }

  /// Goes on reading. `bytes` begins with the first byte of the head on every call until a result comes; bytes after
  /// the head are left alone.
  mutating func parse(_ bytes: UnsafeRawBufferPointer) -> Result {
    while true {
      if hasRequestLine {
        switch usualFields(bytes) {
        case .end: return finish()
        case .refused: return .refused(.badRequest)
        case .unusual: break
        }
      }
      let line: UnsafeRawBufferPointer
      let lineStart = position
      switch nextLine(bytes) {
      case .needsMore: return .needsMore
      case .refused(let refusal): return .refused(refusal)
      case .line(let found): line = found
      }
      if !hasRequestLine {
        if line.isEmpty {
          // A few empty lines before a request are forgiven, an endless row of them is not.
          skipped = position
          if skipped > 16 { return .refused(.badRequest) }
          continue
        }
        if let refusal = parseRequestLine(line, at: lineStart) { return .refused(refusal) }
        hasRequestLine = true
      } else if line.isEmpty {
        return finish()
      } else if let refusal = parseField(line, at: lineStart) {
        return .refused(refusal)
      }
    }
  }

  private enum UsualFields {
    /// The empty line has come.
    case end
    case refused
    /// What comes next needs a closer look, or more bytes.
    case unusual
  }

  /// Takes in the header lines of the form that nearly all have, in one pass over their bytes.
  private mutating func usualFields(_ bytes: UnsafeRawBufferPointer) -> UsualFields {
    while let line = HTTP1FieldLine(usual: bytes, from: position, tokens) {
      guard line.end - position <= limits.line, line.end - skipped <= limits.head else { return .unusual }
      position = line.end
      fields.append(line.entry)
      if facts.note(line.entry.known, value: line.entry.value(bytes)) == .malformed { return .refused }
    }
    guard position + 2 <= bytes.count, bytes[position] == 0x0D, bytes[position + 1] == 0x0A,
      position + 2 - skipped <= limits.head
    else { return .unusual }
    position += 2
    return .end
  }

  private enum Line {
    case needsMore
    case refused(Refusal)
    case line(UnsafeRawBufferPointer)
  }

  /// The next line without its CRLF.
  @inline(__always)
  private mutating func nextLine(_ bytes: UnsafeRawBufferPointer) -> Line {
    let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
    let tooLong: Refusal = hasRequestLine ? .headTooLarge : .lineTooLong
    guard let feed = rest.firstNewline else {
      if rest.count > limits.line { return .refused(tooLong) }
      if position - skipped + rest.count > limits.head { return .refused(.headTooLarge) }
      return .needsMore
    }
    if feed + 1 > limits.line { return .refused(tooLong) }
    if position - skipped + feed + 1 > limits.head { return .refused(.headTooLarge) }
    guard feed > 0, rest[feed - 1] == 0x0D else { return .refused(.badRequest) }
    position += feed + 1
    return .line(UnsafeRawBufferPointer(rebasing: rest[0..<(feed - 1)]))
  }

  private mutating func finish() -> Result {
    if version == 11 || authority == nil {
      guard facts.hostCount == 1 || (version == 10 && facts.hostCount == 0) else { return .refused(.badRequest) }
    }
    guard facts.hostCount <= 1, facts.isHostValid else { return .refused(.badRequest) }
    if facts.hasTransferEncoding {
      // RFC 9112 §6.1: neither beside a length nor from an HTTP/1.0 client can it be trusted.
      guard facts.contentLength == nil, version == 11 else { return .refused(.badRequest) }
      guard facts.isChunked else { return .refused(.unknownCoding) }
    }
    switch method {
    case .trace, .connect: return .refused(.methodNotAllowed)
    default: break
    }
    let body: HTTP1Fields.BodyLength
    if facts.isChunked {
      body = .chunked
    } else if let length = facts.contentLength, length > 0 {
      body = .fixed(length)
    } else {
      body = .none
    }
    let keepAlive =
      facts.connection.contains(.close)
      ? false : version == 11 || facts.connection.contains(.keepAlive)
    return .head(
      Head(
        method: method, target: target, authority: authority, version: version, body: body, isKeepAlive: keepAlive,
        expectsContinue: facts.expectsContinue && version == 11, connection: facts.connection,
        hasUpgrade: facts.hasUpgrade, length: position))
  }

  // MARK: Lines

  private mutating func parseRequestLine(_ line: UnsafeRawBufferPointer, at start: Int) -> Refusal? {
    var methodEnd = 0
    while methodEnd < line.count, line[methodEnd] != 0x20 { methodEnd += 1 }
    guard methodEnd > 0, methodEnd < line.count else { return .badRequest }
    let methodBytes = UnsafeRawBufferPointer(rebasing: line[0..<methodEnd])
    for byte in methodBytes {
      guard
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == UInt8(ascii: "-")
          || byte == UInt8(ascii: "_")
      else { return .badRequest }
    }
    // "HTTP/1.1" and the blank before it.
    guard line.count >= methodEnd + 1 + 1 + 9 else { return .badRequest }
    let versionStart = line.count - 8
    guard line[versionStart - 1] == 0x20 else { return .badRequest }
    let versionText = UnsafeRawBufferPointer(rebasing: line[versionStart...])
    guard versionText[0] == UInt8(ascii: "H"), versionText[1] == UInt8(ascii: "T"), versionText[2] == UInt8(ascii: "T"),
      versionText[3] == UInt8(ascii: "P"), versionText[4] == UInt8(ascii: "/"), versionText[6] == UInt8(ascii: "."),
      let major = UnsafeRawBufferPointer(rebasing: versionText[5..<6]).decimal,
      let minor = UnsafeRawBufferPointer(rebasing: versionText[7..<8]).decimal
    else { return .badRequest }
    let targetBytes = UnsafeRawBufferPointer(rebasing: line[(methodEnd + 1)..<(versionStart - 1)])
    guard let form = RequestTarget.check(targetBytes) else { return .badRequest }
    guard major == 1 else { return .versionNotSupported }
    version = minor == 0 ? 10 : 11
    let base = start + methodEnd + 1
    target = (base + form.path.lowerBound)..<(base + form.path.upperBound)
    authority = form.authority.map { (base + $0.lowerBound)..<(base + $0.upperBound) }
    method = Self.method(methodBytes)
    return nil
  }

  private static func method(_ bytes: UnsafeRawBufferPointer) -> HTTPMethod {
    // Compared as bytes: no String for the usual ones.
    func isName(_ name: StaticString) -> Bool {
      bytes.count == name.utf8CodeUnitCount
        && (0..<bytes.count).allSatisfy { bytes[$0] == name.utf8Start[$0] }
    }
    switch bytes.count {
    case 3:
      if isName("GET") { return .get }
      if isName("PUT") { return .put }
    case 4:
      if isName("POST") { return .post }
      if isName("HEAD") { return .head }
    case 5:
      if isName("PATCH") { return .patch }
      if isName("TRACE") { return .trace }
    case 6:
      if isName("DELETE") { return .delete }
    case 7:
      if isName("OPTIONS") { return .options }
      if isName("CONNECT") { return .connect }
    default: break
    }
    return .other(String(decoding: bytes, as: UTF8.self))
  }

  private mutating func parseField(_ line: UnsafeRawBufferPointer, at start: Int) -> Refusal? {
    guard let entry = HTTP1FieldLine.entry(line, at: start, tokens) else { return .badRequest }
    fields.append(entry)
    switch facts.note(entry.known, value: HTTP1FieldLine.value(of: entry, in: line, at: start)) {
    case nil, .unknownCoding: return nil
    case .malformed: return .badRequest
    }
  }
}
