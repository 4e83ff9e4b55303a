import Crypto

/// The content hash by which control plane and data planes agree on a configuration.
///
/// Source: Kong fact, hybrid §3.
public enum ConfigHash {
  /// Collections with a hash of their own, in the order in which the whole hash takes them.
  public static let parts = ["routes", "services", "plugins", "upstreams", "targets"]

  /// The hash of a configuration and of its parts (`config` for the whole); collections without entities do not count.
  public static func hash(
    of entities: [String: [EntityFields]]
  ) -> (hash: String, parts: [String: String]) {
    hash(ofLists: entities.mapValues { EntityList($0) })
  }

  /// The hash of a configuration and of its parts (`config` for the whole); collections without entities do not count.
  public static func hash(ofLists entities: [String: EntityList]) -> (hash: String, parts: [String: String]) {
    var hasher = ConfigHasher()
    return hasher.hash(of: entities)
  }

  /// The MD5 of a value's canonical text, as 32 hexadecimal digits.
  public static func md5(of value: JSONValue) -> String {
    var text = CanonicalText()
    text.append(value)
    return hex(Insecure.MD5.hash(data: text.bytes))
  }

  /// The MD5 of text as it stands, which is the hash of a declarative file.
  public static func md5(ofText text: some Sequence<UInt8>) -> String { hex(Insecure.MD5.hash(data: Array(text))) }

  /// The MD5 of an entity's canonical text, as 16 bytes.
  static func digest(of entity: EntityFields) -> Insecure.MD5Digest {
    var text = CanonicalText()
    text.append(.object(entity))
    return Insecure.MD5.hash(data: text.bytes)
  }

  static func hex(_ digest: some Sequence<UInt8>) -> String {
    var output: [UInt8] = []
    for byte in digest {
      output.append(hexDigit(byte >> 4))
      output.append(hexDigit(byte & 0xF))
    }
    return String(decoding: output, as: UTF8.self)
  }
}

/// The text over which a configuration is hashed: equal values give equal text, whatever the order of their keys.
private struct CanonicalText {
  static let foldingSize = 1_000_000

  var bytes: [UInt8] = []

  mutating func append(_ value: JSONValue) {
    if bytes.count > Self.foldingSize { bytes = Array(Insecure.MD5.hash(data: bytes)) }
    switch value {
    case .null: bytes += "/null/".utf8
    case .bool(let value): bytes += (value ? "true" : "false").utf8
    case .integer(let value): bytes += String(value).utf8
    case .number(let value): bytes += LuaTableText.number(value).utf8
    case .string(let text): bytes += text.utf8
    case .array(let elements):
      if elements.isEmpty { bytes += "{}".utf8 }
      for (index, element) in elements.enumerated() {
        append(element)
        if elements.count > 5 || index < elements.count - 1 { bytes.append(UInt8(ascii: ";")) }
      }
    case .object(let members):
      if members.isEmpty { bytes += "{}".utf8 }
      for key in members.keys.sorted() {
        bytes += key.utf8
        bytes.append(UInt8(ascii: ":"))
        append(members[key] ?? .null)
        bytes.append(UInt8(ascii: ";"))
      }
    }
  }
}
