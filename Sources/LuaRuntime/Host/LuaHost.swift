import CLuaBridge
import EntityModel
import NIOCore
import PluginKit

/// The Lua state of one event loop, with the plugins loaded into it.
///
/// Confined to its event loop. Swift code here never calls a Lua function that can raise: everything goes through
/// `CLuaBridge`, which runs it protected.
public final class LuaHost {
  let raw: UnsafeMutablePointer<slu_host>
  let settings: LuaSettings
  let node: NodeInfo
  let loopIndex: Int
  /// What `kong.db` reads.
  let running: LoopServices.RunningEntities
  let prelude: Int32
  private let bodies = PDKNamespaces.all.map(\.body)
  let isTraced: Bool

  /// The request whose plugin runs now; nil while a plugin is loaded.
  @exclusivity(unchecked) private(set) var context: RequestContext?
  /// Name of the plugin that runs or is loaded now, for log lines.
  @exclusivity(unchecked) private(set) var pluginName: String?
  @exclusivity(unchecked) private(set) var phase = Phase.initWorker
  @exclusivity(unchecked) var pendingWait: LuaWait?
  /// Of the last request: where waits and timers of this host are kept.
  @exclusivity(unchecked) private(set) var eventLoop: (any EventLoop)?
  /// What the running timer keeps; nil while none runs.
  @exclusivity(unchecked) private(set) var timerState: LuaRequestState?
  @exclusivity(unchecked) var dueTimer = 0
  var timerFunction = luaNoReference
  @exclusivity(unchecked) var pendingTimers = 0
  /// Of the script that runs.
  @exclusivity(unchecked) var exchange = LuaScriptExchange()
  @exclusivity(unchecked) private var instances = LuaInstances()
  /// The instance that was looked up last; it is the one that runs.
  @exclusivity(unchecked) private var lastInstance: (key: Int, tenant: LuaTenant)?
  /// The plugin that is being loaded.
  @exclusivity(unchecked) var loadingTenant: LuaTenant?
  @exclusivity(unchecked) private(set) var tenant: LuaTenant?

  /// The light thread that runs, when it goes on after a wait, and what it has waited for.
  @exclusivity(unchecked) var runningThread: Int?
  @exclusivity(unchecked) var threadResults: LuaWait.Results?
  /// Idle connections of plugins.
  let socketPools = SocketPools()
  /// Who waits for a signal, by its token.
  var signals: [Int: LuaSignal] = [:]

  /// - Throws: `PluginCompileError` when the state cannot be made, for want of memory.
  init(loop: LoopServices, settings: LuaSettings) throws(PluginCompileError) {
    running = loop.running
    self.settings = settings
    isTraced = settings.trace != nil
    node = loop.node
    loopIndex = loop.index
    var quota = slu_quota(settings.quota)
    guard
      let raw = slu_host_new(nil, performLuaCall, settings.memoryLimit, &quota, settings.needsCompiler)
    else { throw PluginCompileError(plugin: "lua", reason: "no memory for a Lua state") }
    self.raw = raw
    guard Self.define(PDKNamespaces.all, in: raw) else {
      slu_host_free(raw)
      throw PluginCompileError(plugin: "lua", reason: "no memory for a Lua state")
    }
    var text = LuaPrelude.text
    let prelude = text.withUTF8 { slu_host_run_trusted(raw, "=[sluice]", $0.baseAddress, $0.count) }
    guard prelude != luaNoReference else {
      let reason = Self.errorMessage(raw)
      slu_host_free(raw)
      throw PluginCompileError(plugin: "lua", reason: reason)
    }
    self.prelude = prelude
    // What compiling the prelude left belongs to no plugin.
    slu_host_collect_garbage(raw)
    raw.pointee.context = Unmanaged.passUnretained(self).toOpaque()
  }

  deinit {
    lastInstance = nil
    loadingTenant = nil
    tenant = nil
    instances.removeAll()
    slu_host_free(raw)
  }

  /// The host of a loop, made at its first use.
  static func host(on loop: LoopServices, settings: LuaSettings) throws(PluginCompileError) -> LuaHost {
    if let host = loop.scriptHost as? LuaHost { return host }
    let host = try LuaHost(loop: loop, settings: settings)
    loop.scriptHost = host
    return host
  }

  /// Bytes that the state holds.
  public var memoryUsed: Int { raw.pointee.memory_used }

  var callMemory: UnsafeMutablePointer<slu_call> {
    UnsafeMutableRawPointer(raw).advanced(by: MemoryLayout<slu_host>.offset(of: \slu_host.call) ?? 0)
      .assumingMemoryBound(to: slu_call.self)
  }

  private static func define(_ functions: [PDKFunction], in raw: UnsafeMutablePointer<slu_host>) -> Bool {
    var declared: [slu_function] = []
    var strings: [UnsafeMutablePointer<CChar>] = []
    defer { strings.forEach { $0.deallocate() } }
    func copy(_ text: String) -> UnsafeMutablePointer<CChar> {
      let bytes = Array(text.utf8CString)
      let memory = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
      memory.initialize(from: bytes, count: bytes.count)
      strings.append(memory)
      return memory
    }
    for (index, function) in functions.enumerated() {
      var declaration = slu_function()
      declaration.index = UInt32(index)
      declaration.phases = UInt32(function.phases.phases.rawValue)
      declaration.wants = function.wants.rawValue
      declaration.name = copy(function.level == .strict ? function.name : "\(function.level.rawValue):\(function.name)")
      declaration.phase_names = copy(function.phases.names)
      declared.append(declaration)
    }
    return slu_host_define(raw, declared, UInt32(declared.count))
  }

  // MARK: Calls from Lua

  fileprivate func perform(_ function: Int, _ raw: UnsafeMutablePointer<slu_call>) -> Int32 {
    let call = LuaCall(raw: raw, host: self)
    do throws(LuaFault) {
      let outcome = try bodies[function](call)
      if isTraced, let trace = settings.trace { traceCall(PDKNamespaces.all[function], raw, failure: nil, trace) }
      switch outcome {
      case .returned: return Int32(SLU_RETURN)
      case .exit: return Int32(SLU_EXIT)
      case .wait(let wait):
        guard timerState != nil || phase == .rewrite || phase == .access || phase == .response || phase == .certificate
        else {
          throw LuaFault("API disabled in the context of \(Self.nginxName(of: phase))")
        }
        pendingWait = wait
        return Int32(SLU_SUSPEND)
      }
    } catch {
      if let trace = settings.trace { traceCall(PDKNamespaces.all[function], raw, failure: error.message, trace) }
      slu_clear_results(raw)
      call.returns(error.message)
      return Int32(SLU_RAISE)
    }
  }

  // MARK: Handlers and instances

  /// The handler of a source, loaded once per state.
  func handler(for plugin: LuaPlugin) throws(PluginCompileError) -> LuaHandler {
    if let handler = instances.handler(plugin.identity) { return handler }
    let handler = try LuaHandler(plugin, on: self)
    instances.insert(handler, for: plugin.identity)
    return handler
  }

  func instance(_ key: Int) -> LuaInstance? {
    guard let instance = instances.find(key) else { return nil }
    if lastInstance?.key != key { lastInstance = (key, instance.handler.tenant) }
    return instance
  }

  /// Keeps an instance for as long as its executor lives.
  func keep(_ instance: LuaInstance, key: Int) {
    lastInstance = nil
    instances.insert(instance, key: key)
  }

  /// Instances that the state holds, those included whose executor is gone but that were not looked at yet.
  var instanceCount: Int { instances.count }

  /// Drops everything of one plugin version; it is loaded anew at its next use.
  func forget(_ tenant: LuaTenant) {
    lastInstance = nil
    instances.remove(tenant)
  }

  private func tenant(of key: Int) -> LuaTenant? {
    if let lastInstance, lastInstance.key == key { return lastInstance.tenant }
    return instances.find(key)?.handler.tenant
  }

  // MARK: The run under way

  func enter(
    _ context: RequestContext?, _ phase: Phase, key: Int, plugin: String?, timer: LuaRequestState? = nil
  ) {
    self.context = context
    self.phase = phase
    timerState = timer
    pluginName = plugin
    // All requests of the host have the same.
    if eventLoop == nil, let context { eventLoop = context.driver.eventLoop }
    raw.pointee.phase = timer == nil ? UInt32(phase.rawValue) : Self.timerPhase
    raw.pointee.phase_name = timer == nil ? phaseNames[Int(phase.rawValue)] : timerPhaseName
    raw.pointee.plugin_key = Double(key)
    tenant = loadingTenant ?? tenant(of: key)
    raw.pointee.account = tenant?.account ?? 0
    raw.pointee.request_memory = 0
    raw.pointee.request_reference = timer?.reference ?? luaNoReference
    if let kept = context?.scriptState, let state = kept as? LuaRequestState, state.host === self {
      raw.pointee.request_reference = state.reference
      raw.pointee.request_memory = state.memory
    }
  }

  /// The phase of timers as the bridge knows it: none that a function could ask for.
  private static let timerPhase: UInt32 = 31

  var isTimer: Bool { timerState != nil }

  /// What the running request or timer keeps, if it keeps anything yet.
  var startedState: LuaRequestState? {
    if let timerState { return timerState }
    guard let state = context?.scriptState as? LuaRequestState, state.host === self else { return nil }
    return state
  }

  /// What the running request or timer keeps; nil while a plugin is loaded.
  var runningState: LuaRequestState? { timerState ?? context.map { requestState(of: $0) } }

  private static func nginxName(of phase: Phase) -> String {
    switch phase {
    case .headerFilter: "header_filter_by_lua*"
    case .bodyFilter: "body_filter_by_lua*"
    case .log: "log_by_lua*"
    case .balancer: "balancer_by_lua*"
    case .initWorker: "init_worker_by_lua*"
    default: phase.name
    }
  }

  /// What plugins keep for a request; made at its first use.
  func requestState(of context: RequestContext) -> LuaRequestState {
    // What was kept in a state that is lost meanwhile is lost with it.
    if let state = context.scriptState as? LuaRequestState, state.host === self { return state }
    let state = LuaRequestState(self)
    context.scriptState = state
    return state
  }

  /// Number of the instance that runs.
  var pluginKey: Int { Int(raw.pointee.plugin_key) }

  func leave() {
    let reference = raw.pointee.request_reference
    if let timerState {
      timerState.reference = reference
    } else if let context, reference != luaNoReference {
      requestState(of: context).reference = reference
    }
    context = nil
    timerState = nil
    pluginName = nil
    tenant = nil
    raw.pointee.account = 0
  }
}

/// `LUA_NOREF`: no value of the registry.
let luaNoReference: Int32 = -2

/// C strings that live as long as the process; read only.
nonisolated(unsafe) private let phaseNames: [UnsafePointer<CChar>] = Phase.allCases.map { constantText($0.name) }
nonisolated(unsafe) private let timerPhaseName = constantText("timer")

private func constantText(_ text: String) -> UnsafePointer<CChar> {
  let bytes = Array(text.utf8CString)
  let memory = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
  memory.initialize(from: bytes, count: bytes.count)
  return UnsafePointer(memory)
}

private func performLuaCall(
  _ context: UnsafeMutableRawPointer?, _ function: UInt32, _ call: UnsafeMutablePointer<slu_call>?
) -> Int32 {
  guard let context, let call else { return Int32(SLU_RAISE) }
  return Unmanaged<LuaHost>.fromOpaque(context).takeUnretainedValue().perform(Int(function), call)
}

extension LuaHost {
  /// A value of `kong.ctx.shared` of a request, for conditions; nil if it is unset or no plain data.
  public static func sharedValue(_ key: String, of context: RequestContext) -> JSONValue? {
    guard let state = context.scriptState as? LuaRequestState,
      slu_host_read_shared(state.host.raw, state.reference, key),
      let nodes = state.host.raw.pointee.call.nodes
    else { return nil }
    var place = 0
    return LuaValue(UnsafePointer(nodes), &place).json
  }
}
