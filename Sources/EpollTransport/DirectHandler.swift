import NIOCore

/// The one handler of a channel without TLS, reached without its pipeline.
///
/// It is a handler of the pipeline too, and gets the rest of its events (active, inactive, errors) from there; what
/// happens for each piece of data comes by these calls. Called on the event loop.
public protocol DirectHandler: AnyObject {
  /// Bytes have come. Their memory is the loop's and holds a large read: who keeps a little of them copies it.
  func received(_ bytes: ByteBuffer)

  /// What there was to read has been read.
  func receivedAll()

  /// Whether to read on. After a no the handler calls `StreamChannel.read0()` when it wants more.
  func wantsToRead() -> Bool

  /// The water marks of the channel were passed.
  func writabilityChanged(to isWritable: Bool)
}
