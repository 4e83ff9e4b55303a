import EntityModel
import Logging
import NIOSSL

/// The TLS server contexts of a snapshot's certificates, found by server name.
///
/// Order: exact name, `*.rest`, `prefix.*`, the SNI named `*`. Source: Kong fact, proxy-behaviour §9.
struct CertificateStore: Sendable {
  private let contexts: [String: NIOSSLContext]

  static let empty = CertificateStore(contexts: [:])

  private init(contexts: [String: NIOSSLContext]) { self.contexts = contexts }

  /// Contexts are made once per certificate; one that cannot be used is left out with a log line, so that a single bad
  /// certificate does not stop the rest.
  init(config: ConfigSnapshot, logger: Logger) {
    var contexts: [String: NIOSSLContext] = [:]
    var certificates: [String: EntityFields] = [:]
    for certificate in config["certificates"] {
      if let id = certificate["id"]?.string { certificates[id] = certificate }
    }
    var made: [String: NIOSSLContext] = [:]
    for sni in config["snis"] {
      guard let name = sni["name"]?.string, let id = sni["certificate"]?["id"]?.string,
        let certificate = certificates[id]
      else { continue }
      do {
        let context = try made[id] ?? Self.context(for: certificate)
        made[id] = context
        contexts[name.lowercased()] = context
      } catch {
        logger.error("certificate \(id) of SNI '\(name)' cannot be used: \(error)")
      }
    }
    self.contexts = contexts
  }

  private static func context(for certificate: EntityFields) throws -> NIOSSLContext {
    let chain = try NIOSSLCertificate.fromPEMBytes(Array((certificate["cert"]?.string ?? "").utf8))
    let key = try NIOSSLPrivateKey(bytes: Array((certificate["key"]?.string ?? "").utf8), format: .pem)
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    return try NIOSSLContext(configuration: configuration)
  }

  var isEmpty: Bool { contexts.isEmpty }

  /// The context for a server name; nil means the default certificate.
  func context(forServerName name: String?) -> NIOSSLContext? {
    if contexts.isEmpty { return nil }
    if let name = name?.lowercased() {
      if let exact = contexts[name] { return exact }
      let labels = name.split(separator: ".", omittingEmptySubsequences: false)
      if labels.count > 1 {
        if let wildcard = contexts["*." + labels.dropFirst().joined(separator: ".")] { return wildcard }
        if let wildcard = contexts[labels.dropLast().joined(separator: ".") + ".*"] { return wildcard }
      }
    } else {
      return nil
    }
    return contexts["*"]
  }
}
