import NIOCore

/// Takes the framing off a body, however the bytes are cut (RFC 9112 §6, §7.1).
///
/// Chunk lines must be exact: hexadecimal digits, an optional extension, CRLF. Trailers are checked and dropped.
struct HTTP1BodyDecoder {
  private enum State: Equatable {
    case fixed(remaining: Int)
    case untilClose
    case chunkSize(value: UInt64, digits: Int)
    case chunkExtension(value: UInt64, length: Int)
    case chunkSizeFeed(value: UInt64)
    case chunkData(remaining: UInt64)
    case chunkDataReturn
    case chunkDataFeed
    case trailerStart(read: Int)
    case trailerLine(read: Int)
    case trailerFeed(read: Int)
    case endFeed
    case finished
    case malformed
  }

  private static let longestExtension = 4096
  private static let longestTrailers = 16384

  private var state: State

  init(_ length: HTTP1Fields.BodyLength) {
    switch length {
    case .none, .fixed(0): state = .finished
    case .fixed(let length): state = .fixed(remaining: length)
    case .chunked: state = .chunkSize(value: 0, digits: 0)
    case .untilClose: state = .untilClose
    }
  }

  var isFinished: Bool { state == .finished }
  var isMalformed: Bool { state == .malformed }
  /// The body ends where the connection does.
  var isUntilClose: Bool { state == .untilClose }

  /// Bytes of a body of fixed length that are still to come; nil for other framings.
  var fixedRemaining: Int? {
    if case .fixed(let remaining) = state { return remaining }
    return state == .finished ? 0 : nil
  }

  /// Takes the next piece of content from the front of `buffer`: nil when more bytes are needed, the body is over or it
  /// is malformed. Bytes after the body stay in `buffer`.
  mutating func next(_ buffer: inout ByteBuffer) -> ByteBuffer? {
    while true {
      switch state {
      case .finished, .malformed:
        return nil
      case .untilClose:
        guard buffer.readableBytes > 0 else { return nil }
        return buffer.readSlice(length: buffer.readableBytes)
      case .fixed(let remaining):
        let length = min(remaining, buffer.readableBytes)
        guard length > 0 else { return nil }
        state = length == remaining ? .finished : .fixed(remaining: remaining - length)
        return buffer.readSlice(length: length)
      case .chunkData(let remaining):
        let length = Int(min(remaining, UInt64(buffer.readableBytes)))
        guard length > 0 else { return nil }
        state = UInt64(length) == remaining ? .chunkDataReturn : .chunkData(remaining: remaining - UInt64(length))
        return buffer.readSlice(length: length)
      default:
        guard let byte = buffer.readInteger(as: UInt8.self) else { return nil }
        take(byte)
      }
    }
  }

  /// One byte of framing.
  private mutating func take(_ byte: UInt8) {
    switch state {
    case .chunkSize(let value, let digits):
      if let digit = HTTPCharacters.hexValue(byte) {
        // 15 digits cannot overflow; more is nobody's chunk.
        state = digits < 15 ? .chunkSize(value: value << 4 | UInt64(digit), digits: digits + 1) : .malformed
      } else if digits == 0 {
        state = .malformed
      } else if byte == 0x0D {
        state = .chunkSizeFeed(value: value)
      } else if byte == UInt8(ascii: ";") || byte == 0x20 || byte == 0x09 {
        state = .chunkExtension(value: value, length: 1)
      } else {
        state = .malformed
      }
    case .chunkExtension(let value, let length):
      if byte == 0x0D {
        state = .chunkSizeFeed(value: value)
      } else if HTTPCharacters.isFieldValueByte(byte), length < Self.longestExtension {
        state = .chunkExtension(value: value, length: length + 1)
      } else {
        state = .malformed
      }
    case .chunkSizeFeed(let value):
      guard byte == 0x0A else { return state = .malformed }
      state = value == 0 ? .trailerStart(read: 0) : .chunkData(remaining: value)
    case .chunkDataReturn:
      state = byte == 0x0D ? .chunkDataFeed : .malformed
    case .chunkDataFeed:
      state = byte == 0x0A ? .chunkSize(value: 0, digits: 0) : .malformed
    case .trailerStart(let read):
      if byte == 0x0D {
        state = .endFeed
      } else {
        state = HTTPCharacters.isToken(byte) ? .trailerLine(read: read + 1) : .malformed
      }
    case .trailerLine(let read):
      if byte == 0x0D {
        state = .trailerFeed(read: read + 1)
      } else if HTTPCharacters.isFieldValueByte(byte), read < Self.longestTrailers {
        state = .trailerLine(read: read + 1)
      } else {
        state = .malformed
      }
    case .trailerFeed(let read):
      state = byte == 0x0A ? .trailerStart(read: read + 1) : .malformed
    case .endFeed:
      state = byte == 0x0A ? .finished : .malformed
    case .fixed, .untilClose, .chunkData, .finished, .malformed:
      break
    }
  }

  /// Tells the decoder that the connection is over.
  ///
  /// - Returns: Whether the body is whole.
  mutating func connectionEnded() -> Bool {
    if state == .untilClose { state = .finished }
    return state == .finished
  }
}
