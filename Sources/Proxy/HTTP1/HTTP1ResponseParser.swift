import NIOCore
import PluginKit

/// Reads response heads, however the bytes are cut.
///
/// A line may end in a bare LF, as nginx lets upstreams do; everything that leaves the length of the body in doubt is
/// refused.
struct HTTP1ResponseParser {
  /// A complete head; the offsets of `fields` are relative to its first byte.
  struct Head: Equatable {
    var status: Int
    /// 10 or 11.
    var version: Int
    /// As the fields say; the request's method and the status may still take it away.
    var body: HTTP1Fields.BodyLength
    var isKeepAlive: Bool
    var connection: HTTP1Fields.ConnectionOptions
    var hasUpgrade: Bool
    /// Bytes of the head, the empty line included.
    var length: Int
  }

  enum Result: Equatable {
    case needsMore
    case head(Head)
    case malformed
  }

  private let limit: Int
  private let tokens = HTTPCharacters.tokenTable
  private var position = 0
  private var status = 0
  private var version = 11
  private var facts = HTTP1Fields()
  private(set) var fields: [HeaderBlock.Entry] = []

  /// - Parameter limit: longest head in bytes.
  init(limit: Int = 65536) { self.limit = limit }

  mutating func reset() {
    position = 0
    status = 0
    facts = HTTP1Fields()
    fields.removeAll(keepingCapacity: true)
  }

  /// Goes on reading; `bytes` begins with the first byte of the head on every call until a result comes.
  mutating func parse(_ bytes: UnsafeRawBufferPointer) -> Result {
    while true {
      if status != 0 {
        while let line = HTTP1FieldLine(usual: bytes, from: position, tokens), line.end <= limit {
          position = line.end
          fields.append(line.entry)
          if facts.note(line.entry.known, value: line.entry.value(bytes)) != nil { return .malformed }
        }
      }
      let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
      guard let feed = rest.firstNewline else {
        return position + rest.count > limit ? .malformed : .needsMore
      }
      if position + feed + 1 > limit { return .malformed }
      let start = position
      position += feed + 1
      let end = feed > 0 && rest[feed - 1] == 0x0D ? feed - 1 : feed
      let line = UnsafeRawBufferPointer(rebasing: rest[0..<end])
      if status == 0 {
        guard parseStatusLine(line) else { return .malformed }
      } else if line.isEmpty {
        return finish()
      } else {
        guard let entry = HTTP1FieldLine.entry(line, at: start, tokens) else { return .malformed }
        fields.append(entry)
        let value = HTTP1FieldLine.value(of: entry, in: line, at: start)
        if facts.note(entry.known, value: value) != nil { return .malformed }
      }
    }
  }

  private mutating func parseStatusLine(_ line: UnsafeRawBufferPointer) -> Bool {
    // "HTTP/1.1 200" with an optional reason.
    guard line.count >= 12, UnsafeRawBufferPointer(rebasing: line[0..<7]).isText("http/1."),
      line[7] == UInt8(ascii: "0") || line[7] == UInt8(ascii: "1"), line[8] == 0x20,
      let code = UnsafeRawBufferPointer(rebasing: line[9..<12]).decimal, code >= 100,
      line.count == 12 || line[12] == 0x20
    else { return false }
    version = line[7] == UInt8(ascii: "1") ? 11 : 10
    status = code
    return true
  }

  private func finish() -> Result {
    // RFC 9112 §6.3: both at once is what response splitting looks like.
    if facts.hasTransferEncoding, facts.contentLength != nil { return .malformed }
    let body: HTTP1Fields.BodyLength
    if facts.isChunked {
      body = .chunked
    } else if let length = facts.contentLength {
      body = .fixed(length)
    } else {
      body = .untilClose
    }
    let keepAlive =
      facts.connection.contains(.close) ? false : version == 11 || facts.connection.contains(.keepAlive)
    return .head(
      Head(
        status: status, version: version, body: body, isKeepAlive: keepAlive, connection: facts.connection,
        hasUpgrade: facts.hasUpgrade, length: position))
  }
}
