import CZlib

/// Bytes compressed so that they can stand between others in one stream.
public struct DeflatedBytes: Sendable {
  public let bytes: [UInt8]
  /// CRC-32 of what was compressed.
  public let checksum: UInt32
  public let inflatedSize: Int
}

extension Gzip {
  /// The checksum of two texts, one after the other, from the checksums of each.
  public static func combine(_ first: UInt32, _ second: UInt32, secondSize: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: crc32_combine(UInt(first), UInt(second), secondSize))
  }

  /// Inflates one part of a stream that was compressed by a `SegmentDeflater`.
  ///
  /// - Parameter limit: the most bytes the result may have.
  public static func inflateSegment(_ bytes: ArraySlice<UInt8>, limit: Int) throws(GzipError) -> [UInt8] {
    var stream = z_stream()
    // Negative: neither header nor trailer.
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw .outOfMemory
    }
    defer { inflateEnd(&stream) }
    var output: [UInt8] = []
    var room = [UInt8](repeating: 0, count: min(max(bytes.count * 12, 4096), 1 << 20))
    let status: Int32 = bytes.withUnsafeBufferPointer { input in
      // zlib does not write through next_in; its declaration merely lacks the const.
      stream.next_in = input.baseAddress.map { UnsafeMutablePointer(mutating: $0) }
      stream.avail_in = UInt32(clamping: input.count)
      while true {
        var produced = 0
        let status = room.withUnsafeMutableBufferPointer { buffer in
          stream.next_out = buffer.baseAddress
          stream.avail_out = UInt32(buffer.count)
          let status = CZlib.inflate(&stream, Z_SYNC_FLUSH)
          produced = buffer.count - Int(stream.avail_out)
          return status
        }
        if produced > limit - output.count { return Z_MEM_ERROR }
        output.append(contentsOf: room[..<produced])
        if status != Z_OK || stream.avail_out > 0 { return status }
      }
    }
    // The part does not end the stream: running out of input is its end.
    guard status == Z_OK || status == Z_BUF_ERROR, stream.avail_in == 0 else { throw .notGzip }
    return output
  }
}

/// Compresses the parts of a stream apart from one another, each ended by a full flush. Not to be used from two threads
/// at once.
public final class SegmentDeflater {
  private var stream = z_stream()

  public init() throws(GzipError) {
    // Negative: neither header nor trailer.
    let status = deflateInit2_(
      &stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { throw .outOfMemory }
  }

  deinit { deflateEnd(&stream) }

  public func deflate(_ bytes: [UInt8]) throws(GzipError) -> DeflatedBytes {
    guard deflateReset(&stream) == Z_OK, bytes.count < 1 << 30 else { throw .outOfMemory }
    var room = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))) + 64)
    var produced = 0
    let (status, checksum): (Int32, UInt) = bytes.withUnsafeBufferPointer { input in
      room.withUnsafeMutableBufferPointer { output in
        // zlib does not write through next_in; its declaration merely lacks the const.
        stream.next_in = input.baseAddress.map { UnsafeMutablePointer(mutating: $0) }
        stream.avail_in = UInt32(input.count)
        stream.next_out = output.baseAddress
        stream.avail_out = UInt32(output.count)
        let status = CZlib.deflate(&stream, Z_FULL_FLUSH)
        produced = output.count - Int(stream.avail_out)
        return (status, crc32(0, input.baseAddress, UInt32(input.count)))
      }
    }
    // Room left means that all was written, the flush included.
    guard status == Z_OK, stream.avail_in == 0, stream.avail_out > 0 else { throw .outOfMemory }
    room.removeLast(room.count - produced)
    return DeflatedBytes(bytes: room, checksum: UInt32(truncatingIfNeeded: checksum), inflatedSize: bytes.count)
  }
}
