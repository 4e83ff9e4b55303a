import NIOCore

/// What is known of the request's body.
public enum RequestBody {
  /// Not asked for: it streams to the upstream.
  case unread
  /// Read in full, as received.
  case complete(ByteBuffer)
  /// Set by a plugin; replaces what the client sent.
  case replaced(ByteBuffer)

  /// The body as later plugins and the upstream see it; nil while unread.
  public var bytes: ByteBuffer? {
    switch self {
    case .unread: nil
    case .complete(let bytes), .replaced(let bytes): bytes
    }
  }
}

/// Why the request's body cannot be had.
public enum RequestBodyError: Error, Sendable {
  case clientClosed
  case malformed
  /// Longer than `client_max_body_size`.
  case tooLarge
}
