import EntityModel

/// The keys that a provider signs with. Source: RFC 7517 §5.
struct KeySet: Sendable {
  /// Keys that are looked at in one document.
  static let maximumCount = 256

  private(set) var keys: [VerificationKey] = []

  init() {}

  /// Nil if the document is no key set; keys that cannot be used are left out.
  init?(_ document: JSONValue) {
    guard let keys = document["keys"]?.array else { return nil }
    self.keys = keys.prefix(Self.maximumCount).compactMap { VerificationKey($0) }
  }

  mutating func add(_ other: KeySet) { keys += other.keys }

  /// The keys that may have signed the token.
  func candidates(for token: SignedToken) -> [VerificationKey] {
    guard let algorithm = token.algorithm else { return [] }
    return keys.filter { key in
      guard key.fits(algorithm) else { return false }
      guard let id = token.keyID, let own = key.id else { return true }
      return id == own
    }
  }

  /// The key that has signed the token.
  func signer(of token: SignedToken) -> VerificationKey? {
    guard let algorithm = token.algorithm, !token.hasCriticalExtensions else { return nil }
    let bytes = token.signedBytes
    return candidates(for: token).first { $0.isValid(token.signature, over: bytes, by: algorithm) }
  }
}
