import CLuaBridge
import NIOCore
import PluginKit

extension LuaHost {
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
}
