import EntityModel
import NIOSSL

/// Makes the TLS client settings of a service from the entities it refers to.
struct UpstreamTLSFactory {
  let certificates: [String: EntityFields]
  let authorities: [String: EntityFields]
  /// Used with `tls_verify` when the service names no CA certificates.
  let defaultRoots: NIOSSLTrustRoots
  /// What was made, by its identity: services with the same settings share a context.
  private var made: [String: UpstreamTLS] = [:]

  init(
    certificates: [String: EntityFields], authorities: [String: EntityFields], defaultRoots: NIOSSLTrustRoots
  ) {
    self.certificates = certificates
    self.authorities = authorities
    self.defaultRoots = defaultRoots
  }

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
  mutating func make(for service: EntityFields) throws -> UpstreamTLS? {
    guard ["https", "grpcs", "tls", "wss"].contains(service["protocol"]?.string ?? "http") else { return nil }
    let verifies = service["tls_verify"]?.bool == true
    let authorityIDs = verifies ? service["ca_certificates"]?.array?.compactMap(\.string) ?? [] : []
    let clientID = service["client_certificate"]?["id"]?.string
    let identity =
      (verifies ? "verify:" + authorityIDs.joined(separator: ",") : "") + (clientID.map { "|client:" + $0 } ?? "")
    if let known = made[identity] { return known }
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    configuration.certificateVerification = verifies ? .fullVerification : .none
    if verifies {
      configuration.trustRoots =
        authorityIDs.isEmpty ? defaultRoots : .certificates(try authorityIDs.flatMap(authority))
    }
    if let clientID {
      guard let certificate = certificates[clientID] else { throw Problem.unknownCertificate(clientID) }
      configuration.certificateChain = try NIOSSLCertificate.fromPEMBytes(
        Array((certificate["cert"]?.string ?? "").utf8)
      ).map { .certificate($0) }
      configuration.privateKey = .privateKey(
        try NIOSSLPrivateKey(bytes: Array((certificate["key"]?.string ?? "").utf8), format: .pem))
    }
    let tls = try UpstreamTLS(configuration: configuration, identity: identity)
    made[identity] = tls
    return tls
  }

  private func authority(_ id: String) throws -> [NIOSSLCertificate] {
    guard let entity = authorities[id] else { throw Problem.unknownAuthority(id) }
    return try NIOSSLCertificate.fromPEMBytes(Array((entity["cert"]?.string ?? "").utf8))
  }
}
