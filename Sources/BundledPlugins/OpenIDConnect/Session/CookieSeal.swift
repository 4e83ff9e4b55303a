import Crypto

/// Encrypts what cookies hold, so that clients can neither read nor change it: AES-256-GCM with a key derived from the
/// configured secret.
///
/// Kong compatibility: without a secret Kong stores one for all nodes; here it is made anew by each process, so
/// sessions end with it.
struct CookieSeal: Sendable {
  private static let processKey = SymmetricKey(size: .bits256)

  private let key: SymmetricKey

  init(secret: String?) {
    guard let secret else {
      key = Self.processKey
      return
    }
    key = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: SymmetricKey(data: Array(secret.utf8)), salt: Array("sluice openid-connect".utf8),
      info: Array("cookie v1".utf8), outputByteCount: 32)
  }

  /// - Parameter purpose: what the text is for; it opens for nothing else.
  func sealed(_ bytes: [UInt8], for purpose: String) -> String? {
    guard let box = try? AES.GCM.seal(bytes, using: key, authenticating: Array(purpose.utf8)), let all = box.combined
    else { return nil }
    return Base64URL.encoded(all)
  }

  func opened(_ text: String, for purpose: String) -> [UInt8]? {
    guard let bytes = Base64URL.decoded(text), let box = try? AES.GCM.SealedBox(combined: bytes),
      let plain = try? AES.GCM.open(box, using: key, authenticating: Array(purpose.utf8))
    else { return nil }
    return Array(plain)
  }
}
