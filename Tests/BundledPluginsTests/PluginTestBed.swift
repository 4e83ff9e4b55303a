import EntityModel
import Logging
import LuaRuntime
import NIOCore
import NIOEmbedded
import Testing

@testable import BundledPlugins
@testable import PluginKit

/// A request that plugins work on without a connection, and the executors of configurations that are validated first.
final class PluginTestBed: RequestDriver {
  let eventLoop: any EventLoop
  /// What the client would send when the body is asked for; nil delivers it at once.
  private let body: ByteBuffer
  private let deliversLater: Bool
  private var waiting: (() -> Void)?
  /// Outcomes of plugins that had waited.
  private(set) var resumed: [PhaseOutcome] = []
  private let loop: LoopServices
  /// Called when a plugin that had waited is done.
  var onResume: (() -> Void)?

  static func loopServices() -> LoopServices { LoopServices(index: 0, node: NodeInfo(id: "node", hostname: "host")) }

  private(set) lazy var context = RequestContext(loop: loop, driver: self)

  init(
    method: HTTPMethod = .get, target: String = "/", headers: [(String, String)] = [], body: String = "",
    deliversLater: Bool = false, on eventLoop: any EventLoop = EmbeddedEventLoop(),
    loop: LoopServices = loopServices()
  ) {
    self.loop = loop
    self.eventLoop = eventLoop
    self.body = ByteBuffer(string: body)
    self.deliversLater = deliversLater
    Array(target.utf8).withUnsafeBytes { context.requestHeaders.reset(copying: $0) }
    context.rawTargetRange = 0..<target.utf8.count
    for (name, value) in headers { context.requestHeaders.add(name, value) }
    context.method = method
    context.clientIP = "127.0.0.1"
    context.requestID = String(repeating: "a", count: 32)
    context.startedAtMilliseconds = 1_000_000_000
  }

  func readRequestBody(_ context: RequestContext, _ completion: @escaping (Result<Void, RequestBodyError>) -> Void) {
    let deliver = {
      context.requestBody = .complete(self.body)
      completion(.success(()))
    }
    if deliversLater { waiting = deliver } else { deliver() }
  }

  func deliverBody() {
    waiting?()
    waiting = nil
  }

  func pluginResumed(_ outcome: PhaseOutcome, _ context: RequestContext) {
    resumed.append(outcome)
    onResume?()
  }

  /// The instance as it is stored.
  static func validated(_ definition: PluginDefinition, _ config: JSONValue) throws -> EntityFields {
    let validator = EntityValidator(catalogue: PluginCatalogue([definition.description]), now: { 1_000_000 })
    return try validator.validateInsert(["name": .string(definition.name), "config": config], of: .plugins)
  }

  /// Nothing is sent; Lua runs.
  static let services = PluginServices(
    outbound: PluginServices.none.outbound, scripts: LuaScriptRuntime(settings: LuaSettings()))

  /// Compiles a configuration as a snapshot does.
  static func executor(
    _ definition: PluginDefinition, _ config: JSONValue, consumers: ConsumerDirectory = .empty,
    services: PluginServices = services, certificates: [String: CertificatePEM] = [:],
    logger: Logger = PluginCompileContext.empty.logger
  ) throws -> any PluginExecutor {
    let entity = try validated(definition, config)
    let instance = PluginInstance(
      id: "11111111-1111-4111-8111-111111111111", pluginName: definition.name, pluginVersion: "1",
      config: entity["config"] ?? .null)
    return try definition.implementation.makeExecutor(
      for: instance,
      in: PluginCompileContext(
        consumers: consumers, logger: logger, services: services, certificates: certificates))
  }

  @discardableResult
  func access(
    _ definition: PluginDefinition, _ config: JSONValue, consumers: ConsumerDirectory = .empty
  ) throws -> PhaseOutcome {
    try Self.executor(definition, config, consumers: consumers).run(.access, context)
  }

  /// Runs the filters over a response in these pieces; what the client gets.
  func filter(_ executor: any PluginExecutor, _ chunks: [String]) -> String {
    if executor.phases.contains(.headerFilter) { _ = executor.run(.headerFilter, context) }
    guard executor.phases.contains(.bodyFilter) else { return chunks.joined() }
    var result = ""
    for (index, chunk) in chunks.enumerated() {
      context.response.chunk = ByteBuffer(string: chunk)
      context.response.isLastChunk = index == chunks.count - 1
      _ = executor.run(.bodyFilter, context)
      if let chunk = context.response.chunk { result += String(buffer: chunk) }
    }
    return result
  }

  var query: String? { context.queryOverride.map { String(decoding: $0, as: UTF8.self) } }
  var bodyText: String? { context.requestBody.bytes.map { String(buffer: $0) } }
  func header(_ name: String) -> String? { context.requestHeaders.first(name) }
  var answer: String? { context.earlyResponse?.body.map { String(buffer: $0) } }
}
