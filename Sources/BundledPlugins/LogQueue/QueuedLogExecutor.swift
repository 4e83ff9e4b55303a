import NIOCore
import PluginKit

/// Logs one request: makes the entry and hands it to the queue of where it is sent.
struct QueuedLogExecutor: PluginExecutor {
  let phases = PhaseSet(.log)
  /// Instances with the same key share a queue.
  let key: String
  let pluginName: String
  let parameters: LogQueueParameters
  let delivery: LogDelivery
  let customFields: CustomLogFields
  let context: PluginCompileContext

  func prepare(on loop: LoopServices) throws(PluginCompileError) { try customFields.prepare(on: loop) }

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    let logger = self.context.logger
    customFields.apply(to: context, plugin: pluginName, logger: logger)
    LogQueues.of(context, self.context.services).enqueue(
      ByteBuffer(bytes: context.serialized().serialized()), key: key, plugin: pluginName, parameters, delivery, logger)
    return .finished
  }
}
