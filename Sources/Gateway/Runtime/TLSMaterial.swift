import Clustering
import Foundation
import NIOSSL

/// Certificates of the gateway's own listeners.
struct TLSMaterial: Sendable {
  let settings: GatewaySettings

  /// The TLS settings of a listener with the given certificate, or with the self-signed one of the prefix.
  func serverConfiguration(certificates: [PEMSource], keys: [PEMSource]) throws -> TLSConfiguration {
    let certificate: String
    let key: String
    if let first = certificates.first, let firstKey = keys.first {
      certificate = try first.read(relativeTo: settings.prefix)
      key = try firstKey.read(relativeTo: settings.prefix)
    } else {
      (certificate, key) = try selfSigned()
    }
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)).map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)))
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    return configuration
  }

  /// The certificate under `<prefix>/ssl`, made at the first need.
  private func selfSigned() throws -> (certificate: String, key: String) {
    let certificatePath = settings.prefix + "/ssl/default.crt"
    let keyPath = settings.prefix + "/ssl/default.key"
    if let certificate = try? String(contentsOfFile: certificatePath, encoding: .utf8),
      let key = try? String(contentsOfFile: keyPath, encoding: .utf8)
    {
      return (certificate, key)
    }
    try FileManager.default.createDirectory(
      atPath: settings.prefix + "/ssl", withIntermediateDirectories: true)
    let pair = try SelfSignedCertificate.generate()
    try? FileManager.default.removeItem(atPath: certificatePath)
    try? FileManager.default.removeItem(atPath: keyPath)
    try ClusterCertificate.writePair(pair, certificatePath: certificatePath, keyPath: keyPath)
    return (pair.certificatePEM, pair.keyPEM)
  }
}
