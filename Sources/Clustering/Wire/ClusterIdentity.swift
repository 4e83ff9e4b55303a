import Crypto
import Foundation
import NIOCore
import NIOSSL
import X509

/// Why the cluster certificate or its key cannot be used.
public struct ClusterIdentityError: Error, Sendable, CustomStringConvertible {
  public let description: String
}

/// The certificate and key that every node of a cluster holds, ready for both ends of a connection.
///
/// In shared mode a peer is trusted if and only if it presents this very certificate, compared by SHA-256 digest
/// (Kong fact, hybrid §2); the handshake proves that it holds the key.
public struct ClusterIdentity: Sendable {
  /// End of the certificate's life.
  public let expiry: Date
  private let digest: SHA256Digest
  private let serverContext: NIOSSLContext
  private let clientContext: NIOSSLContext

  static let serverName = ClusterCertificate.commonName

  public init(certificatePEM: String, keyPEM: String) throws(ClusterIdentityError) {
    do {
      let chain = try NIOSSLCertificate.fromPEMBytes(Array(certificatePEM.utf8))
      guard let leaf = chain.first else {
        throw ClusterIdentityError(description: "cluster_cert holds no certificate")
      }
      let der = try leaf.toDERBytes()
      digest = SHA256.hash(data: der)
      expiry = try Certificate(derEncoded: der).notValidAfter
      let key = try NIOSSLPrivateKey(bytes: Array(keyPEM.utf8), format: .pem)
      var server = TLSConfiguration.makeServerConfiguration(
        certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
      server.certificateVerification = .noHostnameVerification
      server.trustRoots = .certificates([leaf])
      server.minimumTLSVersion = .tlsv12
      serverContext = try NIOSSLContext(configuration: server)
      var client = TLSConfiguration.makeClientConfiguration()
      client.certificateChain = chain.map { .certificate($0) }
      client.privateKey = .privateKey(key)
      client.certificateVerification = .noHostnameVerification
      client.trustRoots = .certificates([leaf])
      client.minimumTLSVersion = .tlsv12
      clientContext = try NIOSSLContext(configuration: client)
    } catch let error as ClusterIdentityError {
      throw error
    } catch {
      throw ClusterIdentityError(description: "cluster_cert and cluster_cert_key cannot be used: \(error)")
    }
  }

  private func isTrusted(_ certificates: [NIOSSLCertificate]) -> Bool {
    guard let der = try? certificates.first?.toDERBytes() else { return false }
    return SHA256.hash(data: der) == digest
  }

  /// The TLS end of a control plane; `rejected` runs when a peer shows another certificate.
  func makeServerHandler(rejected: @escaping @Sendable () -> Void) -> NIOSSLServerHandler {
    NIOSSLServerHandler(context: serverContext) { certificates, promise in
      let isTrusted = isTrusted(certificates)
      if !isTrusted { rejected() }
      promise.succeed(isTrusted ? .certificateVerified : .failed)
    }
  }

  /// The TLS end of a data plane.
  func makeClientHandler() throws -> NIOSSLClientHandler {
    try NIOSSLClientHandler(context: clientContext, serverHostname: Self.serverName) { certificates, promise in
      promise.succeed(isTrusted(certificates) ? .certificateVerified : .failed)
    }
  }
}
