import NIOCore
import Synchronization

/// What plugins still have to do when the last request is over, such as sending the logs that wait.
///
/// One for the process; the composition root ends it before the event loops and the outbound clients stop.
public final class PluginLifetime: Sendable {
  /// Finishes, by the deadline at the latest.
  public typealias Finish = @Sendable (_ deadline: NIODeadline) async -> Void

  private let work = Mutex<[String: Finish]>([:])

  public init() {}

  /// Has `finish` called once when the gateway ends; what had the same name before is forgotten.
  public func atEnd(_ name: String, _ finish: @escaping Finish) {
    work.withLock { $0[name] = finish }
  }

  /// Finishes everything at the same time and returns when all is done.
  public func end(by deadline: NIODeadline) async {
    let work = work.withLock { work in
      defer { work = [:] }
      return work
    }
    await withTaskGroup(of: Void.self) { group in
      for finish in work.values { group.addTask { await finish(deadline) } }
    }
  }
}
