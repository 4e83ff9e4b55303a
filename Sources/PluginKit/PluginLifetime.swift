import NIOCore
import Synchronization

/// What plugins still have to do when the last request is over, such as sending the logs that wait.
///
/// One for the process; the composition root ends it before the event loops and the outbound client stop.
public final class PluginLifetime: Sendable {
  /// Begins to finish; the future is done at the deadline at the latest.
  public typealias Finish = @Sendable (_ deadline: NIODeadline) -> EventLoopFuture<Void>

  private let work = Mutex<[Finish]>([])

  public init() {}

  /// Has `finish` called once when the gateway ends.
  public func atEnd(_ finish: @escaping Finish) {
    work.withLock { $0.append(finish) }
  }

  /// Finishes everything at once and returns when all is done or the deadline has passed.
  public func end(by deadline: NIODeadline) async {
    let work = work.withLock { work in
      defer { work = [] }
      return work
    }
    for done in work.map({ $0(deadline) }) { try? await done.get() }
  }
}
