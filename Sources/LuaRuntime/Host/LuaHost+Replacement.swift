import CLuaBridge
import PluginKit

extension LuaHost {
  /// Looks after memory when a run has failed: a plugin that keeps more than it may is loaded anew at its next use, and
  /// a state that stays full is replaced.
  func giveUpIfFull(_ tenant: LuaTenant?, on loop: LoopServices) {
    if failure == .pluginMemory, let tenant { giveUpIfFull(tenant) }
    replaceIfFull(on: loop)
  }

  /// When everything unused has been collected and the plugin still holds a quarter of what it may, it is taken out of
  /// the state: the rest is not enough for its calls, and it would fail for ever. What it kept is lost.
  private func giveUpIfFull(_ tenant: LuaTenant) {
    slu_host_collect_garbage(raw)
    let used = tenant.memoryUsed
    guard used > tenant.memoryLimit / 4 else { return }
    forget(tenant)
    // The call that failed still holds the handler.
    raw.pointee.collects_next = true
    settings.logSink.write(
      .err,
      line: "[kong] [\(tenant.plugin)] version \(tenant.version) holds \(used) of \(tenant.memoryLimit) bytes on event "
        + "loop \(loopIndex) and is loaded anew; what it kept is lost", requestID: nil)
  }

  /// Replaces a state that stays full: when a run has failed, everything unused has been collected, and more than three
  /// quarters of the memory are still in use, the loop gets a new state at its next use. Requests that wait in the old
  /// one end there; what plugins kept in it is lost.
  private func replaceIfFull(on loop: LoopServices) {
    let bound = settings.memoryLimit / 4 * 3
    guard memoryUsed > bound else { return }
    slu_host_collect_garbage(raw)
    guard memoryUsed > bound, loop.scriptHost === self else { return }
    loop.scriptHost = nil
    settings.meter.countReplacedState()
    settings.logSink.write(
      .err,
      line: "[kong] the Lua state of event loop \(loop.index) holds \(memoryUsed) of \(settings.memoryLimit) bytes and "
        + "is replaced; what plugins kept in it is lost", requestID: nil)
  }
}
