import CZlib

/// gzip (RFC 1952) for `kong.tools.gzip`.
enum GzipCoding {
  private static let windowBits: Int32 = 15 + 16
  private static let chunkSize = 64 << 10

  static func compressed(_ bytes: [UInt8]) -> [UInt8]? {
    var stream = z_stream()
    guard
      deflateInit2_(
        &stream, 6, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        == Z_OK
    else { return nil }
    defer { deflateEnd(&stream) }
    return run(bytes, &stream, limit: .max) { deflate(&$0, Z_FINISH) }
  }

  /// Nil if the bytes are no whole gzip data, or if they give more than `limit` bytes.
  static func decompressed(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
    var stream = z_stream()
    guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      return nil
    }
    defer { inflateEnd(&stream) }
    return run(bytes, &stream, limit: limit) { inflate(&$0, Z_NO_FLUSH) }
  }

  private static func run(
    _ bytes: [UInt8], _ stream: inout z_stream, limit: Int, _ step: (inout z_stream) -> Int32
  ) -> [UInt8]? {
    guard bytes.count <= Int(UInt32.max) else { return nil }
    var input = bytes
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: chunkSize)
    return input.withUnsafeMutableBufferPointer { input -> [UInt8]? in
      stream.next_in = input.baseAddress
      stream.avail_in = UInt32(input.count)
      while true {
        let status = chunk.withUnsafeMutableBufferPointer { chunk in
          stream.next_out = chunk.baseAddress
          stream.avail_out = UInt32(chunk.count)
          return step(&stream)
        }
        let count = chunkSize - Int(stream.avail_out)
        output += chunk[..<count]
        if output.count > limit { return nil }
        if status == Z_STREAM_END { return output }
        guard status == Z_OK, count > 0 || stream.avail_in > 0 else { return nil }
      }
    }
  }
}
