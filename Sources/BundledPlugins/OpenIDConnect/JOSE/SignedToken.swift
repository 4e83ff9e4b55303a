import EntityModel

/// A JSON Web Token in the compact form of a signature, taken apart and not yet verified.
///
/// Source: RFC 7515 §3.1 and §5.2, RFC 7519.
struct SignedToken: Sendable {
  /// Longest token that is looked at, in bytes.
  static let maximumSize = 64 << 10

  let text: String
  /// Nil for an algorithm that is not known, `none` among them.
  let algorithm: SignatureAlgorithm?
  let keyID: String?
  /// Whether the header demands extensions, none of which is known (RFC 7515 §4.1.11).
  let hasCriticalExtensions: Bool
  let claims: Claims
  let signature: [UInt8]
  /// Length of the signed part of `text`.
  private let signedLength: Int

  /// Nil for what is no signed token: opaque text, an encrypted token, broken JSON.
  init?(_ text: String) {
    guard text.utf8.count <= Self.maximumSize else { return nil }
    let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3, let header = Self.object(parts[0]), let payload = Self.object(parts[1]),
      let signature = Base64URL.decoded(parts[2])
    else { return nil }
    self.text = text
    algorithm = header["alg"]?.string.flatMap { SignatureAlgorithm(rawValue: $0) }
    keyID = header["kid"]?.string
    hasCriticalExtensions = header["crit"] != nil || header["b64"]?.bool == false
    claims = Claims(payload)
    self.signature = signature
    signedLength = parts[0].count + 1 + parts[1].count
  }

  /// The bytes that the signature is over.
  var signedBytes: [UInt8] { Array(text.utf8.prefix(signedLength)) }

  private static func object(_ part: Substring.UTF8View) -> [String: JSONValue]? {
    guard let bytes = Base64URL.decoded(part), let value = try? JSONValue(parsing: bytes) else { return nil }
    return value.object
  }
}
