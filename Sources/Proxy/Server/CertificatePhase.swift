import NIOCore
import PluginKit

/// Runs the certificate phase of the instances without route and service during one TLS handshake. Confined to its
/// event loop; holds itself while a plugin waits.
///
/// Source: Kong fact, plugin-entity §4.
final class CertificatePhase: RequestDriver {
  private let loop: ProxyLoop
  private let snapshot: RuntimeSnapshot
  private let facts: ConnectionFacts
  private var context: RequestContext?
  private var cursor = 0
  private var isRunning = false
  /// Outcome of a plugin that went on before its call had returned.
  private var outcomeAhead: PhaseOutcome?
  private var completion: ((TLSHandshakeDemands?) -> Void)?
  private var selfReference: CertificatePhase?

  init(loop: ProxyLoop, snapshot: RuntimeSnapshot, facts: ConnectionFacts) {
    self.loop = loop
    self.snapshot = snapshot
    self.facts = facts
  }

  var eventLoop: any EventLoop { loop.eventLoop }

  /// Calls `completion` once with what plugins ask of the handshake; with nil when one of them has failed, which ends
  /// the handshake.
  func run(_ completion: @escaping (TLSHandshakeDemands?) -> Void) {
    var start = RequestStart()
    start.at = loop.now.uptimeNanoseconds
    start.atMilliseconds = loop.wallMilliseconds
    let context = RequestContext(loop: loop.services, driver: self, connection: facts, start: start)
    context.handshake = TLSHandshakeDemands()
    self.context = context
    self.completion = completion
    selfReference = self
    runPlugins(context)
  }

  private func runPlugins(_ context: RequestContext) {
    let slots = snapshot.globalChain.slots
    while cursor < slots.count {
      if let plugin = slots[cursor].resolve(context), plugin.phases.contains(.certificate) {
        context.enter(.certificate, running: plugin)
        isRunning = true
        var outcome = plugin.executor.run(.certificate, context)
        isRunning = false
        if case .suspended = outcome {
          guard let ahead = outcomeAhead else { return }
          outcomeAhead = nil
          outcome = ahead
        }
        if ends(outcome, context) { return finish(nil) }
      }
      cursor += 1
    }
    finish(context.handshake)
  }

  func pluginResumed(_ outcome: PhaseOutcome, _ context: RequestContext) {
    guard context === self.context else { return }
    if isRunning {
      outcomeAhead = outcome
      return
    }
    loop.readClock()
    if ends(outcome, context) { return finish(nil) }
    cursor += 1
    runPlugins(context)
  }

  private func ends(_ outcome: PhaseOutcome, _ context: RequestContext) -> Bool {
    if case .failed = outcome { return true }
    return context.handshake?.isRefused == true
  }

  private func finish(_ demands: TLSHandshakeDemands?) {
    guard let completion else { return }
    self.completion = nil
    context = nil
    let keepsSelf = selfReference
    selfReference = nil
    completion(demands)
    _ = keepsSelf
  }

  /// There is no request yet.
  func readRequestBody(_ context: RequestContext, _ completion: @escaping (Result<Void, RequestBodyError>) -> Void) {
    completion(.failure(.clientClosed))
  }
}
