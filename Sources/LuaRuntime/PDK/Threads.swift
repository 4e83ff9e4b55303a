import CLuaBridge
import NIOCore
import PluginKit

/// What `ngx.thread` and `ngx.semaphore` are made of. Source: Kong fact, pdk §7.
///
/// A light thread is a coroutine of the prelude. While it waits it is parked here, apart from the run that spawned it;
/// when its wait is over it goes on in a run of its own. A phase ends when its threads have ended.
enum ThreadNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("thread.number", .any, level: .internal, "A new number for a thread.") { (call) throws(LuaFault) in
      guard let state = call.host.runningState else { throw LuaFault("no request found") }
      guard state.threads.count < LuaThread.limit else { throw LuaFault("too many light threads") }
      let number = state.nextThread
      state.nextThread += 1
      state.threads.insert(number)
      call.returns(number)
    },
    PDKFunction("thread.park", .any, level: .internal, "Leaves the thread's wait to the host.") {
      (call) throws(LuaFault) in try call.host.park(number(call))
    },
    PDKFunction("thread.defer", .any, level: .internal, "Has the thread go on soon.") { (call) throws(LuaFault) in
      try call.host.deferThread(number(call))
    },
    PDKFunction("thread.due", .any, level: .internal, "Number of the thread that goes on.") {
      (call) throws(LuaFault) in call.returns(call.host.runningThread ?? 0)
    },
    PDKFunction("thread.results", .any, level: .internal, "What the thread has waited for.") {
      (call) throws(LuaFault) in
      let results = call.host.threadResults
      call.host.threadResults = nil
      results?(call)
    },
    PDKFunction("thread.ended", .any, level: .internal, "The thread has ended.") { (call) throws(LuaFault) in
      let number = try number(call)
      call.host.runningState?.threads.remove(number)
    },
    PDKFunction("thread.is_alive", .any, level: .internal, "Whether the thread has not ended.") {
      (call) throws(LuaFault) in
      let number = try number(call)
      call.returns(call.host.runningState?.threads.contains(number) == true)
    },
    .controlling(
      "signal.wait", .any, level: .internal, arguments: "token, seconds, is_join",
      "Waits for a signal: true, or false.",
      { (call) throws(LuaFault) in
        let token = try number(call)
        let host = call.host
        let seconds = call.number(1) ?? 0
        let isJoin = call.isTruthy(2)
        let state = host.runningState
        return .wait(
          LuaWait { _, eventLoop, completion in
            // Everything happens on the one event loop.
            nonisolated(unsafe) let host = host
            let deadline = eventLoop.scheduleTask(in: .nanoseconds(Int64(max(0, min(seconds, 1e9)) * 1e9))) {
              if let signal = host.signals.removeValue(forKey: token) { signal.completion { $0.returns(false) } }
            }
            host.signals[token] = LuaSignal(deadline: deadline, completion: completion)
            if isJoin { state?.joins.insert(token) }
          })
      }),
    PDKFunction("signal.wake", .any, level: .internal, "Ends the wait for a signal.") { (call) throws(LuaFault) in
      let token = try number(call)
      guard let signal = call.host.signals.removeValue(forKey: token) else { return call.returns(false) }
      signal.deadline.cancel()
      // Not now: another run is under way.
      nonisolated(unsafe) let completion = signal.completion
      call.host.eventLoop?.execute { completion { $0.returns(true) } }
      call.returns(true)
    },
  ]

  static let declarations: [PreludeFunction] = [
    PreludeFunction(
      "ngx.thread.spawn", level: .lax, arguments: "function, ...", "Runs a function beside the running one."),
    PreludeFunction(
      "ngx.thread.wait", level: .lax, arguments: "thread, ...", "Waits for the first of some threads to end."),
    PreludeFunction("ngx.thread.kill", level: .lax, arguments: "thread", "Ends a thread."),
  ]

  private static func number(_ call: LuaCall) throws(LuaFault) -> Int {
    guard let number = call.number(0).flatMap({ Int(exactly: $0) }) else { throw LuaFault("not a thread") }
    return number
  }
}

/// Somebody who waits for a signal.
struct LuaSignal {
  let deadline: Scheduled<Void>
  let completion: (@escaping LuaWait.Results) -> Void
}

/// A thread whose wait is left to the host, with what its run needs.
struct LuaThread {
  /// Threads that one request or timer may have at a time.
  static let limit = 256

  let number: Int
  let state: LuaRequestState
  let context: RequestContext?
  let phase: Phase
  let key: Int
  let plugin: String
  let timer: LuaRequestState?
  /// The generation of the state's threads that it belongs to.
  let generation: Int
}

extension LuaHost {
  private func thread(_ number: Int) throws(LuaFault) -> LuaThread {
    guard let state = runningState else { throw LuaFault("no request found") }
    return LuaThread(
      number: number, state: state, context: context, phase: phase, key: pluginKey, plugin: pluginName ?? "thread",
      timer: isTimer ? state : nil, generation: state.threadGeneration)
  }

  fileprivate func park(_ number: Int) throws(LuaFault) {
    guard let wait = pendingWait, let eventLoop else { throw LuaFault("nothing to wait for") }
    pendingWait = nil
    raw.pointee.suspended = false
    let thread = try thread(number)
    var isInside = true
    wait.begin(context, eventLoop) { [self] results in
      guard isInside else { return goOn(thread, results) }
      later(thread, results, on: eventLoop)
    }
    isInside = false
  }

  fileprivate func deferThread(_ number: Int) throws(LuaFault) {
    guard let eventLoop else { throw LuaFault("no event loop") }
    later(try thread(number), { _ in }, on: eventLoop)
  }

  private func later(_ thread: LuaThread, _ results: @escaping LuaWait.Results, on eventLoop: any EventLoop) {
    // The same event loop, after the run that is under way.
    nonisolated(unsafe) let (host, thread, results) = (self, thread, results)
    eventLoop.execute { host.goOn(thread, results) }
  }

  private func goOn(_ thread: LuaThread, _ results: @escaping LuaWait.Results) {
    let state = thread.state
    guard state.threadGeneration == thread.generation, state.threads.contains(thread.number) else { return }
    let function = self.function("run_thread", of: prelude)
    guard function != luaNoReference else { return }
    defer { release(function) }
    enter(thread.context, thread.phase, key: thread.key, plugin: thread.plugin, timer: thread.timer)
    runningThread = thread.number
    threadResults = results
    let status = slu_host_start(raw, function, luaNoReference, luaNoReference, nil)
    runningThread = nil
    threadResults = nil
    switch Int(status) {
    case SLU_RUN_FINISHED: leave()
    case SLU_RUN_EXITED:
      state.endThreads()
      leave()
      thread.context?.resume(.finished)
      return
    default:
      if Int(status) == SLU_RUN_WAITING { slu_host_abandon(raw, raw.pointee.running) }
      logFailure(plugin: thread.plugin, phase: thread.phase)
      leave()
      state.threads.remove(thread.number)
      // Whoever waits for it looks again.
      for (_, signal) in signals.filter({ state.joins.contains($0.key) }) {
        signal.deadline.cancel()
        // Sound: the wait ends on the event loop that began it.
        nonisolated(unsafe) let completion = signal.completion
        eventLoop?.execute { completion { $0.returns(true) } }
      }
      for token in state.joins { signals[token] = nil }
    }
    if state.threads.isEmpty, state.isWaitingForThreads {
      state.isWaitingForThreads = false
      thread.context?.resume(.finished)
    }
  }

  /// Called when the function of a phase has ended: whether the phase goes on because of its threads.
  func waitsForThreads(exited: Bool) -> Bool {
    guard let state = startedState, !state.threads.isEmpty else { return false }
    if exited {
      state.endThreads()
      return false
    }
    state.isWaitingForThreads = true
    return true
  }
}

extension LuaRequestState {
  /// Nothing that waits for this phase goes on any more.
  func endThreads() {
    threads.removeAll()
    joins.removeAll()
    isWaitingForThreads = false
    threadGeneration += 1
  }
}
