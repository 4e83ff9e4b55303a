import Crypto
import EntityModel
import _CryptoExtras

/// A public key of a provider.
///
/// Only public keys are made of key sets: a symmetric key found there would be known to all the world, and the text of
/// a public key is never taken for a shared secret. Source: RFC 7517, RFC 7518 §6, RFC 8037 §2, RFC 8725 §3.1.
struct VerificationKey: Sendable {
  private enum Material: Sendable {
    case rsa(_RSA.Signing.PublicKey)
    case p256(P256.Signing.PublicKey)
    case p384(P384.Signing.PublicKey)
    case p521(P521.Signing.PublicKey)
    case ed25519(Curve25519.Signing.PublicKey)
  }

  let id: String?
  /// The one algorithm that the key is meant for, if it says so.
  private let algorithm: SignatureAlgorithm?
  private let material: Material
  /// The key as the provider publishes it.
  let document: JSONValue

  /// Nil for keys that are not meant for signatures, of unknown kinds, or broken.
  init?(_ document: JSONValue) {
    guard let kind = document["kty"]?.string else { return nil }
    if let use = document["use"]?.string, use != "sig" { return nil }
    if let operations = document["key_ops"]?.array, !operations.contains("verify") { return nil }
    if let name = document["alg"]?.string {
      guard let algorithm = SignatureAlgorithm(rawValue: name) else { return nil }
      self.algorithm = algorithm
    } else {
      algorithm = nil
    }
    func number(_ name: String, atMost limit: Int) -> [UInt8]? {
      guard let text = document[name]?.string, text.utf8.count <= limit * 2, let bytes = Base64URL.decoded(text),
        !bytes.isEmpty, bytes.count <= limit
      else { return nil }
      return bytes
    }
    switch (kind, document["crv"]?.string) {
    case ("RSA", _):
      guard let modulus = number("n", atMost: 1025), let exponent = number("e", atMost: 8),
        let key = try? _RSA.Signing.PublicKey(n: modulus, e: exponent)
      else { return nil }
      material = .rsa(key)
    case ("EC", "P-256"):
      guard let x = number("x", atMost: 32), let y = number("y", atMost: 32), x.count == 32, y.count == 32,
        let key = try? P256.Signing.PublicKey(rawRepresentation: x + y)
      else { return nil }
      material = .p256(key)
    case ("EC", "P-384"):
      guard let x = number("x", atMost: 48), let y = number("y", atMost: 48), x.count == 48, y.count == 48,
        let key = try? P384.Signing.PublicKey(rawRepresentation: x + y)
      else { return nil }
      material = .p384(key)
    case ("EC", "P-521"):
      guard let x = number("x", atMost: 66), let y = number("y", atMost: 66), x.count == 66, y.count == 66,
        let key = try? P521.Signing.PublicKey(rawRepresentation: x + y)
      else { return nil }
      material = .p521(key)
    case ("OKP", "Ed25519"):
      guard let x = number("x", atMost: 32), x.count == 32,
        let key = try? Curve25519.Signing.PublicKey(rawRepresentation: x)
      else { return nil }
      material = .ed25519(key)
    default: return nil
    }
    id = document["kid"]?.string
    self.document = document
  }

  /// Whether a signature of that algorithm can be of this key at all.
  func fits(_ algorithm: SignatureAlgorithm) -> Bool {
    if let own = self.algorithm, own != algorithm { return false }
    switch (material, algorithm) {
    case (.rsa, .rs256), (.rsa, .rs384), (.rsa, .rs512), (.rsa, .ps256), (.rsa, .ps384), (.rsa, .ps512),
      (.p256, .es256), (.p384, .es384), (.p521, .es512), (.ed25519, .edDSA):
      return true
    default: return false
    }
  }

  func isValid(_ signature: [UInt8], over bytes: [UInt8], by algorithm: SignatureAlgorithm) -> Bool {
    guard fits(algorithm) else { return false }
    switch material {
    case .rsa(let key):
      let signature = _RSA.Signing.RSASignature(rawRepresentation: signature)
      let padding: _RSA.Signing.Padding = algorithm.family == .rsaPSS ? .PSS : .insecurePKCS1v1_5
      switch algorithm.hash {
      case .sha256: return key.isValidSignature(signature, for: SHA256.hash(data: bytes), padding: padding)
      case .sha384: return key.isValidSignature(signature, for: SHA384.hash(data: bytes), padding: padding)
      case .sha512: return key.isValidSignature(signature, for: SHA512.hash(data: bytes), padding: padding)
      }
    case .p256(let key):
      guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
      return key.isValidSignature(signature, for: SHA256.hash(data: bytes))
    case .p384(let key):
      guard let signature = try? P384.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
      return key.isValidSignature(signature, for: SHA384.hash(data: bytes))
    case .p521(let key):
      guard let signature = try? P521.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
      return key.isValidSignature(signature, for: SHA512.hash(data: bytes))
    case .ed25519(let key): return key.isValidSignature(signature, for: bytes)
    }
  }
}

/// A shared secret as the key of signatures. Source: RFC 7518 §3.2.
struct SharedSecret: Sendable {
  private let key: SymmetricKey

  /// Nil for an empty secret.
  init?(_ text: String) {
    guard !text.isEmpty else { return nil }
    key = SymmetricKey(data: Array(text.utf8))
  }

  /// Nil for an empty secret.
  init?(bytes: [UInt8]) {
    guard !bytes.isEmpty else { return nil }
    key = SymmetricKey(data: bytes)
  }

  func isValid(_ signature: [UInt8], over bytes: [UInt8], by algorithm: SignatureAlgorithm) -> Bool {
    switch algorithm {
    case .hs256: HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
    case .hs384: HMAC<SHA384>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
    case .hs512: HMAC<SHA512>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
    default: false
    }
  }

  /// Nil if the algorithm is none of shared secrets.
  func signature(over bytes: [UInt8], by algorithm: SignatureAlgorithm) -> [UInt8]? {
    switch algorithm {
    case .hs256: Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
    case .hs384: Array(HMAC<SHA384>.authenticationCode(for: bytes, using: key))
    case .hs512: Array(HMAC<SHA512>.authenticationCode(for: bytes, using: key))
    default: nil
    }
  }
}
