import CLuaBridge
import PluginKit

/// A waiting run; gives its coroutine up when nobody can go on with it any more.
final class LuaRun {
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
