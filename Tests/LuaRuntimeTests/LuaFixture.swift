import EntityModel
import NIOCore
import NIOEmbedded
import PluginKit
import Synchronization

@testable import LuaRuntime

/// Lines that plugins wrote.
final class RecordedLog: LuaLogSink {
  private let lines = Mutex<[(level: LuaLogLevel, line: String)]>([])

  func isEnabled(_ level: LuaLogLevel) -> Bool { true }

  func write(_ level: LuaLogLevel, line: String, requestID: String?) { lines.withLock { $0.append((level, line)) } }

  var all: [(level: LuaLogLevel, line: String)] { lines.withLock { $0 } }
}

/// A connection that has the body at once, or when `deliverBody` is called.
final class TestDriver: RequestDriver {
  let loop = EmbeddedEventLoop()
  var body = ByteBuffer()
  var delivers = true
  var outcomes: [PhaseOutcome] = []
  private var waiting: (RequestContext, (Result<Void, RequestBodyError>) -> Void)?

  var eventLoop: any EventLoop { loop }

  func readRequestBody(_ context: RequestContext, _ completion: @escaping (Result<Void, RequestBodyError>) -> Void) {
    waiting = (context, completion)
    if delivers { deliverBody() }
  }

  func deliverBody() {
    guard let (context, completion) = waiting else { return }
    waiting = nil
    context.requestBody = .complete(body)
    completion(.success(()))
  }

  func pluginResumed(_ outcome: PhaseOutcome, _ context: RequestContext) { outcomes.append(outcome) }
}

/// One event loop with streamed plugins, and requests for them.
final class LuaFixture {
  let log = RecordedLog()
  let driver = TestDriver()
  let loop: LoopServices
  var settings: LuaSettings

  init(
    sandbox: SandboxMode = .strict, cpuLimitMilliseconds: Int = 50, memoryLimit: Int = 64 << 20,
    allowances: [String: LuaAllowance] = [:], adjust: (inout LuaQuota) -> Void = { _ in }
  ) {
    let node = NodeInfo(
      id: "11111111-2222-4333-8444-555555555555", hostname: "node-1",
      configuration: ["proxy_listen": .array(["0.0.0.0:8000"]), "pg_password": "******"])
    loop = LoopServices(index: 0, node: node)
    var quota = LuaQuota()
    quota.cpuMilliseconds = cpuLimitMilliseconds
    adjust(&quota)
    settings = LuaSettings(
      sandbox: sandbox, memoryLimit: memoryLimit, quota: quota, allowances: allowances, logSink: log)
  }

  func instance(_ name: String, _ config: JSONValue = .object([:])) -> PluginInstance {
    PluginInstance(id: "id-of-\(name)", pluginName: name, pluginVersion: "1.0", config: config)
  }

  /// A plugin from the text of its handler.
  func plugin(
    _ name: String = "test", _ source: String, _ config: JSONValue = .object([:])
  ) throws -> TestPlugin {
    let plugin = LuaPlugin(
      name: name, version: "1.0", source: source, phases: PhaseSet(Phase.allCases), settings: settings)
    let instance = instance(name, config)
    let executor = try plugin.makeExecutor(for: instance)
    try executor.prepare(on: loop)
    return TestPlugin(instance: instance, executor: executor)
  }

  /// A plugin with one phase from the text of that function's body.
  func phase(_ phase: String, name: String = "test", _ body: String, _ config: JSONValue = .object([:])) throws
    -> TestPlugin
  {
    try plugin(
      name, "local H = {PRIORITY = 1, VERSION = \"1.0\"}\nfunction H:\(phase)(conf)\n\(body)\nend\nreturn H", config)
  }

  /// A request as the pipeline would have it before access.
  func request(
    _ target: String = "/", method: HTTPMethod = .get, headers: [(String, String)] = [("Host", "example.com")],
    body: String = ""
  ) -> RequestContext {
    let context = RequestContext(loop: loop, driver: driver)
    context.requestID = "0123456789abcdef0123456789abcdef"
    context.method = method
    Array(target.utf8).withUnsafeBytes { context.requestHeaders.reset(copying: $0) }
    context.rawTargetRange = 0..<target.utf8.count
    for (name, value) in headers { context.requestHeaders.add(name, value) }
    context.normalizedPath = Array(target.prefix { $0 != "?" }.utf8)
    context.peerIP = "127.0.0.1"
    context.clientIP = "127.0.0.1"
    context.peerPort = 5000
    context.clientPort = 5000
    context.localPort = 8000
    driver.body = ByteBuffer(string: body)
    return context
  }

  /// The host's state.
  var host: LuaHost? { loop.scriptHost as? LuaHost }

  /// Runs the body of an access function and gives what it answers with `answer(...)`: each value as text.
  func answers(
    _ code: String, in phase: Phase = .access, _ context: RequestContext? = nil, config: JSONValue = .object([:])
  ) throws -> [String] {
    let context = context ?? request()
    let plugin = try self.phase(phase.name, Self.prelude + code, config)
    let outcome = plugin.run(phase, context)
    if case .failed = outcome { return ["failed: " + (log.all.last?.line ?? "")] }
    return LuaHost.sharedValue("answers", of: context)?.array?.compactMap(\.string) ?? []
  }

  static let helpers = prelude

  private static let prelude = """
    local function show(v)
      if v == ngx.null then return "null" end
      if type(v) == "table" then
        local items = {}
        for k, x in pairs(v) do items[#items + 1] = tostring(k) .. "=" .. show(x) end
        table.sort(items)
        return "{" .. table.concat(items, ", ") .. "}"
      end
      if type(v) == "string" then return '"' .. v .. '"' end
      return tostring(v)
    end
    local function answer(...)
      local r = {}
      for i = 1, select("#", ...) do r[i] = show((select(i, ...))) end
      kong.ctx.shared.answers = r
    end
    local function try(f, ...)
      local ok, e = pcall(f, ...)
      if ok then return "ok", e end
      return "error: " .. tostring(e):gsub("^.-:%d+: ", "")
    end

    """
}

struct TestPlugin {
  let instance: PluginInstance
  let executor: any PluginExecutor

  @discardableResult
  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    context.enter(phase, running: RunningInstance(instance))
    return executor.run(phase, context)
  }
}

extension PhaseOutcome {
  var name: String {
    switch self {
    case .finished: "finished"
    case .suspended: "suspended"
    case .failed: "failed"
    }
  }
}

extension EarlyResponse {
  var text: String { body.map { String(buffer: $0) } ?? "" }
}

/// An instance on its own, as the pipeline's compiled plugins are.
private final class RunningInstance: RunningPlugin {
  let instance: PluginInstance

  init(_ instance: PluginInstance) { self.instance = instance }
}
