import CLuaBridge
import PluginKit

extension LuaHost {
  /// Runs the function that a plugin gave to `kong.service.set_target_retry_callback`, in the balancer phase.
  func runRetryCallback(key: Int, plugin: String, _ context: RequestContext) {
    let function = self.function("run_retry", of: prelude)
    guard function != luaNoReference else { return }
    defer { release(function) }
    let earlier = (context.phase, context.runningPlugin)
    context.enter(.balancer, running: nil)
    enter(context, .balancer, key: key, plugin: plugin)
    let status = slu_host_start(raw, function, luaNoReference, luaNoReference, nil)
    _ = conclude(status, key: key, plugin: plugin, .balancer, context)
    context.enter(earlier.0, running: earlier.1)
  }
}
