import NIOCore
import NIOSSL
import NIOTLS
import PluginKit

/// The beginning of a TLS connection: reads the server name, runs the certificate phase where a plugin has one, and
/// chooses the certificate. Confined to the channel's event loop.
struct TLSAcceptor {
  let channel: any Channel
  let loop: ProxyLoop

  /// Why a connection ends before its handshake.
  private enum Refusal: Error {
    case noCertificate
    case pluginFailed
    case closed
  }

  /// A fatal alert `internal_error` in a record of its own, before any keys are agreed on (RFC 8446 §6).
  private static let alert: [UInt8] = [21, 3, 3, 0, 2, 2, 80]

  func begin() throws {
    let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
    try channel.pipeline.syncOperations.addHandler(
      ByteToMessageHandler(
        SNIHandler { result in
          var name: String?
          if case .hostname(let host) = result { name = host.lowercased() }
          return bound.value.received(serverName: name)
        }))
  }

  private func received(serverName: String?) -> EventLoopFuture<Void> {
    let facts = ConnectionFacts(channel: channel, isTLS: true, serverName: serverName, loop: loop)
    let snapshot = loop.snapshot
    let channel = channel
    guard snapshot.globalChain.phases.contains(.certificate) else {
      let secured = channel.eventLoop.makeCompletedFuture { try secure(facts, snapshot, nil) }
      secured.whenFailure { _ in channel.close(promise: nil) }
      return secured
    }
    let bound = NIOLoopBound((self, facts, snapshot), eventLoop: channel.eventLoop)
    let promise = channel.eventLoop.makePromise(of: Void.self)
    loop.readClock()
    CertificatePhase(loop: loop, snapshot: snapshot, facts: facts).run { demands in
      let (acceptor, facts, snapshot) = bound.value
      do {
        guard let demands else { throw Refusal.pluginFailed }
        try acceptor.secure(facts, snapshot, demands)
        promise.succeed()
      } catch {
        acceptor.refuse()
        promise.fail(error)
      }
    }
    return promise.futureResult
  }

  private func secure(_ facts: ConnectionFacts, _ snapshot: RuntimeSnapshot, _ demands: TLSHandshakeDemands?) throws {
    // The client may have gone while a plugin waited.
    guard channel.isActive else { throw Refusal.closed }
    guard let server = snapshot.certificates.server(named: facts.serverName) ?? loop.configuration.defaultTLS else {
      loop.logger.error("no certificate for server name '\(facts.serverName ?? "")' and no default certificate")
      throw Refusal.noCertificate
    }
    let pipeline = channel.pipeline.syncOperations
    guard let demands else {
      return try pipeline.addHandlers(
        NIOSSLServerHandler(context: server.context), ClientHandler(loop: loop, connection: facts))
    }
    let context: NIOSSLContext
    do {
      context = try server.context(for: demands)
    } catch {
      loop.logger.error("the TLS handshake that a plugin asked for cannot be made: \(error)")
      throw error
    }
    guard demands.asksForCertificate else {
      return try pipeline.addHandlers(
        NIOSSLServerHandler(context: context), ClientHandler(loop: loop, connection: facts))
    }
    let presented = PresentedCertificates()
    let bound = NIOLoopBound(presented, eventLoop: channel.eventLoop)
    let handler = NIOSSLServerHandler(
      context: context,
      customVerificationCallback: { certificates, promise in
        bound.value.take(certificates)
        promise.succeed(.certificateVerified)
      })
    try pipeline.addHandlers(
      handler, ClientHandler(loop: loop, connection: facts, presentedCertificates: presented))
  }

  /// Tells the client that its handshake has failed, and closes.
  private func refuse() {
    let channel = channel
    channel.writeAndFlush(ByteBuffer(bytes: Self.alert)).whenComplete { _ in channel.close(promise: nil) }
  }
}
