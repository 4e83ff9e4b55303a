import Crypto
import SwiftASN1
import X509

/// Checks of certificates and their keys.
enum CertificateChecks {
  /// The certificate and the key under the given names must belong together.
  static func keyMatches(
    _ entity: [String: JSONValue], certificate: String, key: String
  ) -> SchemaViolations? {
    guard let certificateText = entity[certificate]?.string, let keyText = entity[key]?.string,
      !VaultReference.isReference(certificateText), !VaultReference.isReference(keyText),
      let parsed = try? Certificate(pemEncoded: certificateText),
      let privateKey = try? Certificate.PrivateKey(pemEncoded: keyText)
    else { return nil }
    return parsed.publicKey == privateKey.publicKey
      ? nil : SchemaViolations(entity: ["certificate does not match key"])
  }

  /// The alternative certificate is for clients that do not know the first one's kind of key.
  @Sendable static func typesDiffer(_ entity: [String: JSONValue]) -> SchemaViolations? {
    guard let first = entity["cert"]?.string, let second = entity["cert_alt"]?.string,
      let firstKind = kind(of: first), let secondKind = kind(of: second), firstKind == secondKind
    else { return nil }
    return SchemaViolations(entity: [
      "cert and cert_alt mustn't be of the same type: both use \(firstKind) keys"
    ])
  }

  private static func kind(of pem: String) -> String? {
    guard !VaultReference.isReference(pem), let certificate = try? Certificate(pemEncoded: pem) else { return nil }
    let key = String(describing: certificate.publicKey)
    return key.hasPrefix("RSA") ? "RSA" : key.hasPrefix("Ed25519") ? "Ed25519" : "ECDSA"
  }

  /// A CA certificate must be one certificate, of an authority.
  @Sendable static func isAuthority(_ entity: [String: JSONValue]) -> SchemaViolations? {
    guard let pem = entity["cert"]?.string, !VaultReference.isReference(pem),
      let documents = try? PEMDocument.parseMultiple(pemString: pem), let first = documents.first,
      let certificate = try? Certificate(pemDocument: first)
    else { return nil }
    if documents.count > 1 {
      return SchemaViolations(entity: ["please submit only one certificate at a time"])
    }
    switch try? certificate.extensions.basicConstraints {
    case .isCertificateAuthority?: return nil
    default:
      return SchemaViolations(entity: [
        "certificate does not appear to be a CA because it is missing the \"CA\" basic constraint"
      ])
    }
  }

  /// The SHA-256 of the certificate itself, in hexadecimal digits.
  @Sendable static func digest(_ entity: EntityFields) -> EntityFields {
    guard let pem = entity["cert"]?.string, let document = try? PEMDocument(pemString: pem) else { return entity }
    var entity = entity
    entity["cert_digest"] = .string(ConfigHash.hex(SHA256.hash(data: document.derBytes)))
    return entity
  }
}

extension ValueChecks {
  /// One or more certificates in PEM.
  @Sendable public static func certificate(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    do {
      let documents = try PEMDocument.parseMultiple(pemString: text)
      guard !documents.isEmpty else { return "invalid certificate: no PEM block found" }
      for document in documents { _ = try Certificate(pemDocument: document) }
      return nil
    } catch {
      return "invalid certificate: \(error)"
    }
  }

  /// A private key in PEM.
  @Sendable public static func key(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    do {
      _ = try Certificate.PrivateKey(pemEncoded: text)
      return nil
    } catch {
      return "invalid key: \(error)"
    }
  }
}
