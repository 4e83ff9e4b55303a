/// How the end of a response is told to the client (RFC 9112 §6).
enum ResponseFraming: Equatable {
  /// No body follows the head. Set for HEAD, 204 and 304 too.
  case none
  case fixed(remaining: Int)
  case chunked
  /// HTTP/1.0 clients, when the length is not known.
  case untilClose
}
