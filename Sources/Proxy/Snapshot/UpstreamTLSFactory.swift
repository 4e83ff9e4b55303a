import EntityModel
import NIOSSL

/// Makes the TLS client settings of a service from the entities it refers to.
struct UpstreamTLSFactory {
  let certificates: [String: EntityFields]
  let authorities: [String: EntityFields]
  /// Used with `tls_verify` when the service names no CA certificates.
  let defaultRoots: NIOSSLTrustRoots

  enum Problem: Error, CustomStringConvertible {
    case unknownCertificate(String)
    case unknownAuthority(String)

    var description: String {
      switch self {
      case .unknownCertificate(let id): "client_certificate \(id) does not exist"
      case .unknownAuthority(let id): "ca_certificates \(id) does not exist"
      }
    }
  }

  /// Nil for services that do not speak TLS.
  ///
  /// Kong compatibility: an unset `tls_verify` means no verification, as with nginx's default.
  func make(for service: EntityFields) throws -> UpstreamTLS? {
    guard ["https", "grpcs", "tls", "wss"].contains(service["protocol"]?.string ?? "http") else { return nil }
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    var identity = ""
    if service["tls_verify"]?.bool == true {
      configuration.certificateVerification = .fullVerification
      let ids = service["ca_certificates"]?.array?.compactMap(\.string) ?? []
      if ids.isEmpty {
        configuration.trustRoots = defaultRoots
      } else {
        configuration.trustRoots = .certificates(try ids.flatMap { id throws -> [NIOSSLCertificate] in
          guard let authority = authorities[id] else { throw Problem.unknownAuthority(id) }
          return try NIOSSLCertificate.fromPEMBytes(Array((authority["cert"]?.string ?? "").utf8))
        })
      }
      identity = "verify:" + ids.joined(separator: ",")
    } else {
      configuration.certificateVerification = .none
    }
    if let id = service["client_certificate"]?["id"]?.string {
      guard let certificate = certificates[id] else { throw Problem.unknownCertificate(id) }
      configuration.certificateChain = try NIOSSLCertificate.fromPEMBytes(
        Array((certificate["cert"]?.string ?? "").utf8)
      ).map { .certificate($0) }
      configuration.privateKey = .privateKey(
        try NIOSSLPrivateKey(bytes: Array((certificate["key"]?.string ?? "").utf8), format: .pem))
      identity += "|client:" + id
    }
    return try UpstreamTLS(configuration: configuration, identity: identity)
  }
}
