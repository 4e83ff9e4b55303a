import CZlib

/// Why bytes could not be inflated.
public enum GzipError: Error, Sendable, CustomStringConvertible {
  case notGzip
  case truncated
  /// The result would be larger than allowed, in bytes.
  case tooLarge(limit: Int)
  case outOfMemory

  public var description: String {
    switch self {
    case .notGzip: "the data is not gzip"
    case .truncated: "the compressed data ends early"
    case .tooLarge(let limit): "the data is larger than \(limit) bytes when inflated"
    case .outOfMemory: "there is not enough memory to inflate the data"
    }
  }
}

/// Compression of whole texts (RFC 1952).
public enum Gzip {
  private static let windowBits: Int32 = 15 + 16
  private static let chunkSize = 256 * 1024

  public static func compress(_ bytes: [UInt8]) throws(GzipError) -> [UInt8] {
    var stream = z_stream()
    let status = deflateInit2_(
      &stream, 6, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { throw .outOfMemory }
    defer { deflateEnd(&stream) }
    var output: [UInt8] = []
    let finished = feed(bytes, to: &stream, into: &output, limit: Int.max) { deflate(&$0, $1 ? Z_FINISH : Z_NO_FLUSH) }
    guard case .success(true) = finished else { throw .outOfMemory }
    return output
  }

  /// - Parameter limit: the most bytes the result may have; a larger one is refused without being made.
  public static func inflate(_ bytes: [UInt8], limit: Int) throws(GzipError) -> [UInt8] {
    var stream = z_stream()
    guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw .outOfMemory
    }
    defer { inflateEnd(&stream) }
    var output: [UInt8] = []
    switch feed(bytes, to: &stream, into: &output, limit: limit, { stream, _ in CZlib.inflate(&stream, Z_NO_FLUSH) }) {
    case .success(true): return output
    case .success(false): throw .truncated
    case .failure(let error): throw error
    }
  }

  /// Runs a zlib stream over all input. True when the stream ended, false when the input did first.
  private static func feed(
    _ bytes: [UInt8], to stream: inout z_stream, into output: inout [UInt8], limit: Int,
    _ step: (inout z_stream, _ isLast: Bool) -> Int32
  ) -> Result<Bool, GzipError> {
    var chunk = [UInt8](repeating: 0, count: min(chunkSize, max(4096, bytes.count)))
    var consumed = 0
    while true {
      let slice = min(bytes.count - consumed, 1 << 30)
      let isLast = consumed + slice == bytes.count
      var produced = 0
      let status = bytes.withUnsafeBufferPointer { input in
        chunk.withUnsafeMutableBufferPointer { room in
          // zlib does not write through next_in; its declaration merely lacks the const.
          stream.next_in = input.baseAddress.map { UnsafeMutablePointer(mutating: $0 + consumed) }
          stream.avail_in = UInt32(slice)
          stream.next_out = room.baseAddress
          stream.avail_out = UInt32(room.count)
          let status = step(&stream, isLast)
          produced = room.count - Int(stream.avail_out)
          return status
        }
      }
      consumed += slice - Int(stream.avail_in)
      guard produced <= limit - output.count else { return .failure(.tooLarge(limit: limit)) }
      output.append(contentsOf: chunk[..<produced])
      switch status {
      case Z_STREAM_END: return .success(true)
      case Z_OK: continue
      case Z_BUF_ERROR where consumed == bytes.count: return .success(false)
      case Z_MEM_ERROR: return .failure(.outOfMemory)
      default: return .failure(.notGzip)
      }
    }
  }
}
