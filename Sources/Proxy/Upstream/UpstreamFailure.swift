/// Why an attempt to get a response from an upstream failed.
enum UpstreamFailure: Error {
  /// No connection: refused, unreachable or reset.
  case connectFailed
  case connectTimedOut
  /// The TLS handshake failed.
  case tlsFailed
  /// The connection ended before the response was whole.
  case closed
  case malformedResponse
  case sendTimedOut
  case readTimedOut

  /// The status told when no attempt is left.
  var status: Int {
    switch self {
    case .connectFailed, .tlsFailed, .closed, .malformedResponse: 502
    case .connectTimedOut, .sendTimedOut, .readTimedOut: 504
    }
  }

  /// Whether another peer may be asked; nginx's `proxy_next_upstream error timeout`. A bad response is not retried.
  var allowsRetry: Bool { self != .malformedResponse }

  /// For the error log.
  var reason: String {
    switch self {
    case .connectFailed: "connection refused or unreachable while connecting to upstream"
    case .connectTimedOut: "upstream timed out while connecting to upstream"
    case .tlsFailed: "TLS handshake with upstream failed"
    case .closed: "upstream prematurely closed connection"
    case .malformedResponse: "upstream sent an invalid response"
    case .sendTimedOut: "upstream timed out while sending request to upstream"
    case .readTimedOut: "upstream timed out while reading response from upstream"
    }
  }
}
