import CLuaBridge
import PluginKit

extension LuaHost {
  /// Replaces a state that stays full: when a run has failed, everything unused has been collected, and more than three
  /// quarters of the memory are still in use, the loop gets a new state at its next use. Requests that wait in the old
  /// one end there; what plugins kept in it is lost.
  func giveUpIfFull(on loop: LoopServices) {
    let bound = settings.memoryLimit / 4 * 3
    guard memoryUsed > bound else { return }
    slu_host_collect_garbage(raw)
    guard memoryUsed > bound, loop.scriptHost === self else { return }
    loop.scriptHost = nil
    settings.logSink.write(
      .err,
      line: "[kong] the Lua state of event loop \(loop.index) holds \(memoryUsed) of \(settings.memoryLimit) bytes and "
        + "is replaced; what plugins kept in it is lost", requestID: nil)
  }
}
