import NIOSSL
import PluginKit

/// What changed TLS settings were made from.
struct OverriddenTLSKey: Hashable {
  let base: String
  let override: UpstreamTLSOverride
}

extension ProxyLoop {
  private static let overrideLimit = 256

  /// The settings with a plugin's changes, made once for the same changes; many of them are forgotten together.
  ///
  /// - Throws: when a certificate or key of the plugin is not usable.
  func upstreamTLS(_ base: UpstreamTLS?, with override: UpstreamTLSOverride) throws -> UpstreamTLS {
    let key = OverriddenTLSKey(base: base?.identity ?? "", override: override)
    if let known = overriddenTLS[key] { return known }
    var configuration = base?.configuration ?? .makeClientConfiguration()
    if let verifies = override.verifies { configuration.certificateVerification = verifies ? .fullVerification : .none }
    if let trusted = override.trustedPEM {
      configuration.trustRoots = .certificates(
        try trusted.flatMap { try NIOSSLCertificate.fromPEMBytes(Array($0.utf8)) })
    }
    if let certificates = override.certificatePEM, let privateKey = override.keyPEM {
      configuration.certificateChain = try certificates.flatMap { text in
        try NIOSSLCertificate.fromPEMBytes(Array(text.utf8)).map { .certificate($0) }
      }
      configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(privateKey.utf8), format: .pem))
    }
    if overriddenTLS.count >= Self.overrideLimit { overriddenTLS.removeAll() }
    overriddenCount += 1
    let made = try UpstreamTLS(
      configuration: configuration, identity: "\(key.base)|plugin:\(overriddenCount)")
    overriddenTLS[key] = made
    return made
  }
}
