import EntityModel
import EpollTransport
import Logging
import NIOCore
import NIOSSL
import PluginKit

/// What the connections of one event loop share. Confined to that loop.
final class ProxyLoop {
  let eventLoop: EpollEventLoop
  let services: LoopServices
  let configuration: ProxyConfiguration
  let logger: Logger
  let statistics: LoopStatistics
  let texts: GatewayTexts
  let names: NameCache
  let accessLog: AccessLogWriter?

  /// The configuration that new requests begin with.
  @exclusivity(unchecked) var snapshot: RuntimeSnapshot { didSet { destinations.removeAll() } }
  /// Idle upstream connections by where they lead.
  @exclusivity(unchecked) var pools: [UpstreamIdentity: UpstreamPool] = [:]
  /// Where the services of the snapshot are.
  let destinations = UpstreamDestinations()
  /// Open client connections.
  @exclusivity(unchecked) private var connections: [ObjectIdentifier: ClientHandler] = [:]
  /// No new requests are taken; connections close after the one they are at.
  @exclusivity(unchecked) private(set) var isDraining = false
  @exclusivity(unchecked) private var whenEmpty: EventLoopPromise<Void>?

  /// For plugins that turn a plain service into a TLS one: no verification, as nginx's default. Nil only when the TLS
  /// library fails.
  private(set) lazy var defaultUpstreamTLS: UpstreamTLS? = {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .none
    configuration.applicationProtocols = ["http/1.1"]
    return try? UpstreamTLS(configuration: configuration, identity: "default")
  }()
  /// Settings that plugins have changed for single requests, by what they were made from.
  @exclusivity(unchecked) var overriddenTLS: [OverriddenTLSKey: UpstreamTLS] = [:]
  /// How many were made: connections of different settings are told apart by it.
  @exclusivity(unchecked) var overriddenCount = 0

  @exclusivity(unchecked) private var clock = LoopClock()
  @exclusivity(unchecked) private var identifiers = RequestIdentifiers()

  init(
    eventLoop: EpollEventLoop, index: Int, node: NodeInfo, configuration: ProxyConfiguration, snapshot: RuntimeSnapshot,
    statistics: LoopStatistics, accessLog: AccessLogWriter?, logger: Logger
  ) {
    self.eventLoop = eventLoop
    services = LoopServices(index: index, node: node)
    services.connectionStatistics = { statistics.values.asTable }
    self.configuration = configuration
    self.snapshot = snapshot
    self.statistics = statistics
    self.logger = logger
    self.accessLog = accessLog
    texts = GatewayTexts(node: node, configuration: configuration)
    names = NameCache(eventLoop: eventLoop, lifetime: configuration.nameLifetime)
  }

  func nextRequestID() -> RequestIdentifier { identifiers.next() }

  // MARK: Time

  /// Reads the clock: at the beginning of each event, and where time may have passed within one.
  func readClock() { clock.read() }

  /// Monotonic time of the last reading.
  var now: NIODeadline { clock.now }

  /// Milliseconds since the epoch at the last reading.
  var wallMilliseconds: Int64 { clock.wallMilliseconds }

  /// The `Date` field with its CRLF.
  var dateField: [UInt8] { clock.dateField }

  /// The time as access logs have it.
  var logDate: [UInt8] { clock.logDate }

  // MARK: Upstreams

  func pool(for identity: UpstreamIdentity) -> UpstreamPool {
    if let pool = pools[identity] { return pool }
    let pool = UpstreamPool(loop: self, identity: identity)
    pools[identity] = pool
    return pool
  }

  // MARK: Connections

  func opened(_ connection: ClientHandler) {
    connections[ObjectIdentifier(connection)] = connection
    statistics.connectionOpened()
  }

  func closed(_ connection: ClientHandler) {
    guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
    statistics.connectionClosed()
    if connections.isEmpty, let promise = whenEmpty {
      whenEmpty = nil
      promise.succeed()
    }
  }

  /// Closes idle client connections, lets the others finish their request; succeeds when none is left.
  func drain() -> EventLoopFuture<Void> {
    isDraining = true
    accessLog?.flush()
    if connections.isEmpty { return eventLoop.makeSucceededVoidFuture() }
    let promise = whenEmpty ?? eventLoop.makePromise(of: Void.self)
    whenEmpty = promise
    for connection in Array(connections.values) { connection.drain() }
    return promise.futureResult
  }

  /// Closes everything at once; succeeds when the access log is written.
  func shutDown() -> EventLoopFuture<Void> {
    isDraining = true
    for connection in Array(connections.values) { connection.abort() }
    for pool in pools.values { pool.closeAll() }
    destinations.removeAll()
    return accessLog?.close() ?? eventLoop.makeSucceededVoidFuture()
  }
}

/// Texts that are the same for all requests, made once.
struct GatewayTexts {
  let serverField: [UInt8]
  /// What follows `Via: ` and earlier members on responses.
  let viaMember: String
  /// The end of `Via` on requests after the protocol version, which varies, with CRLF: ` kong/…` or ` kong`.
  let viaRequestEnd: [UInt8]
  /// The `Via` field of a response that had none.
  let viaField: [UInt8]

  init(node: NodeInfo, configuration: ProxyConfiguration) {
    serverField = Array("Server: \(node.serverToken)\r\n".utf8)
    let name = configuration.viaCompliesWithRFC ? " kong" : " \(node.serverToken)"
    viaRequestEnd = Array("\(name)\r\n".utf8)
    viaMember = "1.1" + name
    viaField = Array("Via: \(viaMember)\r\n".utf8)
  }
}
