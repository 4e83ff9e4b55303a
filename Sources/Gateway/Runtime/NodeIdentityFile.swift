import EntityModel
import Foundation

/// The id of a node, kept in its prefix so that a restarted node is the same one.
///
/// Source: Kong fact, hybrid §5 (`kong.id`).
enum NodeIdentityFile {
  /// The configured id, else the one in `<prefix>/kong.id`, else a new one that is written there.
  static func identity(configured: String?, prefix: String) throws(GatewayError) -> String {
    if let configured { return configured.lowercased() }
    let path = prefix + "/kong.id"
    if let data = FileManager.default.contents(atPath: path) {
      let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      if UUIDText.isUUID(text) { return text.lowercased() }
    }
    let id = UUID().uuidString.lowercased()
    do {
      try FileManager.default.createDirectory(atPath: prefix, withIntermediateDirectories: true)
      try Data((id + "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw GatewayError("cannot write \(path): \(error.localizedDescription); check the setting prefix")
    }
    return id
  }
}
