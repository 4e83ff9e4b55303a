import EntityModel
import LuaRuntime
import NIOCore
import NIOEmbedded
import PluginKit

/// An event loop with a Lua state, and requests for it, as the proxy would have them.
final class LuaBench {
  /// Keeps nothing, but has the lines made.
  private struct NoLog: LuaLogSink {
    func isEnabled(_ level: LuaLogLevel) -> Bool { true }
    func write(_ level: LuaLogLevel, line: String, requestID: String?) {}
  }

  private final class Driver: RequestDriver {
    let loop = EmbeddedEventLoop()
    var eventLoop: any EventLoop { loop }

    func readRequestBody(_ context: RequestContext, _ completion: @escaping (Result<Void, RequestBodyError>) -> Void) {
      context.requestBody = .complete(ByteBuffer(string: "a=1&b=2&b=3"))
      completion(.success(()))
    }

    func pluginResumed(_ outcome: PhaseOutcome, _ context: RequestContext) {}
  }

  private final class Running: RunningPlugin {
    let instance: PluginInstance
    init(_ instance: PluginInstance) { self.instance = instance }
  }

  private let driver = Driver()
  private let loop: LoopServices
  private let settings: LuaSettings

  init(cpuMilliseconds: Int) {
    var quota = LuaQuota()
    quota.cpuMilliseconds = cpuMilliseconds
    quota.loadMilliseconds = cpuMilliseconds
    settings = LuaSettings(memoryLimit: 32 << 20, quota: quota, logSink: NoLog())
    loop = LoopServices(
      index: 0,
      node: NodeInfo(
        id: "11111111-2222-4333-8444-555555555555", hostname: "node-1",
        configuration: ["proxy_listen": .array(["0.0.0.0:8000"]), "pg_password": "******"]))
  }

  /// A plugin of that handler, ready to run; nil if the loop refuses it.
  func plugin(_ name: String, _ source: String) -> (any PluginExecutor, PluginInstance)? {
    let plugin = LuaPlugin(
      name: name, version: "1.0", source: source, phases: PhaseSet(Phase.allCases), settings: settings)
    let instance = PluginInstance(
      id: "id-of-\(name)", pluginName: name, pluginVersion: "1.0", config: .object(["header": "X-Probe", "limit": 3]))
    guard let executor = try? plugin.makeExecutor(for: instance), (try? executor.prepare(on: loop)) != nil else {
      return nil
    }
    return (executor, instance)
  }

  /// Runs the phases of a request in their order.
  func run(_ executor: any PluginExecutor, _ instance: PluginInstance, _ phases: [Phase]) {
    let context = request()
    let running = Running(instance)
    for phase in phases {
      context.enter(phase, running: running)
      _ = executor.run(phase, context)
      driver.loop.run()
    }
  }

  private func request() -> RequestContext {
    let context = RequestContext(loop: loop, driver: driver)
    context.requestID = "0123456789abcdef0123456789abcdef"
    context.method = .post
    let target = "/path/one?a=1&b=%20&b=2&c"
    Array(target.utf8).withUnsafeBytes { context.requestHeaders.reset(copying: $0) }
    context.rawTargetRange = 0..<target.utf8.count
    for (name, value) in [
      ("Host", "example.com:8000"), ("X-Probe", "1"), ("Cookie", "a=b; c=d"), ("Accept", "text/html"),
      ("Content-Type", "application/x-www-form-urlencoded"),
    ] {
      context.requestHeaders.add(name, value)
    }
    context.normalizedPath = Array("/path/one".utf8)
    context.peerIP = "127.0.0.1"
    context.clientIP = "127.0.0.1"
    context.peerPort = 5000
    context.clientPort = 5000
    context.localPort = 8000
    return context
  }
}
