import Crypto

/// The SHA-256 of bytes, by which equal contents are told without keeping them.
public struct ContentDigest: Sendable, Hashable {
  public static let byteCount = 32

  private let words: (UInt64, UInt64, UInt64, UInt64)

  public init(of bytes: some Collection<UInt8>) {
    var sum = SHA256()
    let isDone: Void? = bytes.withContiguousStorageIfAvailable { sum.update(bufferPointer: UnsafeRawBufferPointer($0)) }
    if isDone == nil { sum.update(data: Array(bytes)) }
    self.init(sum.finalize())
  }

  private init(_ digest: SHA256.Digest) {
    words = digest.withUnsafeBytes { bytes in
      (
        bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
        bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
        bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
        bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
      )
    }
  }

  /// The 32 bytes of the digest.
  public var bytes: [UInt8] {
    withUnsafeBytes(of: words) { Array($0) }
  }

  public static func == (left: ContentDigest, right: ContentDigest) -> Bool {
    left.words.0 == right.words.0 && left.words.1 == right.words.1 && left.words.2 == right.words.2
      && left.words.3 == right.words.3
  }

  /// The bytes of a digest are as good as random: any of them tell two digests apart.
  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
