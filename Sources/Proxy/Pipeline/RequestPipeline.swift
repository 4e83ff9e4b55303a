import EntityModel
import Logging
import NIOCore
import PluginKit

/// The walk of a request through the gateway; see docs/life-of-a-request.md.
///
/// One per client connection, used for its requests one after the other. While a request is at work the pipeline holds
/// itself, so that a plugin or an upstream that comes back late finds it. Confined to the event loop.
final class RequestPipeline: RequestDriver {
  enum Stage {
    case idle
    case rewrite
    case access
    /// Choosing, connecting to and waiting for an upstream.
    case upstream
    /// The upstream's response is being collected.
    case buffering
    /// Plugins work on the collected response.
    case response
    /// The response goes to the client.
    case sending
    case tunnel
  }

  let connection: ClientHandler
  let loop: ProxyLoop

  // MARK: The present request

  @exclusivity(unchecked) var context: RequestContext?
  /// Holds the snapshot until the request is over.
  @exclusivity(unchecked) var snapshot: RuntimeSnapshot
  @exclusivity(unchecked) var route: RouteRuntime?
  @exclusivity(unchecked) var chain = PluginChain.empty
  /// By place in the chain: the instances whose filters and log run.
  @exclusivity(unchecked) var collected: [CompiledPlugin?] = []
  /// Union of the phases of the collected instances.
  @exclusivity(unchecked) var collectedPhases: PhaseSet = []
  /// By place in the chain: access has run.
  @exclusivity(unchecked) var accessHasRun: [Bool] = []
  @exclusivity(unchecked) var stage = Stage.idle
  /// What the request's head says of its connection and body.
  @exclusivity(unchecked) var head = RequestFraming()
  @exclusivity(unchecked) var isHeadRequest = false
  @exclusivity(unchecked) private var selfReference: RequestPipeline?
  /// Tells requests of the connection apart for callbacks that come late.
  @exclusivity(unchecked) private(set) var requestNumber = 0
  @exclusivity(unchecked) var clientIsGone = false
  @exclusivity(unchecked) private var hasCountedResponse = false

  // Plugins

  /// Place of the plugin that runs or waits.
  @exclusivity(unchecked) var cursor = 0
  @exclusivity(unchecked) private var isSuspended = false
  @exclusivity(unchecked) private var isRunning = false
  /// Outcome of a plugin that went on before its call had returned.
  @exclusivity(unchecked) private var outcomeAhead: PhaseOutcome?
  /// The response that access ended with.
  @exclusivity(unchecked) var localResponse: EarlyResponse?

  // Request body

  @exclusivity(unchecked) var bodyWaiters: [(Result<Void, RequestBodyError>) -> Void] = []
  @exclusivity(unchecked) var bodyBuffer = ByteBuffer()
  @exclusivity(unchecked) var bodyStream = BodyStream.none
  /// Status the request must end with, whatever the waiting plugin does.
  @exclusivity(unchecked) var overridingStatus: Int?

  enum BodyStream {
    case none
    /// Collected for a plugin.
    case collecting
    /// The first part is collected before the upstream is asked.
    case prefetching
    case fixed
    case chunked
  }

  // Upstream

  @exclusivity(unchecked) var upstream: UpstreamHandler?
  @exclusivity(unchecked) var triedPeers: [Int] = []
  @exclusivity(unchecked) var attemptsLeft = 0
  @exclusivity(unchecked) var staleAttempts = 0
  @exclusivity(unchecked) var connectionWasReused = false
  @exclusivity(unchecked) var requestWasSent = false
  @exclusivity(unchecked) var bodyWasStreamed = false
  /// Counts attempts, for connects that end after the request has gone on.
  @exclusivity(unchecked) var attemptNumber = 0

  // Response

  @exclusivity(unchecked) var upstreamHead: HTTP1ResponseParser.Head?
  @exclusivity(unchecked) var framing = ResponseFraming.none
  /// The head waits for the first filtered bytes.
  @exclusivity(unchecked) var headIsHeld = false
  @exclusivity(unchecked) var heldBody = ByteBuffer()
  @exclusivity(unchecked) var upstreamHasBody = false

  init(connection: ClientHandler) {
    self.connection = connection
    loop = connection.loop
    snapshot = connection.loop.snapshot
  }

  var eventLoop: any EventLoop { loop.eventLoop }

  // MARK: Start

  /// Takes in the head of a new request. `bytes` is the whole head.
  func prepare(_ head: HTTP1RequestParser.Head, fields: [HeaderBlock.Entry], bytes: UnsafeRawBufferPointer) {
    var start = RequestStart()
    start.method = head.method
    start.httpVersion = head.version
    start.target = head.target
    start.headSize = head.length
    start.identifier = loop.nextRequestID()
    start.at = loop.now.uptimeNanoseconds
    start.atMilliseconds = loop.wallMilliseconds
    start.connectionRequests = connection.requestCount
    let context = RequestContext(loop: loop.services, driver: self, connection: connection.facts, start: start)
    context.requestHeaders.reset(copying: bytes, fields: fields)
    self.context = context
    self.head = RequestFraming(head)
    if snapshot !== loop.snapshot { snapshot = loop.snapshot }
    selfReference = self
    requestNumber += 1
    if case .head = head.method { isHeadRequest = true } else { isHeadRequest = false }
    loop.statistics.requestStarted()
    if head.target.isEmpty {
      context.rawTargetRange = withUnsafeBytes(of: UInt8(ascii: "/")) { context.requestHeaders.appendToArena($0) }
    }
    if let authority = head.authority {
      // RFC 9112 §3.2.2: the host of the absolute form replaces the field.
      let host = context.requestHeaders.withArena(authority) { String(decoding: $0, as: UTF8.self) }
      context.requestHeaders.set("Host", host)
    }
    if context.isPeerTrusted { RealIP.apply(to: context, configuration: loop.configuration) }
  }

  func start() {
    guard let context else { return }
    if case .fixed(let length) = head.body, isTooLarge(length) { return answerGatewayError(413, context) }
    stage = .rewrite
    do {
      try normalizePath(context)
    } catch {
      collectGlobals(context)
      return answerGatewayError(400, context)
    }
    if snapshot.globalChain.phases.contains(.rewrite) {
      runRewrite(from: 0, context)
    } else {
      findRoute(context)
    }
  }

  func isTooLarge(_ length: Int) -> Bool {
    loop.configuration.maximumBodySize > 0 && length > loop.configuration.maximumBodySize
  }

  // MARK: Plugins

  /// Runs one phase of one plugin; nil when it waits, in which case `pluginResumed` goes on.
  func run(_ plugin: CompiledPlugin, _ phase: Phase, _ context: RequestContext) -> PhaseOutcome? {
    context.enter(phase, running: plugin)
    isRunning = true
    let outcome = plugin.executor.run(phase, context)
    isRunning = false
    if case .suspended = outcome {
      if let ahead = outcomeAhead {
        outcomeAhead = nil
        return ahead
      }
      isSuspended = true
      return nil
    }
    return outcome
  }

  func pluginResumed(_ outcome: PhaseOutcome, _ context: RequestContext) {
    // A context that is not ours any more belongs to a request that is over.
    guard context === self.context else { return }
    if isRunning {
      outcomeAhead = outcome
      return
    }
    guard isSuspended else { return }
    if case .suspended = outcome { return }
    isSuspended = false
    loop.readClock()
    if clientIsGone { return finish(context) }
    switch stage {
    case .rewrite: rewriteReturned(outcome, context)
    case .access: accessReturned(outcome, context)
    case .response: responsePhaseReturned(outcome, context)
    case .idle, .upstream, .buffering, .sending, .tunnel: break
    }
  }

  /// Calls every collected plugin that has the phase, in priority order. For phases in which plugins cannot wait.
  ///
  /// - Returns: False when one of them failed.
  @discardableResult
  func runCollected(_ phase: Phase, _ context: RequestContext) -> Bool {
    guard collectedPhases.contains(phase) else { return true }
    var succeeded = true
    for plugin in collected {
      guard let plugin, plugin.phases.contains(phase) else { continue }
      context.enter(phase, running: plugin)
      if case .failed = plugin.executor.run(phase, context) { succeeded = false }
      if phase == .headerFilter, loop.configuration.exitEndsHeaderFilter, context.earlyResponse != nil { break }
    }
    return succeeded
  }

  /// The instances that run when access did not: those without route and service.
  func collectGlobals(_ context: RequestContext) {
    chain = snapshot.globalChain
    resetCollected()
    for index in chain.slots.indices {
      if let plugin = chain.slots[index].resolve(context) { collect(plugin, at: index) }
    }
  }

  func resetCollected() {
    forgetCollected()
    let count = chain.slots.count
    guard collected.count != count else { return }
    // A connection's requests mostly have the same chain, so that this is rare.
    collected = Array(repeating: nil, count: count)
    accessHasRun = Array(repeating: false, count: count)
  }

  private func forgetCollected() {
    collectedPhases = []
    for index in collected.indices where collected[index] != nil { collected[index] = nil }
    for index in accessHasRun.indices { accessHasRun[index] = false }
  }

  func collect(_ plugin: CompiledPlugin, at index: Int) {
    collected[index] = plugin
    collectedPhases.formUnion(plugin.phases)
  }

  // MARK: Ends

  /// The client's connection is gone.
  func clientClosed() {
    guard let context, stage != .idle else { return }
    clientIsGone = true
    closeUpstream()
    if isSuspended {
      // The waiting plugin ends first; it may be waiting for the very body that will not come.
      failBodyWaiters(.clientClosed)
      return
    }
    if !context.response.headersSent { context.response.status = 499 }
    finish(context)
  }

  /// Log phase and access log, once per request; then the connection goes on.
  func finish(_ context: RequestContext) {
    guard context === self.context, stage != .idle else { return }
    stage = .idle
    context.endedAt = loop.now.uptimeNanoseconds
    if clientIsGone, context.response.status == 0 { context.response.status = 499 }
    runCollected(.log, context)
    if let accessLog = loop.accessLog { AccessLogLine.finished(context, writer: accessLog, loop: loop) }
    loop.statistics.requestFinished(hadResponse: hasCountedResponse)
    reset()
    let keepsSelf = selfReference
    selfReference = nil
    connection.responseFinished()
    _ = keepsSelf
  }

  func countResponse() {
    guard !hasCountedResponse else { return }
    hasCountedResponse = true
    loop.statistics.responseStarted()
  }

  private func reset() {
    context = nil
    route = nil
    if !chain.slots.isEmpty {
      chain = .empty
      forgetCollected()
    }
    isSuspended = false
    outcomeAhead = nil
    if localResponse != nil { localResponse = nil }
    hasCountedResponse = false
    if !bodyWaiters.isEmpty { bodyWaiters.removeAll() }
    if bodyBuffer.capacity > 0 { bodyBuffer = ByteBuffer() }
    bodyStream = .none
    overridingStatus = nil
    if !triedPeers.isEmpty { triedPeers.removeAll(keepingCapacity: true) }
    staleAttempts = 0
    requestWasSent = false
    bodyWasStreamed = false
    upstreamHead = nil
    framing = .none
    headIsHeld = false
    if heldBody.capacity > 0 { heldBody = ByteBuffer() }
    upstreamHasBody = false
  }

  /// Ends the client's connection in the middle of a response: the only way left to say that it is not whole.
  func abortResponse(_ context: RequestContext) {
    closeUpstream()
    connection.closeAfterResponse()
    connection.flush()
    clientIsGone = true
    let connection = self.connection
    finish(context)
    connection.abort()
  }

  func closeUpstream() {
    attemptNumber += 1
    if let upstream {
      self.upstream = nil
      upstream.close()
    }
  }
}

extension CompiledPlugin: RunningPlugin {}
