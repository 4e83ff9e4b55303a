import Zlib

/// A text that is seldom asked for; a long one is kept compressed, which takes about a tenth of the memory.
struct StoredText: Sendable {
  private enum Content: Sendable {
    case plain(String)
    case compressed([UInt8], size: Int)
  }

  private static let shortest = 65_536
  private let content: Content

  init(_ text: String) {
    let size = text.utf8.count
    if size >= Self.shortest, let bytes = try? Gzip.compress(Array(text.utf8)) {
      content = .compressed(bytes, size: size)
    } else {
      content = .plain(text)
    }
  }

  /// The text as it was given; nil when there is no memory to inflate it.
  var text: String? {
    switch content {
    case .plain(let text): text
    case .compressed(let bytes, let size):
      (try? Gzip.inflate(bytes, limit: size)).map { String(decoding: $0, as: UTF8.self) }
    }
  }
}
