import NIOSSL
import PluginKit

extension OutboundTLS {
  /// A certificate or key that cannot be read.
  struct Problem: Error, CustomStringConvertible {
    let description: String
  }

  /// The settings of the TLS library.
  ///
  /// - Parameter trustRoots: What servers are verified with, where the plugin names nothing else.
  func configuration(trustRoots: NIOSSLTrustRoots) throws(Problem) -> TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    configuration.certificateVerification = verifies ? .fullVerification : .none
    do {
      configuration.trustRoots =
        trustedPEM.isEmpty
        ? trustRoots
        : .certificates(try trustedPEM.flatMap { try NIOSSLCertificate.fromPEMBytes(Array($0.utf8)) })
      if let certificate = clientCertificatePEM, let key = clientKeyPEM {
        configuration.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)).map {
          .certificate($0)
        }
        configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem))
      }
    } catch {
      throw Problem(description: "a certificate or key cannot be read: \(error)")
    }
    return configuration
  }
}
