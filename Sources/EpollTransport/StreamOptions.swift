import NIOCore

/// How a connection reads and writes.
public struct StreamOptions: Sendable {
  /// Reads that follow one event before others get their turn.
  public var readsPerEvent = 1
  /// Bytes waiting to be written from which on the channel is not writable, and below which it is again.
  public var waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 65536, high: 262_144)
  public var autoRead = true
  /// The peer may close its direction and still be written to.
  public var allowsRemoteHalfClosure = false
  /// Sends small segments at once.
  public var isNoDelay = true

  public init() {}
}
