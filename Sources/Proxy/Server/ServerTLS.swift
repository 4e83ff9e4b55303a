import NIOSSL
import PluginKit

/// How a TLS listener speaks under one certificate.
public final class ServerTLS: Sendable {
  let context: NIOSSLContext
  private let configuration: TLSConfiguration

  /// - Throws: when the certificate or its key cannot be used.
  public init(configuration: TLSConfiguration) throws {
    context = try NIOSSLContext(configuration: configuration)
    self.configuration = configuration
  }

  /// A context for one handshake of which plugins have asked something.
  ///
  /// The keys of session tickets belong to a context, so that no session of this one can be resumed, and each client
  /// that is asked for a certificate shows all of its chain.
  /// - Throws: when an authority is no certificate.
  func context(for demands: TLSHandshakeDemands) throws -> NIOSSLContext {
    guard demands.asksForCertificate || demands.refusesResumption else { return context }
    var configuration = configuration
    if demands.asksForCertificate {
      configuration.certificateVerification = .optionalVerification
      configuration.trustRoots = .certificates(
        try demands.authorities.flatMap { try NIOSSLCertificate.fromPEMBytes(Array($0.utf8)) })
      configuration.sendCANameList = !demands.authorities.isEmpty
    }
    return try NIOSSLContext(configuration: configuration)
  }
}

/// The certificates that a client shows in its handshake. Confined to the event loop of the connection.
///
/// All are taken: to judge them is the plugin's part that asked for them, as in Kong.
final class PresentedCertificates {
  private(set) var der: [[UInt8]] = []

  func take(_ certificates: [NIOSSLCertificate]) {
    der = certificates.compactMap { try? $0.toDERBytes() }
  }
}
