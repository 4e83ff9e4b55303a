import Crypto
import EntityModel
import Logging

/// The copy on disk of the last configuration that a data plane applied, from which it serves after a restart without
/// its control plane.
///
/// The file belongs to its owner alone, for it holds credentials and keys. It is replaced as a whole, and its checksum
/// is verified before use.
public struct LastGoodCopy: Sendable {
  /// Where the copy lies.
  public let path: String
  /// The most bytes of the file, and of the configuration in it.
  let maxPayload: Int
  let maxInflated: Int

  private static let magic = "sluice last-good configuration 1\n"
  private static let headerLength = magic.utf8.count + 65

  /// - Parameters:
  ///   - path: for example `config.last-good` under the prefix.
  ///   - maxPayload: `cluster_max_payload` in bytes.
  public init(path: String, maxPayload: Int = 16 * 1024 * 1024) {
    self.path = path
    self.maxPayload = maxPayload
    maxInflated = DataPlaneConfiguration.maxInflated(for: maxPayload)
  }

  /// Whether there is a copy, whatever its state.
  var exists: Bool { OwnedFile.exists(path) }

  /// - Parameter message: the compressed message as it was received.
  func save(_ message: [UInt8]) throws(FileFailure) {
    let contents = Array(Self.magic.utf8) + Array((Self.checksum(message[...]) + "\n").utf8) + message
    try OwnedFile.replace(path, contents: contents, mode: 0o600)
  }

  /// The saved configuration; nil where there is none or it cannot be used. A file that cannot be used is logged and
  /// moved aside to `<path>.corrupt`.
  public func load(logger: Logger) -> ReceivedConfiguration? {
    do {
      guard let contents = try OwnedFile.read(path, limit: maxPayload + Self.headerLength) else { return nil }
      return try Self.parse(contents, limit: maxInflated)
    } catch {
      logger.error("the last-good configuration \(path) is ignored: \(error)")
      do throws(FileFailure) {
        try OwnedFile.rename(path, to: path + ".corrupt")
      } catch {
        logger.error("\(error)")
      }
      return nil
    }
  }

  private static func parse(_ contents: [UInt8], limit: Int) throws(ProtocolFailure) -> ReceivedConfiguration {
    guard contents.count > headerLength, contents.starts(with: magic.utf8) else {
      throw ProtocolFailure("it is not a saved configuration")
    }
    let message = contents[headerLength...]
    guard contents[magic.utf8.count..<headerLength].elementsEqual((checksum(message) + "\n").utf8) else {
      throw ProtocolFailure("its checksum does not match")
    }
    return try Reconfigure.parse(Array(message), limit: limit)
  }

  private static func checksum(_ bytes: ArraySlice<UInt8>) -> String {
    String(
      decoding: SHA256.hash(data: bytes).flatMap { [hexDigit($0 >> 4), hexDigit($0 & 15)] }, as: UTF8.self)
  }
}
