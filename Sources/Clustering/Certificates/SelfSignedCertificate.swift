import Crypto
import Foundation
import SwiftASN1
import X509

/// A certificate with its private key, both as PEM text.
public struct CertificatePair: Sendable {
  public let certificatePEM: String
  public let keyPEM: String

  public init(certificatePEM: String, keyPEM: String) {
    self.certificatePEM = certificatePEM
    self.keyPEM = keyPEM
  }
}

/// The certificate that all nodes of a cluster share (Kong fact, hybrid §2): EC P-384, self-signed, `kong_clustering`.
public enum ClusterCertificate {
  public static let commonName = "kong_clustering"

  /// - Parameter days: how long the certificate is valid; Kong's default is 1095.
  public static func generate(days: Int = 1095) throws -> CertificatePair {
    let key = P384.Signing.PrivateKey()
    let certificate = try SelfSignedCertificate.make(
      commonName: commonName, days: days, key: Certificate.PrivateKey(key),
      extensions: Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
      })
    return CertificatePair(
      certificatePEM: try certificate.serializeAsPEM().pemString + "\n", keyPEM: key.pemRepresentation + "\n")
  }

  /// Writes both files, the certificate with mode 0644 and the key with 0600. An existing file is an error and stays as
  /// it is.
  public static func writePair(
    _ pair: CertificatePair, certificatePath: String, keyPath: String
  ) throws(FileFailure) {
    try OwnedFile.create(certificatePath, contents: Array(pair.certificatePEM.utf8), mode: 0o644)
    do throws(FileFailure) {
      try OwnedFile.create(keyPath, contents: Array(pair.keyPEM.utf8), mode: 0o600)
    } catch {
      OwnedFile.remove(certificatePath)
      throw error
    }
  }
}

/// The certificate of a TLS listener that was given none.
public enum SelfSignedCertificate {
  /// EC P-256, for `commonName` and the loopback addresses, valid for twenty years.
  public static func generate(commonName: String = "localhost") throws -> CertificatePair {
    let key = P256.Signing.PrivateKey()
    let names: [GeneralName] = [
      .dnsName(commonName),
      .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
      .ipAddress(ASN1OctetString(contentBytes: ArraySlice([UInt8](repeating: 0, count: 15) + [1]))),
    ]
    let certificate = try make(
      commonName: commonName, days: 7300, key: Certificate.PrivateKey(key),
      extensions: Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        try ExtendedKeyUsage([.serverAuth])
        SubjectAlternativeNames(names)
      })
    return CertificatePair(
      certificatePEM: try certificate.serializeAsPEM().pemString + "\n", keyPEM: key.pemRepresentation + "\n")
  }

  static func make(
    commonName: String, days: Int, key: Certificate.PrivateKey, extensions: Certificate.Extensions
  ) throws -> Certificate {
    let name = try DistinguishedName { CommonName(commonName) }
    let now = Date()
    // A little in the past, for the clocks of a cluster differ.
    return try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
      notValidBefore: now.addingTimeInterval(-300),
      notValidAfter: now.addingTimeInterval(Double(min(max(days, 1), 36500)) * 86400), issuer: name, subject: name,
      extensions: extensions, issuerPrivateKey: key)
  }
}
