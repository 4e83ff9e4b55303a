import EntityModel
import Expressions
import NIOCore

/// One request on its way through the gateway: what the pipeline, Swift plugins and the Lua plugin API all work on.
///
/// Confined to the event loop of its client connection. What every request uses has accessors that are compiled into
/// their callers, so that those get direct accesses without a check at run time. There is one set of request headers:
/// what a plugin sets for the upstream is what later plugins read, as in Kong.
public final class RequestContext {
  public let loop: LoopServices

  /// Performs what the context asks for (reading the body, going on after a wait). Owned by the connection.
  ///
  /// The driver holds the context only until the request is over, so that neither keeps the other for good.
  public let driver: any RequestDriver

  /// What is the same for all requests of the client connection.
  @exclusivity(unchecked) private var connection: ConnectionFacts
  /// Scalars of the hot path. Private, so that the compiler sees every access and none needs a check at run time.
  @exclusivity(unchecked) private var scalars: Scalars

  private struct Scalars {
    var phase = Phase.rewrite
    var method = HTTPMethod.get
    var httpVersion = 11
    var rawTargetRange = 0..<0
    /// Length of the target up to its `?`; -1 while nobody has looked.
    var rawPathLength = -1
    var connectionRequests = 0
    var requestHeadSize = 0
    var requestBodySize = 0
    var clientPort = 0
    var strippedPrefixLength = 0
    var buffersResponse = false
    var startedAtMilliseconds: Int64 = 0
    var startedAt: UInt64 = 0
    var accessEndedAt: UInt64 = 0
    var upstreamRespondedAt: UInt64 = 0
    var endedAt: UInt64 = 0
  }

  /// The phase that runs now; plugin API calls check it.
  public internal(set) var phase: Phase {
    get { scalars.phase }
    set { scalars.phase = newValue }
  }

  // MARK: Connection

  /// Peer of the TCP connection, and its address after real-ip processing.
  public var peerIP: String {
    get { connection.peerIP }
    set { connection = connection.with { $0.peerIP = newValue } }
  }
  public var peerPort: Int {
    get { connection.peerPort }
    set { connection = connection.with { $0.peerPort = newValue } }
  }
  public var clientIP: String {
    get { rare?.clientIP ?? connection.peerIP }
    set { made.clientIP = newValue }
  }
  public var clientPort: Int {
    get { scalars.clientPort }
    set { scalars.clientPort = newValue }
  }
  /// Whether real-ip processing has replaced the peer's address.
  public var hasOwnClientIP: Bool { rare?.clientIP != nil }
  /// Address of the listening socket the client reached.
  public var localIP: String {
    get { connection.localIP }
    set { connection = connection.with { $0.localIP = newValue } }
  }
  public var localPort: Int {
    get { connection.localPort }
    set { connection = connection.with { $0.localPort = newValue } }
  }
  /// Port under which the listener is reached from outside, where a port map says that it differs from `localPort`.
  public var publishedPort: Int? {
    get { connection.publishedPort }
    set { connection = connection.with { $0.publishedPort = newValue } }
  }
  /// The peer is in `trusted_ips`: its `X-Forwarded-*` headers are believed.
  public var isPeerTrusted: Bool {
    get { connection.isPeerTrusted }
    set { connection = connection.with { $0.isPeerTrusted = newValue } }
  }
  public var isTLS: Bool {
    get { connection.isTLS }
    set { connection = connection.with { $0.isTLS = newValue } }
  }
  /// Server name of the TLS handshake.
  public var tlsServerName: String? {
    get { connection.serverName }
    set { connection = connection.with { $0.serverName = newValue } }
  }
  public var tlsVersion: String? {
    get { connection.tlsVersion }
    set { connection = connection.with { $0.tlsVersion = newValue } }
  }
  public var tlsCipher: String? {
    get { connection.tlsCipher }
    set { connection = connection.with { $0.tlsCipher = newValue } }
  }
  /// DER of the certificates that the client has shown, its own first; empty without.
  public var clientCertificates: [[UInt8]] {
    get { connection.clientCertificates }
    set { connection = connection.with { $0.clientCertificates = newValue } }
  }
  /// What plugins ask of the TLS handshake; nil after the certificate phase.
  public var handshake: TLSHandshakeDemands?
  /// What a plugin has found about the client's certificate: `SUCCESS`, `NONE` or `FAILED:` and a reason.
  public var clientCertificateVerification: String? {
    get { rare?.clientCertificateVerification }
    set { made.clientCertificateVerification = newValue }
  }
  /// Serial number of the client connection within the process.
  public var connectionNumber: UInt64 {
    get { connection.number }
    set { connection = connection.with { $0.number = newValue } }
  }
  /// Number of this request on its connection, from 1.
  public var connectionRequests: Int {
    get { scalars.connectionRequests }
    set { scalars.connectionRequests = newValue }
  }

  // MARK: Request

  /// 32 lower-case hexadecimal digits.
  public var requestID: String {
    get {
      if let text = rare?.requestID { return text }
      let text = identifier.text
      made.requestID = text
      return text
    }
    set { made.requestID = newValue }
  }
  private let identifier: RequestIdentifier

  public var method: HTTPMethod {
    get { scalars.method }
    set { scalars.method = newValue }
  }
  /// 10, 11 or 20.
  public var httpVersion: Int {
    get { scalars.httpVersion }
    set { scalars.httpVersion = newValue }
  }
  /// The request target as received: range in the arena of `requestHeaders`.
  public var rawTargetRange: Range<Int> {
    get { scalars.rawTargetRange }
    set {
      scalars.rawTargetRange = newValue
      scalars.rawPathLength = -1
    }
  }
  /// The part of the target before its first `?`.
  public var rawPathRange: Range<Int> {
    let target = scalars.rawTargetRange
    if scalars.rawPathLength < 0 {
      scalars.rawPathLength = requestHeaders.withArena(target) { bytes in
        var end = min(1, bytes.count)
        while end < bytes.count, bytes[end] != UInt8(ascii: "?") { end += 1 }
        return end
      }
    }
    return target.lowerBound..<target.lowerBound + scalars.rawPathLength
  }
  /// The rest of the target, with the `?`; empty if there is none.
  public var rawQueryRange: Range<Int> { rawPathRange.upperBound..<scalars.rawTargetRange.upperBound }
  /// Number of bytes of the request line and headers as received.
  public var requestHeadSize: Int {
    get { scalars.requestHeadSize }
    set { scalars.requestHeadSize = newValue }
  }
  /// Number of body bytes received so far.
  public var requestBodySize: Int {
    get { scalars.requestBodySize }
    set { scalars.requestBodySize = newValue }
  }
  public var requestHeaders: HeaderBlock {
    @inlinable _read { yield storedRequestHeaders }
    @inlinable _modify { yield &storedRequestHeaders }
  }
  @usableFromInline @exclusivity(unchecked) var storedRequestHeaders: HeaderBlock = HeaderBlock()
  /// The host the client asked for, kept when a plugin changes `Host` after routing; it is what the upstream learns in
  /// `X-Forwarded-Host`.
  public var hostBeforeChange: String? {
    get { rare?.hostBeforeChange }
    set { made.hostBeforeChange = newValue }
  }
  /// Path after normalization, without query; what routes are matched against.
  public var normalizedPath: [UInt8] {
    @inlinable _read { yield storedNormalizedPath }
    @inlinable _modify { yield &storedNormalizedPath }
  }
  @usableFromInline @exclusivity(unchecked) var storedNormalizedPath: [UInt8] = []
  /// Query that replaces the received one, without `?`; nil while nobody changed it.
  public var queryOverride: [UInt8]? {
    get { rare?.query }
    set { made.query = newValue }
  }
  public var requestBody: RequestBody {
    get { rare?.body ?? .unread }
    set { made.body = newValue }
  }

  // MARK: Times (nanoseconds of the monotonic clock unless said otherwise)

  /// Milliseconds since the epoch at which the request's first byte was processed.
  public var startedAtMilliseconds: Int64 {
    get { scalars.startedAtMilliseconds }
    set { scalars.startedAtMilliseconds = newValue }
  }
  public var startedAt: UInt64 {
    get { scalars.startedAt }
    set { scalars.startedAt = newValue }
  }
  /// When access was over and the balancer took over; 0 before.
  public var accessEndedAt: UInt64 {
    get { scalars.accessEndedAt }
    set { scalars.accessEndedAt = newValue }
  }
  /// When the first byte of the upstream's response head had come; 0 before.
  public var upstreamRespondedAt: UInt64 {
    get { scalars.upstreamRespondedAt }
    set { scalars.upstreamRespondedAt = newValue }
  }
  public var endedAt: UInt64 {
    get { scalars.endedAt }
    set { scalars.endedAt = newValue }
  }

  // MARK: Routing

  public var route: RouteInfo? {
    get { matchedRoute }
    set { matchedRoute = newValue }
  }
  private var matchedRoute: RouteInfo?
  public var service: ServiceInfo? {
    get { matchedService }
    set { matchedService = newValue }
  }
  private var matchedService: ServiceInfo?
  /// Bytes of `normalizedPath` that strip_path removed, 0 if none.
  public var strippedPrefixLength: Int {
    get { scalars.strippedPrefixLength }
    set { scalars.strippedPrefixLength = newValue }
  }
  public var uriCaptures: URICaptures? {
    get { rare?.uriCaptures }
    set { if rare != nil || newValue != nil { made.uriCaptures = newValue } }
  }

  // MARK: Upstream

  public var upstream: UpstreamTarget {
    @inlinable _read { yield storedUpstream }
    @inlinable _modify { yield &storedUpstream }
  }
  @usableFromInline @exclusivity(unchecked) var storedUpstream: UpstreamTarget = UpstreamTarget()
  /// One entry per attempt.
  public var tries: [UpstreamTry] {
    @inlinable _read { yield storedTries }
    @inlinable _modify { yield &storedTries }
  }
  @usableFromInline @exclusivity(unchecked) var storedTries: [UpstreamTry] = []
  /// True when the whole upstream response must be read before the response phases run.
  public var buffersResponse: Bool {
    get { scalars.buffersResponse }
    set { scalars.buffersResponse = newValue }
  }

  /// The configuration that the request runs in. Set by the pipeline.
  public var directory: (any RequestDirectory)? {
    @inlinable _read { yield storedDirectory }
    @inlinable _modify { yield &storedDirectory }
  }
  @usableFromInline @exclusivity(unchecked) var storedDirectory: (any RequestDirectory)?
  /// Whether an Upstream of that name exists in the request's snapshot.
  public var upstreamExists: ((_ name: String) -> Bool)? {
    get { rare?.upstreamExists ?? directory.map { directory in { directory.hasUpstream($0) } } }
    set { made.upstreamExists = newValue }
  }
  /// Finds a consumer of the request's snapshot by id, or by username.
  public var findConsumer: ((_ key: String, _ byUsername: Bool) -> ConsumerInfo?)? {
    get { rare?.findConsumer ?? directory.map { directory in { directory.consumer($0, byUsername: $1) } } }
    set { made.findConsumer = newValue }
  }
  /// The consumer groups of a consumer, as entities.
  public var findConsumerGroups: ((_ consumerID: String) -> [JSONValue])? {
    get { rare?.findConsumerGroups ?? directory.map { directory in { directory.consumerGroups(ofConsumer: $0) } } }
    set { made.findConsumerGroups = newValue }
  }
  /// Called before each further attempt to reach an upstream; may change `upstream`. Set by a plugin.
  public var willRetry: ((RequestContext) -> Void)? {
    get { rare?.willRetry }
    set { made.willRetry = newValue }
  }

  // MARK: Response

  public var response: ResponseState {
    @inlinable _read { yield storedResponse }
    @inlinable _modify { yield &storedResponse }
  }
  @usableFromInline @exclusivity(unchecked) var storedResponse: ResponseState = ResponseState()
  /// The response a plugin asked for instead of proxying; the first wins.
  public var earlyResponse: EarlyResponse? {
    get { rare?.earlyResponse }
    set { if rare != nil || newValue != nil { made.earlyResponse = newValue } }
  }
  /// Whether there is one.
  public var hasEarlyResponse: Bool { rare?.earlyResponse != nil }

  // MARK: Plugins

  public var consumer: ConsumerInfo? {
    @inlinable _read { yield storedConsumer }
    @inlinable _modify { yield &storedConsumer }
  }
  @usableFromInline @exclusivity(unchecked) var storedConsumer: ConsumerInfo?
  /// The credential as an entity object.
  public var credential: JSONValue? {
    get { rare?.credential }
    set { made.credential = newValue }
  }
  public var consumerGroups: [JSONValue] {
    get { rare?.consumerGroups ?? [] }
    set { made.consumerGroups = newValue }
  }
  /// Groups that an identity provider says the client is in, for `acl`.
  public var authenticatedGroups: [String]? {
    get { rare?.authenticatedGroups }
    set { made.authenticatedGroups = newValue }
  }
  public var isAuthenticated: Bool { consumer != nil || credential != nil }
  /// Values set with `kong.log.set_serialize_value`, in order.
  public var serializeValues: [SerializeValue] {
    get { rare?.serializeValues ?? [] }
    _modify { yield &made.serializeValues }
  }
  /// Values of `kong.ctx.shared` that plugins in Swift have set; before those of Lua plugins where both have a key.
  public var sharedValues: [String: JSONValue] {
    get { rare?.sharedValues ?? [:] }
    _modify { yield &made.sharedValues }
  }
  /// What executors keep from one phase of the request to the next.
  public var pluginStates: PluginStates {
    get { rare?.pluginStates ?? PluginStates() }
    _modify { yield &made.pluginStates }
  }
  /// Owned by `LuaRuntime`: coroutine, `kong.ctx` tables and the like of this request.
  public var scriptState: AnyObject? {
    @inlinable _read { yield storedScriptState }
    @inlinable _modify { yield &storedScriptState }
  }
  @usableFromInline @exclusivity(unchecked) var storedScriptState: AnyObject?
  /// What the runtime knows of other plugins, for conditions (`plugins.<name>.…`). Set by the pipeline.
  public var chain: (any PluginChainView)? {
    @inlinable _read { yield storedChain }
    @inlinable _modify { yield &storedChain }
  }
  @usableFromInline @exclusivity(unchecked) var storedChain: (any PluginChainView)?
  /// The instance that runs now.
  public var currentPlugin: PluginInstance? { runningPlugin?.instance }
  @exclusivity(unchecked) public private(set) var runningPlugin: (any RunningPlugin)?

  public init(
    loop: LoopServices, driver: any RequestDriver, connection: ConnectionFacts = .unknown,
    start: RequestStart = RequestStart()
  ) {
    self.loop = loop
    self.driver = driver
    self.connection = connection
    identifier = start.identifier
    scalars = Scalars(
      method: start.method, httpVersion: start.httpVersion, rawTargetRange: start.target,
      connectionRequests: start.connectionRequests, requestHeadSize: start.headSize, clientPort: connection.peerPort,
      startedAtMilliseconds: start.atMilliseconds, startedAt: start.at)
    memory = loop.takeMemory()
    swap(&requestHeaders, &memory.requestHeaders)
    swap(&normalizedPath, &memory.normalizedPath)
    swap(&tries, &memory.tries)
    swap(&upstream.path, &memory.upstreamPath)
  }

  deinit {
    // The last reference may be dropped elsewhere, with a closure that a future has held.
    guard loop.isOnItsThread else { return }
    swap(&memory.requestHeaders, &requestHeaders)
    swap(&memory.normalizedPath, &normalizedPath)
    swap(&memory.tries, &tries)
    swap(&memory.upstreamPath, &upstream.path)
    if response.upstreamHeaders != nil {
      response.upstreamHeaders = nil
      swap(&memory.responseHeaders, &response.headers)
    }
    loop.giveMemory(memory)
  }

  /// What few requests have, so that the others need not carry it.
  @exclusivity(unchecked) private var rare: RareValues?

  private var made: RareValues {
    if let rare { return rare }
    let made = RareValues()
    rare = made
    return made
  }

  /// Where the memory of headers and paths came from and goes back to.
  private let memory: RequestMemory

  /// An empty block with memory of an earlier request, for the upstream's response head.
  public func takeSpareHeaders() -> HeaderBlock {
    var spare = HeaderBlock()
    swap(&spare, &memory.responseHeaders)
    return spare
  }

  /// Calls `body` with the 32 digits of the request id.
  public func withRequestID(_ body: (UnsafeRawBufferPointer) -> Void) {
    if var text = rare?.requestID {
      text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    } else {
      identifier.withDigits(body)
    }
  }

  /// Prefix that strip_path removed, nil if none.
  public var strippedPrefix: String? {
    strippedPrefixLength == 0 ? nil : String(decoding: normalizedPath.prefix(strippedPrefixLength), as: UTF8.self)
  }

  /// Called by the pipeline around each phase of each plugin.
  public func enter(_ phase: Phase, running plugin: (any RunningPlugin)?) {
    scalars.phase = phase
    if runningPlugin !== plugin { runningPlugin = plugin }
  }

  /// Goes on after a plugin that had returned `.suspended`. Exactly once per suspension, on the event loop.
  public func resume(_ outcome: PhaseOutcome) { driver.pluginResumed(outcome, self) }
}
