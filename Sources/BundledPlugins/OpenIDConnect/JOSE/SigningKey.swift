import Crypto
import EntityModel
import _CryptoExtras

/// The private key of a client, for private_key_jwt. Source: RFC 7517, RFC 7518 §6, RFC 8037.
struct SigningKey: Sendable {
  private enum Material: Sendable {
    case rsa(_RSA.Signing.PrivateKey)
    case p256(P256.Signing.PrivateKey)
    case p384(P384.Signing.PrivateKey)
    case p521(P521.Signing.PrivateKey)
    case ed25519(Curve25519.Signing.PrivateKey)
  }

  let id: String?
  private let material: Material
  let algorithm: SignatureAlgorithm

  /// - Parameter wanted: nil for the algorithm that the key names, or else the usual one of its kind.
  /// - Returns: nil if the key is no private key, is broken, or cannot make signatures of that algorithm.
  init?(_ document: JSONValue, algorithm wanted: SignatureAlgorithm?) {
    func number(_ name: String) -> [UInt8]? { document[name]?.string.flatMap { Base64URL.decoded($0) } }
    let wanted = wanted ?? document["alg"]?.string.flatMap { SignatureAlgorithm(rawValue: $0) }
    let algorithm: SignatureAlgorithm
    switch (document["kty"]?.string, document["crv"]?.string) {
    case ("RSA", _):
      guard let n = number("n"), let e = number("e"), let d = number("d"), let p = number("p"), let q = number("q"),
        let key = try? _RSA.Signing.PrivateKey(n: n, e: e, d: d, p: p, q: q)
      else { return nil }
      material = .rsa(key)
      algorithm = wanted ?? .rs256
      guard algorithm.family == .rsa || algorithm.family == .rsaPSS else { return nil }
    case ("EC", "P-256"):
      guard let d = number("d"), let key = try? P256.Signing.PrivateKey(rawRepresentation: d) else { return nil }
      material = .p256(key)
      algorithm = .es256
    case ("EC", "P-384"):
      guard let d = number("d"), let key = try? P384.Signing.PrivateKey(rawRepresentation: d) else { return nil }
      material = .p384(key)
      algorithm = .es384
    case ("EC", "P-521"):
      guard let d = number("d"), let key = try? P521.Signing.PrivateKey(rawRepresentation: d) else { return nil }
      material = .p521(key)
      algorithm = .es512
    case ("OKP", "Ed25519"):
      guard let d = number("d"), let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: d) else { return nil }
      material = .ed25519(key)
      algorithm = .edDSA
    default: return nil
    }
    if let wanted, wanted != algorithm { return nil }
    self.algorithm = algorithm
    id = document["kid"]?.string
  }

  func signature(over bytes: [UInt8]) throws -> [UInt8] {
    switch material {
    case .rsa(let key):
      let padding: _RSA.Signing.Padding = algorithm.family == .rsaPSS ? .PSS : .insecurePKCS1v1_5
      switch algorithm.hash {
      case .sha256: return Array(try key.signature(for: SHA256.hash(data: bytes), padding: padding).rawRepresentation)
      case .sha384: return Array(try key.signature(for: SHA384.hash(data: bytes), padding: padding).rawRepresentation)
      case .sha512: return Array(try key.signature(for: SHA512.hash(data: bytes), padding: padding).rawRepresentation)
      }
    case .p256(let key): return Array(try key.signature(for: SHA256.hash(data: bytes)).rawRepresentation)
    case .p384(let key): return Array(try key.signature(for: SHA384.hash(data: bytes)).rawRepresentation)
    case .p521(let key): return Array(try key.signature(for: SHA512.hash(data: bytes)).rawRepresentation)
    case .ed25519(let key): return Array(try key.signature(for: bytes))
    }
  }
}

/// Makes signed tokens, such as the assertions by which a client authenticates.
enum TokenSigning {
  static func token(
    claims: [String: JSONValue], algorithm: SignatureAlgorithm, keyID: String?, sign: ([UInt8]) throws -> [UInt8]?
  ) -> String? {
    var header: [String: JSONValue] = ["typ": "JWT", "alg": .string(algorithm.rawValue)]
    header["kid"] = keyID.map { .string($0) }
    let signed =
      Base64URL.encoded(JSONValue.object(header).serialized()) + "."
      + Base64URL.encoded(JSONValue.object(claims).serialized())
    guard let signature = try? sign(Array(signed.utf8)) else { return nil }
    return signed + "." + Base64URL.encoded(signature)
  }
}
