import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// How the client sockets of plugins speak TLS: whom they trust, and which versions. For the whole process; the two
/// contexts without a client certificate are made once.
public final class LuaSocketTLS: Sendable {
  private let trustRoots: NIOSSLTrustRoots
  private let minimumVersion: TLSVersion
  private let maximumVersion: TLSVersion?
  private let made = Mutex<[Bool: NIOSSLContext]>([:])

  /// - Parameters:
  ///   - trustRoots: `lua_ssl_trusted_certificate`.
  ///   - minimumVersion: `lua_ssl_protocols`, as `maximumVersion`; nil is the library's newest.
  public init(
    trustRoots: NIOSSLTrustRoots = .default, minimumVersion: TLSVersion = .tlsv12, maximumVersion: TLSVersion? = nil
  ) {
    self.trustRoots = trustRoots
    self.minimumVersion = minimumVersion
    self.maximumVersion = maximumVersion
  }

  /// A context, with a client certificate if there are `certificates`. Made on a thread of its own, since loading the
  /// trusted certificates reads files.
  func context(
    verifies: Bool, certificates: [String], key: String?, eventLoop: any EventLoop
  ) -> EventLoopFuture<NIOSSLContext> {
    NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { [self] in
      if !certificates.isEmpty { return try make(verifies: verifies, certificates: certificates, key: key) }
      if let known = made.withLock({ $0[verifies] }) { return known }
      let context = try make(verifies: verifies, certificates: [], key: nil)
      made.withLock { $0[verifies] = context }
      return context
    }
  }

  private func make(verifies: Bool, certificates: [String], key: String?) throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = minimumVersion
    configuration.maximumTLSVersion = maximumVersion
    configuration.certificateVerification = verifies ? .fullVerification : .none
    configuration.trustRoots = trustRoots
    if !certificates.isEmpty {
      configuration.certificateChain = try certificates.flatMap { text in
        try NIOSSLCertificate.fromPEMBytes(Array(text.utf8)).map { .certificate($0) }
      }
      if let key { configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)) }
    }
    return try NIOSSLContext(configuration: configuration)
  }
}
