import EntityModel
import Logging
import NIOSSL

/// The TLS server settings of a snapshot's certificates, found by server name.
///
/// Order: exact name, `*.rest`, `prefix.*`, the SNI named `*`. Source: Kong fact, proxy-behaviour §9.
struct CertificateStore: Sendable {
  private let servers: [String: ServerTLS]

  static let empty = CertificateStore(servers: [:])

  private init(servers: [String: ServerTLS]) { self.servers = servers }

  /// Settings are made once per certificate; one that cannot be used is left out with a log line, so that a single bad
  /// certificate does not stop the rest.
  init(config: ConfigSnapshot, logger: Logger) {
    var servers: [String: ServerTLS] = [:]
    var certificates: [String: EntityFields] = [:]
    for certificate in config["certificates"] {
      if let id = certificate["id"]?.string { certificates[id] = certificate }
    }
    var made: [String: ServerTLS] = [:]
    for sni in config["snis"] {
      guard let name = sni["name"]?.string, let id = sni["certificate"]?["id"]?.string,
        let certificate = certificates[id]
      else { continue }
      do {
        let server = try made[id] ?? Self.server(for: certificate)
        made[id] = server
        servers[name.lowercased()] = server
      } catch {
        logger.error("certificate \(id) of SNI '\(name)' cannot be used: \(error)")
      }
    }
    self.servers = servers
  }

  private static func server(for certificate: EntityFields) throws -> ServerTLS {
    let chain = try NIOSSLCertificate.fromPEMBytes(Array((certificate["cert"]?.string ?? "").utf8))
    let key = try NIOSSLPrivateKey(bytes: Array((certificate["key"]?.string ?? "").utf8), format: .pem)
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    return try ServerTLS(configuration: configuration)
  }

  var isEmpty: Bool { servers.isEmpty }

  /// The settings for a server name; nil means the default certificate.
  func server(named name: String?) -> ServerTLS? {
    if servers.isEmpty { return nil }
    if let name = name?.lowercased() {
      if let exact = servers[name] { return exact }
      let labels = name.split(separator: ".", omittingEmptySubsequences: false)
      if labels.count > 1 {
        if let wildcard = servers["*." + labels.dropFirst().joined(separator: ".")] { return wildcard }
        if let wildcard = servers[labels.dropLast().joined(separator: ".") + ".*"] { return wildcard }
      }
    } else {
      return nil
    }
    return servers["*"]
  }
}
