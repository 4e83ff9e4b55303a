import NIOCore

extension ByteBuffer {
  /// The same bytes; in memory of their own if they are but a small part of what they are in.
  ///
  /// For bytes that are kept: a slice keeps all of the buffer that it was cut from.
  public var settled: ByteBuffer {
    readableBytes < storageCapacity / 2 ? ByteBuffer(bytes: readableBytesView) : self
  }
}
