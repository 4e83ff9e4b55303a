import Logging
import NIOCore
import PluginKit

/// The log queues of one event loop, by their keys. They outlive configurations; an empty one is forgotten.
final class LogQueues {
  private var queues: [String: LogQueue] = [:]
  private let eventLoop: any EventLoop

  private init(on eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  /// Those of the request's loop. Made at the first use; the end of the gateway then waits for them.
  static func of(_ context: RequestContext, _ services: PluginServices) -> LogQueues {
    context.loop.kept(LogQueues.self) {
      let eventLoop = context.driver.eventLoop
      let queues = LogQueues(on: eventLoop)
      let bound = NIOLoopBound(queues, eventLoop: eventLoop)
      services.lifetime.atEnd("log queues of event loop \(context.loop.index)") { deadline in
        try? await eventLoop.flatSubmit { bound.value.finish(by: deadline) }.get()
      }
      return queues
    }
  }

  /// Puts an entry into the queue of that key, which takes up what comes with the entry.
  func enqueue(
    _ entry: ByteBuffer, key: String, plugin: String, _ parameters: LogQueueParameters, _ delivery: LogDelivery,
    _ logger: Logger
  ) {
    let queue: LogQueue
    if let known = queues[key] {
      queue = known
    } else {
      queue = LogQueue(plugin: plugin, delivery: delivery, logger: logger, on: eventLoop) { [weak self] in
        self?.queues[key] = nil
      }
      queues[key] = queue
    }
    queue.enqueue(entry, parameters, delivery, logger)
  }

  /// Entries that are not sent yet.
  var count: Int { queues.values.reduce(0) { $0 + $1.count } }

  private func finish(by deadline: NIODeadline) -> EventLoopFuture<Void> {
    EventLoopFuture.andAllComplete(queues.values.map { $0.finish(by: deadline) }, on: eventLoop)
  }
}
