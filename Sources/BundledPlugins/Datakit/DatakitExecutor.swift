import EntityModel
import Logging
import NIOCore
import PluginKit

/// Runs the plan of one instance: nodes before the service is asked in access, the others in response.
final class DatakitExecutor: PluginExecutor {
  let phases: PhaseSet
  let plan: DatakitPlan
  let instance: PluginInstance
  let outbound: any OutboundHTTPClient
  let logger: Logger

  /// Time that one jq program may take.
  static let jqMilliseconds = 2000

  init(plan: DatakitPlan, instance: PluginInstance, outbound: any OutboundHTTPClient, logger: Logger) {
    self.plan = plan
    self.instance = instance
    self.outbound = outbound
    self.logger = logger
    // A trace takes the place of the response.
    phases = PhaseSet(plan.hasNodesAfterResponse || plan.isDebugging ? [.access, .response] : [.access])
  }

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    switch phase {
    case .access:
      let run = DatakitRun(self, context)
      if phases.contains(.response) { context.pluginStates[self, as: DatakitRun.self] = run }
      return run.begin(afterResponse: false)
    case .response:
      return context.pluginStates[self, as: DatakitRun.self]?.begin(afterResponse: true) ?? .finished
    default: return .finished
    }
  }
}
