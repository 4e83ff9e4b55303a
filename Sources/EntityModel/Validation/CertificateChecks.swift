import Crypto
import Foundation
import SwiftASN1
import X509
import _CryptoExtras

/// Checks of certificates and their keys.
enum CertificateChecks {
  /// The certificate and the key under the given names must belong together.
  static func keyMatches(
    _ entity: [String: JSONValue], certificate: String, key: String
  ) -> SchemaViolations? {
    guard let certificate = entity[certificate]?.string.flatMap(firstCertificate),
      let key = entity[key]?.string.flatMap(privateKey), certificate.publicKey != key.publicKey
    else { return nil }
    return SchemaViolations(entity: ["certificate does not match key"])
  }

  /// The alternative certificate is for clients that do not know the first one's kind of key.
  @Sendable static func typesDiffer(_ entity: [String: JSONValue]) -> SchemaViolations? {
    guard let first = entity["cert"]?.string.flatMap(firstCertificate),
      let second = entity["cert_alt"]?.string.flatMap(firstCertificate),
      isRSA(first.publicKey) == isRSA(second.publicKey)
    else { return nil }
    return SchemaViolations(entity: [
      "certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), the provided"
        + " certificates were both of the same type"
    ])
  }

  private static func isRSA(_ key: Certificate.PublicKey) -> Bool { _RSA.Signing.PublicKey(key) != nil }

  /// A CA certificate must be one valid certificate of an authority.
  @Sendable static func isAuthority(_ entity: [String: JSONValue]) -> SchemaViolations? {
    guard let pem = entity["cert"]?.string, let certificate = firstCertificate(pem) else { return nil }
    if (try? PEMDocument.parseMultiple(pemString: pem))?.count ?? 0 > 1 {
      return SchemaViolations(entity: ["please submit only one certificate at a time"])
    }
    if certificate.notValidAfter < Date() {
      return SchemaViolations(entity: ["certificate expired, \"Not After\" time is in the past"])
    }
    if case .isCertificateAuthority? = try? certificate.extensions.basicConstraints { return nil }
    return SchemaViolations(entity: [
      "certificate does not appear to be a CA because it is missing the \"CA\" basic constraint"
    ])
  }

  /// Sets the SHA-256 of the certificate itself, in hexadecimal digits.
  @Sendable static func digest(_ entity: EntityFields) -> EntityFields {
    guard let pem = entity["cert"]?.string, let document = try? PEMDocument(pemString: pem) else { return entity }
    var entity = entity
    entity["cert_digest"] = .string(ConfigHash.hex(SHA256.hash(data: document.derBytes)))
    return entity
  }

  /// The leaf of a chain in PEM; nil for vault references and for anything that is no certificate.
  static func firstCertificate(_ pem: String) -> Certificate? {
    guard let first = (try? PEMDocument.parseMultiple(pemString: pem))?.first else { return nil }
    return try? Certificate(pemDocument: first)
  }

  /// A private key in PEM; the block with curve parameters that some tools write before it is skipped.
  static func privateKey(_ pem: String) -> Certificate.PrivateKey? {
    guard let documents = try? PEMDocument.parseMultiple(pemString: pem),
      let document = documents.first(where: { $0.discriminator.hasSuffix("PRIVATE KEY") })
    else { return nil }
    return try? Certificate.PrivateKey(pemDocument: document)
  }
}

extension ValueChecks {
  /// One or more certificates in PEM.
  @Sendable public static func certificate(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    guard let documents = try? PEMDocument.parseMultiple(pemString: text), !documents.isEmpty else {
      return "invalid certificate: not in PEM form"
    }
    for (index, document) in documents.enumerated() {
      guard document.discriminator == "CERTIFICATE" else {
        return "invalid certificate: block \(index + 1) is a '\(document.discriminator)', not a 'CERTIFICATE'"
      }
      if (try? Certificate(pemDocument: document)) == nil {
        return "invalid certificate: block \(index + 1) cannot be decoded"
      }
    }
    return nil
  }

  /// A private key in PEM.
  @Sendable public static func key(_ value: JSONValue) -> String? {
    guard let text = value.string, CertificateChecks.privateKey(text) == nil else { return nil }
    return "invalid key: not an unencrypted private key (RSA, ECDSA or Ed25519) in PEM form"
  }
}
