import EntityModel
import Foundation
import Logging
import NIOCore
import NIOPosix
import Outbound

@testable import BundledPlugins
@testable import PluginKit

/// A request on an event loop of its own, for plugins that call out and wait.
final class DatakitTestBed: RequestDriver {
  /// What is left of the request once the plugin is done.
  struct Outcome: Sendable {
    var status: Int?
    var headers: [(name: String, value: String)] = []
    var answer: String?
    /// What the service would get, or what the client would get of the service's response.
    var requestHeaders: [(name: String, value: String)] = []
    var query: String?
    var body: String?
    var responseHeaders: [(name: String, value: String)] = []
    var responseStatus = 0
    var responseBody: String?
    var upstream = UpstreamTarget()
    var consumer: String?
    var log: [String] = []

    var json: JSONValue { answer.flatMap { try? JSONValue(parsing: $0) } ?? .null }

    func header(_ name: String, _ list: KeyPath<Outcome, [(name: String, value: String)]>) -> String? {
      self[keyPath: list].first { $0.name.lowercased() == name.lowercased() }?.value
    }
  }

  struct Request: Sendable {
    var method = HTTPMethod.get
    var target = "/"
    var headers: [(String, String)] = []
    var body = ""
    /// The service's response; without one the request ends with access.
    var response: (status: Int, headers: [(String, String)], body: String)?
    var settings: [String: JSONValue] = [:]
    var consumers: [String: String] = [:]
  }

  private static let outbound = SharedHTTPClient(group: MultiThreadedEventLoopGroup.singleton)

  let eventLoop: any EventLoop
  private let request: Request
  private let executor: any PluginExecutor
  private let log: LogLines
  private let promise: EventLoopPromise<Outcome>
  private var phase = Phase.access
  private var itself: DatakitTestBed?
  private lazy var context = RequestContext(
    loop: LoopServices(index: 0, node: NodeInfo(id: "node-id", hostname: "host", configuration: request.settings)),
    driver: self)

  /// Validates and compiles the configuration, and runs the phases of one request.
  static func run(
    _ config: JSONValue, _ request: Request = Request(), id: String = "11111111-1111-4111-8111-111111111111"
  )
    async throws -> Outcome
  {
    let entity = try PluginTestBed.validated(Datakit.definition, config)
    let log = LogLines()
    let instance = PluginInstance(
      id: id, pluginName: "datakit", pluginVersion: "1", config: entity["config"] ?? .null)
    let executor = try Datakit.definition.implementation.makeExecutor(
      for: instance,
      in: PluginCompileContext(
        consumers: .empty, logger: Logger(label: "test", factory: { _ in log }),
        services: PluginServices(outbound: outbound)))
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let promise = loop.makePromise(of: Outcome.self)
    loop.execute { DatakitTestBed(loop, request, executor, log, promise).start() }
    return try await promise.futureResult.get()
  }

  private init(
    _ loop: any EventLoop, _ request: Request, _ executor: any PluginExecutor, _ log: LogLines,
    _ promise: EventLoopPromise<Outcome>
  ) {
    eventLoop = loop
    self.request = request
    self.executor = executor
    self.log = log
    self.promise = promise
  }

  private func start() {
    itself = self
    Array(request.target.utf8).withUnsafeBytes { context.requestHeaders.reset(copying: $0) }
    context.rawTargetRange = 0..<request.target.utf8.count
    context.normalizedPath = Array(request.target.split(separator: "?")[0].utf8)
    for (name, value) in request.headers { context.requestHeaders.add(name, value) }
    context.method = request.method
    context.clientIP = "10.0.0.1"
    context.peerIP = "10.0.0.2"
    context.localPort = 8000
    context.requestID = String(repeating: "a", count: 32)
    context.upstream.host = "service"
    let consumers = request.consumers
    context.findConsumer = { key, byUsername in
      let found = consumers.first { byUsername ? $0.value == key : $0.key == key }
      return found.map { ConsumerInfo(entity: ["id": .string($0.key), "username": .string($0.value)]) }
    }
    enter(.access)
  }

  private func enter(_ phase: Phase) {
    self.phase = phase
    let outcome = executor.run(phase, context)
    if case .suspended = outcome { return }
    ended()
  }

  private func ended() {
    if phase == .access, context.earlyResponse == nil, let response = request.response {
      context.response.status = response.status
      context.response.upstreamStatus = response.status
      context.response.source = .service
      for (name, value) in response.headers { context.response.headers.add(name, value) }
      context.response.upstreamHeaders = context.response.headers
      context.response.bufferedBody = ByteBuffer(string: response.body)
      if executor.phases.contains(.response) { return enter(.response) }
    }
    promise.succeed(outcome)
    itself = nil
  }

  private var outcome: Outcome {
    func list(_ block: HeaderBlock) -> [(name: String, value: String)] {
      (0..<block.count).map { (block.name(at: $0), block.value(at: $0)) }
    }
    return Outcome(
      status: context.earlyResponse?.status,
      headers: list(context.response.headers).filter { header in
        context.earlyResponse?.headers.contains { $0.name == header.name } != true
      } + (context.earlyResponse?.headers ?? []),
      answer: context.earlyResponse?.body.map { String(buffer: $0) }, requestHeaders: list(context.requestHeaders),
      query: context.queryOverride.map { String(decoding: $0, as: UTF8.self) },
      body: context.requestBody.bytes.map { String(buffer: $0) }, responseHeaders: list(context.response.headers),
      responseStatus: context.response.status,
      responseBody: context.response.bufferedBody.map { String(buffer: $0) }, upstream: context.upstream,
      consumer: context.consumer?.username, log: log.lines)
  }

  // The body comes later, as from a slow client.
  func readRequestBody(_ context: RequestContext, _ completion: @escaping (Result<Void, RequestBodyError>) -> Void) {
    let bound = NIOLoopBound((context, completion), eventLoop: eventLoop)
    let body = ByteBuffer(string: request.body)
    eventLoop.execute {
      bound.value.0.requestBody = .complete(body)
      bound.value.1(.success(()))
    }
  }

  func pluginResumed(_ outcome: PhaseOutcome, _ context: RequestContext) { ended() }
}

/// Keeps what is logged.
final class LogLines: LogHandler, @unchecked Sendable {
  // Sound: the array is used under the lock.
  private let lock = NSLock()
  private var kept: [String] = []
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.trace

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }

  var lines: [String] { lock.withLock { kept } }

  func log(event: LogEvent) { lock.withLock { kept.append("\(event.message)") } }
}
