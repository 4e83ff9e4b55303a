/// What is known of a request when its head has been read.
public struct RequestStart {
  public var method = HTTPMethod.get
  /// 10 or 11.
  public var httpVersion = 11
  /// Range of the target in the head.
  public var target = 0..<0
  public var headSize = 0
  public var identifier = RequestIdentifier(high: 0, low: 0)
  /// Nanoseconds of the monotonic clock.
  public var at: UInt64 = 0
  /// Milliseconds since the epoch.
  public var atMilliseconds: Int64 = 0
  /// Number of the request on its connection, from 1.
  public var connectionRequests = 0

  public init() {}
}

/// A request id; 32 lower-case hexadecimal digits where it is text.
public struct RequestIdentifier: Sendable, Hashable {
  private let high: UInt64
  private let low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  public var text: String {
    String(unsafeUninitializedCapacity: 32) { digits in
      write(to: UnsafeMutableRawBufferPointer(digits))
      return 32
    }
  }

  /// Calls `body` with the digits; no String is made.
  public func withDigits(_ body: (UnsafeRawBufferPointer) -> Void) {
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { digits in
      write(to: digits)
      body(UnsafeRawBufferPointer(digits))
    }
  }

  /// - Parameter digits: memory of at least 32 bytes.
  private func write(to digits: UnsafeMutableRawBufferPointer) {
    Self.write(UInt32(truncatingIfNeeded: high >> 32), to: digits, at: 0)
    Self.write(UInt32(truncatingIfNeeded: high), to: digits, at: 8)
    Self.write(UInt32(truncatingIfNeeded: low >> 32), to: digits, at: 16)
    Self.write(UInt32(truncatingIfNeeded: low), to: digits, at: 24)
  }

  /// Eight digits at once: each nibble is spread to a byte of one word.
  private static func write(_ value: UInt32, to digits: UnsafeMutableRawBufferPointer, at offset: Int) {
    var word = UInt64(value)
    word = (word | word << 16) & 0x0000_FFFF_0000_FFFF
    word = (word | word << 8) & 0x00FF_00FF_00FF_00FF
    word = (word | word << 4) & 0x0F0F_0F0F_0F0F_0F0F
    // 1 in each byte above 9: from `0` to `a` it is 39 further.
    let letters = ((word &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
    word = word &+ 0x3030_3030_3030_3030 &+ letters &* 39
    digits.storeBytes(of: word.bigEndian, toByteOffset: offset, as: UInt64.self)
  }
}
