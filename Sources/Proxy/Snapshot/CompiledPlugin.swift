import EntityModel
import Expressions
import PluginKit

/// One enabled plugin instance of a snapshot, ready to run.
final class CompiledPlugin: Sendable {
  let instance: PluginInstance
  let executor: any PluginExecutor
  let phases: PhaseSet
  /// Evaluated right before `access`; false skips access and all later phases of this plugin.
  let condition: Condition?
  /// Names of plugins before and after whose access this one must run.
  let runsBefore: [String]
  let runsAfter: [String]
  /// The executor may hold consumers, credentials and certificates of the snapshot it was made for.
  let usesContext: Bool

  init(
    instance: PluginInstance, executor: any PluginExecutor, condition: Condition?, runsBefore: [String],
    runsAfter: [String], usesContext: Bool
  ) {
    self.instance = instance
    self.executor = executor
    self.phases = executor.phases
    self.condition = condition
    self.runsBefore = runsBefore
    self.runsAfter = runsAfter
    self.usesContext = usesContext
  }
}
