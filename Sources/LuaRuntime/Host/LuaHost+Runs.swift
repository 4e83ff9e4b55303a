import CLuaBridge
import PluginKit

/// Runs of plugin phases, and how they wait and go on.
extension LuaHost {
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

  /// Counts what the calls of a request add to the memory of plugins, the small change left out.
  private func chargeRequest(_ context: RequestContext?) {
    let growth = raw.pointee.run_memory - raw.pointee.request_memory
    guard growth > Self.chargedGrowth, let context else { return }
    requestState(of: context).memory += growth
  }

  private static let chargedGrowth: Int64 = 1 << 20
}
