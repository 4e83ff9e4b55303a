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
  private let isTraced: Bool

  /// The request whose plugin runs now; nil while a plugin is loaded.
  @exclusivity(unchecked) private(set) var context: RequestContext?
  /// Name of the plugin that runs or is loaded now, for log lines.
  @exclusivity(unchecked) private(set) var pluginName: String?
  @exclusivity(unchecked) private(set) var phase = Phase.initWorker
  @exclusivity(unchecked) var pendingWait: LuaWait?
  /// Of the last request: where waits and timers of this host are kept.
  @exclusivity(unchecked) private(set) var eventLoop: (any EventLoop)?
  /// What the running timer keeps; nil while none runs.
  @exclusivity(unchecked) private var timerState: LuaRequestState?
  @exclusivity(unchecked) private var dueTimer = 0
  private var timerFunction = luaNoReference
  @exclusivity(unchecked) private var pendingTimers = 0
  /// Of the script that runs.
  @exclusivity(unchecked) var exchange = LuaScriptExchange()
  @exclusivity(unchecked) private var instances = LuaInstances()
  /// The instance that was looked up last; it is the one that runs.
  @exclusivity(unchecked) private var lastInstance: (key: Int, tenant: LuaTenant)?
  /// The plugin that is being loaded.
  @exclusivity(unchecked) private var loadingTenant: LuaTenant?
  @exclusivity(unchecked) private var tenant: LuaTenant?

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

  // MARK: Loading

  static let sandboxIsOff =
    "loading of untrusted Lua code disabled because 'untrusted_lua' config option is set to 'off'"

  /// Names a version of a plugin: its text counts, not only its name.
  private static func scope(of plugin: String, _ text: String) -> String {
    "\(plugin)#\(UInt(bitPattern: text.hashValue))"
  }

  /// Makes an environment of its own and loads a chunk into it; gives the reference of the chunk's function.
  func load(chunk text: String, named name: String, _ tenant: LuaTenant) throws(PluginCompileError) -> Int32 {
    let plugin = tenant.plugin
    raw.pointee.account = tenant.account
    defer { raw.pointee.account = 0 }
    guard settings.sandbox != .off else {
      throw PluginCompileError(plugin: plugin, reason: Self.sandboxIsOff)
    }
    let environment = slu_host_call_member(
      raw, prelude, "environment", settings.sandbox.rawValue, Self.scope(of: plugin, text))
    guard environment != luaNoReference else {
      throw PluginCompileError(plugin: plugin, reason: Self.errorMessage(raw))
    }
    defer { slu_host_release(raw, environment) }
    var text = text
    let function = text.withUTF8 { slu_host_load(raw, environment, name, $0.baseAddress, $0.count, tenant.isTrusted) }
    guard function != luaNoReference else {
      throw PluginCompileError(plugin: plugin, reason: Self.errorMessage(raw))
    }
    return function
  }

  /// Compiles the Lua texts of each phase in one environment; gives the reference of a table with one function per
  /// phase, which runs its texts in order.
  func load(functions phases: [String: JSONValue], _ tenant: LuaTenant) throws(PluginCompileError) -> Int32 {
    let plugin = tenant.plugin
    raw.pointee.account = tenant.account
    defer { raw.pointee.account = 0 }
    slu_clear_results(callMemory)
    LuaCall(raw: callMemory, host: self).returns(.object(phases))
    let table = slu_host_call_with_result(raw, prelude, "functions", settings.sandbox.rawValue, plugin)
    guard table != luaNoReference else {
      throw PluginCompileError(plugin: plugin, reason: Self.errorMessage(raw))
    }
    return table
  }

  /// Compiles Lua texts of a configuration; gives the reference of a table of functions `script1`, `script2` and so on,
  /// which take and give their values by way of `exchange`.
  func load(scripts texts: [String], returnFunctions: Bool, _ tenant: LuaTenant) throws(PluginCompileError) -> Int32 {
    let plugin = tenant.plugin
    raw.pointee.account = tenant.account
    defer { raw.pointee.account = 0 }
    slu_clear_results(callMemory)
    let call = LuaCall(raw: callMemory, host: self)
    call.returns(.array(texts.map { .string($0) }))
    call.returns(returnFunctions)
    let table = slu_host_call_with_result(raw, prelude, "scripts", settings.sandbox.rawValue, plugin)
    guard table != luaNoReference else {
      throw PluginCompileError(plugin: plugin, reason: Self.errorMessage(raw))
    }
    return table
  }

  /// Runs a loaded chunk once, outside of any request, and keeps what it returns if that is a table or function.
  ///
  /// - Parameter argument: Reference of what the chunk finds in `...`.
  func evaluate(
    _ function: Int32, argument: Int32 = luaNoReference, _ tenant: LuaTenant
  ) throws(PluginCompileError) -> Int32 {
    let plugin = tenant.plugin
    loadingTenant = tenant
    enter(nil, .initWorker, key: 0, plugin: plugin)
    raw.pointee.is_loading = true
    defer {
      raw.pointee.is_loading = false
      loadingTenant = nil
      leave()
    }
    var kept = luaNoReference
    let start = isTraced ? Self.processorTime() : 0
    let status = slu_host_start(raw, function, luaNoReference, argument, &kept)
    if isTraced, let trace = settings.trace { traceEnd(status, plugin: plugin, since: start, trace) }
    guard status == Int32(SLU_RUN_FINISHED) else {
      if status == Int32(SLU_RUN_WAITING) { slu_host_abandon(raw, raw.pointee.running) }
      countFailure(tenant, phase: "load")
      throw PluginCompileError(
        plugin: plugin,
        reason: status == Int32(SLU_RUN_FAILED) ? Self.errorMessage(raw) : "a plugin cannot wait while it is loaded")
    }
    return kept
  }

  /// The reference of a text in the state.
  func keep(text: String) -> Int32 {
    slu_clear_results(callMemory)
    LuaCall(raw: callMemory, host: self).returns(text)
    return slu_host_keep_result(raw)
  }

  func function(_ name: String, of table: Int32) -> Int32 { slu_host_function_member(raw, table, name) }

  /// Makes a Lua table of a configuration: nulls left out, and what Kong adds to each instance's.
  func keep(
    configurationOf instance: PluginInstance, schema: PluginSchema? = nil
  ) throws(PluginCompileError) -> Int32 {
    var members = resolved(instance.config, by: schema, of: instance.pluginName).object ?? [:]
    members["__plugin_id"] = .string(instance.id)
    members["plugin_instance_name"] = instance.instanceName.map { .string($0) }
    members["route_id"] = instance.routeID.map { .string($0) }
    members["service_id"] = instance.serviceID.map { .string($0) }
    members["consumer_id"] = instance.consumerID.map { .string($0) }
    members["consumer_group_id"] = instance.consumerGroupID.map { .string($0) }
    slu_clear_results(&raw.pointee.call)
    LuaCall(raw: callMemory, host: self).returns(.object(members))
    let reference = slu_host_keep_result(raw)
    guard reference != luaNoReference else {
      throw PluginCompileError(plugin: instance.pluginName, reason: Self.errorMessage(raw))
    }
    return reference
  }

  func release(_ reference: Int32) { slu_host_release(raw, reference) }

  var callMemory: UnsafeMutablePointer<slu_call> {
    UnsafeMutableRawPointer(raw).advanced(by: MemoryLayout<slu_host>.offset(of: \slu_host.call) ?? 0)
      .assumingMemoryBound(to: slu_call.self)
  }

  static func errorMessage(_ raw: UnsafeMutablePointer<slu_host>) -> String {
    guard let bytes = raw.pointee.error_message else { return "not enough memory" }
    return String(decoding: UnsafeRawBufferPointer(start: bytes, count: raw.pointee.error_length), as: UTF8.self)
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

  // MARK: Runs

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

  /// Counts what the calls of a request add to the memory of plugins, the small change left out.
  private func chargeRequest(_ context: RequestContext?) {
    let growth = raw.pointee.run_memory - raw.pointee.request_memory
    guard growth > Self.chargedGrowth, let context else { return }
    requestState(of: context).memory += growth
  }

  private static let chargedGrowth: Int64 = 1 << 20

  /// The phase of timers as the bridge knows it: none that a function could ask for.
  private static let timerPhase: UInt32 = 31

  var isTimer: Bool { timerState != nil }

  /// The light thread that runs, when it goes on after a wait, and what it has waited for.
  @exclusivity(unchecked) var runningThread: Int?
  @exclusivity(unchecked) var threadResults: LuaWait.Results?
  /// Idle connections of plugins.
  let socketPools = SocketPools()
  /// Who waits for a signal, by its token.
  var signals: [Int: LuaSignal] = [:]

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

  /// Runs a function as a phase of a plugin instance.
  func run(
    _ function: Int32, handler: Int32, configuration: Int32, key: Int, plugin: String, _ phase: Phase,
    _ context: RequestContext
  ) -> PhaseOutcome {
    enter(context, phase, key: key, plugin: plugin)
    let start = isTraced ? Self.processorTime() : 0
    let status = slu_host_start(raw, function, handler, configuration, nil)
    if isTraced, let trace = settings.trace { traceEnd(status, plugin: plugin, since: start, trace) }
    return conclude(status, key: key, plugin: plugin, phase, context)
  }

  func conclude(
    _ status: Int32, key: Int, plugin: String, _ phase: Phase, _ context: RequestContext?
  ) -> PhaseOutcome {
    let timer = timerState
    var status = status
    while true {
      switch Int(status) {
      case SLU_RUN_FINISHED, SLU_RUN_EXITED:
        let waits = waitsForThreads(exited: Int(status) == SLU_RUN_EXITED)
        chargeRequest(context)
        leave()
        return waits ? .suspended : .finished
      case SLU_RUN_WAITING:
        let run = LuaRun(self, raw.pointee.running, key: key, plugin: plugin, phase, timer, startedState)
        leave()
        guard let wait = pendingWait, let eventLoop else { return .failed }
        pendingWait = nil
        var immediate: LuaWait.Results?
        var hasReturned = false
        wait.begin(context, eventLoop) { results in
          if hasReturned {
            run.host.goOn(run, context, results)
          } else {
            immediate = results
          }
        }
        hasReturned = true
        guard let results = immediate else { return .suspended }
        status = resume(run, context, results)
      default:
        logFailure(plugin: plugin, phase: phase)
        startedState?.endThreads()
        let tenant = tenant
        leave()
        if let context { giveUpIfFull(tenant, on: context.loop) }
        return .failed
      }
    }
  }

  private func resume(_ run: LuaRun, _ context: RequestContext?, _ results: LuaWait.Results) -> Int32 {
    enter(context, run.phase, key: run.key, plugin: run.plugin, timer: run.timer)
    slu_clear_results(callMemory)
    results(LuaCall(raw: callMemory, host: self))
    let start = isTraced ? Self.processorTime() : 0
    let status = slu_host_resume(raw, run.take(), nil)
    if isTraced, let trace = settings.trace { traceEnd(status, plugin: run.plugin, since: start, trace) }
    return status
  }

  private func goOn(_ run: LuaRun, _ context: RequestContext?, _ results: LuaWait.Results) {
    // One of the phase's threads has ended the phase meanwhile.
    guard run.isWanted else { return }
    let status = resume(run, context, results)
    let outcome = conclude(status, key: run.key, plugin: run.plugin, run.phase, context)
    if case .suspended = outcome { return }
    context?.resume(outcome)
  }

  // MARK: Timers

  private static let pendingTimerLimit = 16384

  /// Has the prelude's timer of that number run later.
  func startTimer(_ number: Int, after delay: Double) throws(LuaFault) -> Bool {
    guard let eventLoop, pendingTimers < Self.pendingTimerLimit else { return false }
    pendingTimers += 1
    let key = pluginKey
    let plugin = pluginName ?? "timer"
    // The timer runs on this host's loop.
    nonisolated(unsafe) let host = self
    eventLoop.scheduleTask(in: .microseconds(Int64(max(0, min(delay, 1e9)) * 1_000_000))) {
      host.runTimer(number, key: key, plugin: plugin)
    }
    return true
  }

  /// Number of the timer that begins to run.
  var numberOfDueTimer: Int { dueTimer }

  private func runTimer(_ number: Int, key: Int, plugin: String) {
    pendingTimers -= 1
    if timerFunction == luaNoReference { timerFunction = function("run_timer", of: prelude) }
    dueTimer = number
    enter(nil, .initWorker, key: key, plugin: plugin, timer: LuaRequestState(self))
    let status = slu_host_start(raw, timerFunction, luaNoReference, luaNoReference, nil)
    _ = conclude(status, key: key, plugin: plugin, .initWorker, nil)
  }

  // MARK: Log

  /// The limit that made the last run fail.
  var failure: LuaLimit? {
    switch Int(raw.pointee.failure) {
    case SLU_ABORT_CPU: .cpuTime
    case SLU_ABORT_COROUTINES: .coroutines
    case SLU_ABORT_REQUEST_MEMORY: .requestMemory
    case SLU_ABORT_PLUGIN_MEMORY: .pluginMemory
    case SLU_ABORT_STATE_MEMORY: .stateMemory
    default: nil
    }
  }

  /// The id of the request that runs; nil in a TLS handshake, of which there is none.
  var loggedRequestID: String? { context?.handshake == nil ? context?.requestID : nil }

  private func countFailure(_ tenant: LuaTenant?, phase: String) {
    guard let tenant, let failure else { return }
    settings.meter.count(
      LuaMeter.Key(plugin: tenant.plugin, version: tenant.version, phase: phase, limit: failure))
  }

  func logFailure(plugin: String, phase: Phase) {
    let message = Self.errorMessage(raw)
    let phaseName = isTimer ? "timer" : phase.name
    var line = "[kong] [\(plugin)] failed in \(phaseName): \(message)\(LuaAbsence.hint(for: message))"
    if let tenant, failure != nil { line += " (version \(tenant.version))" }
    countFailure(tenant, phase: phaseName)
    if raw.pointee.traceback_length > 0, let text = raw.pointee.error_traceback {
      line += "\n"
      line += String(
        decoding: UnsafeRawBufferPointer(start: text, count: raw.pointee.traceback_length), as: UTF8.self)
    }
    settings.logSink.write(.err, line: line, requestID: loggedRequestID)
  }
}

/// A waiting run; gives its coroutine up when nobody can go on with it any more.
private final class LuaRun {
  let host: LuaHost
  let key: Int
  let plugin: String
  let phase: Phase
  let timer: LuaRequestState?
  private let state: LuaRequestState?
  private let generation: Int
  private var thread: slu_thread?

  init(
    _ host: LuaHost, _ thread: slu_thread, key: Int, plugin: String, _ phase: Phase, _ timer: LuaRequestState?,
    _ state: LuaRequestState?
  ) {
    self.state = state
    generation = state?.threadGeneration ?? 0
    self.timer = timer
    self.host = host
    self.thread = thread
    self.key = key
    self.plugin = plugin
    self.phase = phase
  }

  var isWanted: Bool { state?.threadGeneration ?? 0 == generation }

  func take() -> slu_thread {
    guard let thread else { preconditionFailure("a run goes on once") }
    self.thread = nil
    return thread
  }

  deinit {
    if let thread { slu_host_abandon(host.raw, thread) }
  }
}

/// What plugins keep for one request.
final class LuaRequestState {
  let host: LuaHost
  /// Lua table of `kong.ctx.shared`, `kong.ctx.plugin` of each instance and `ngx.ctx`.
  var reference = luaNoReference
  /// Response chunks that an instance's body_filter holds back, by its key.
  var bufferedBodies: [Int: ByteBuffer] = [:]
  /// Bytes that earlier calls of the request have added to the memory of plugins.
  var memory: Int64 = 0
  /// Open client sockets by their number.
  var sockets: [Int: LuaSocket] = [:]
  var datagramSockets: [Int: LuaDatagramSocket] = [:]
  var lastSocket = 0
  /// The client's token, as a plugin that authenticates has kept it.
  var token: String?
  /// Numbers of the light threads that have not ended.
  var threads: Set<Int> = []
  var nextThread = 1
  /// Tokens of those who wait for threads.
  var joins: Set<Int> = []
  /// Goes up when the threads of a phase are ended from outside.
  var threadGeneration = 0
  /// The phase's function has ended, but not its threads.
  var isWaitingForThreads = false

  init(_ host: LuaHost) { self.host = host }

  deinit {
    host.release(reference)
    for socket in sockets.values { socket.close() }
    for socket in datagramSockets.values { socket.close() }
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
