import NIOCore

/// How the entries of a log queue reach their server.
struct LogDelivery: Sendable {
  /// Where they go, for log lines; without secrets.
  var label: String
  /// Sends entries, oldest first. Called on the event loop; the future is that loop's, and fails with what is told in the
  /// log.
  var send: @Sendable (_ entries: [ByteBuffer], _ loop: any EventLoop) -> EventLoopFuture<Void>
}

/// An answer that is no success.
struct LogDeliveryError: Error, CustomStringConvertible {
  let description: String
}
