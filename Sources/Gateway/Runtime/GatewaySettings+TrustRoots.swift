import Foundation
import NIOSSL

extension GatewaySettings {
  /// Where systems keep the certificates of their authorities, in the order of Kong's search (`kong.conf`,
  /// `lua_ssl_trusted_certificate`).
  private static let systemPaths = [
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
  ]

  /// The authorities of `lua_ssl_trusted_certificate`.
  ///
  /// - Throws: `GatewayError` naming what cannot be read.
  func trustRoots() throws(GatewayError) -> NIOSSLTrustRoots {
    let sources = self.luaSSLTrustedCertificate
    if sources == [.system] { return .default }
    var certificates: [NIOSSLCertificate] = []
    for source in sources {
      do {
        switch source {
        case .system: certificates += try systemCertificates()
        case .given(let pem):
          let found = try NIOSSLCertificate.fromPEMBytes(Array(try pem.read(relativeTo: self.prefix).utf8))
          if found.isEmpty { throw GatewayError("there is no certificate in it") }
          certificates += found
        }
      } catch {
        throw GatewayError("lua_ssl_trusted_certificate: \(source.shown) cannot be used: \(error)")
      }
    }
    return .certificates(certificates)
  }

  private func systemCertificates() throws -> [NIOSSLCertificate] {
    guard let path = Self.systemPaths.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
      throw GatewayError("the system has none in any of the usual places")
    }
    return try NIOSSLCertificate.fromPEMFile(path)
  }
}
