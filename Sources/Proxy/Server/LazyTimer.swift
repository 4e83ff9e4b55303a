import NIOCore

/// A deadline that moves often and rarely passes.
///
/// Moving it later costs a store: the scheduled task is left alone and, when it fires early, is scheduled again for
/// what is left. Confined to its event loop.
struct LazyTimer {
  private var deadline = NIODeadline.distantFuture
  private var task: Scheduled<Void>?
  private var taskDeadline = NIODeadline.distantFuture

  /// Sets the deadline.
  ///
  /// - Returns: Whether `schedule` must be called, since no task would fire in time. Asked apart so that the task's
  ///   closure is made only then.
  mutating func move(to deadline: NIODeadline) -> Bool {
    self.deadline = deadline
    return task == nil || taskDeadline > deadline
  }

  /// Schedules a task for the deadline. `fire` is called on the event loop and must call `isDue`.
  mutating func schedule(on eventLoop: any EventLoop, _ fire: @escaping () -> Void) {
    task?.cancel()
    taskDeadline = deadline
    task = eventLoop.assumeIsolated().scheduleTask(deadline: deadline, fire)
  }

  /// Nothing is due any more; a scheduled task may still fire and finds that.
  mutating func clear() { deadline = .distantFuture }

  /// Frees the task and with it what the task refers to.
  mutating func cancel() {
    deadline = .distantFuture
    taskDeadline = .distantFuture
    task?.cancel()
    task = nil
  }

  enum Firing {
    case due
    /// The deadline has moved: `schedule` must be called.
    case early
    case cleared
  }

  /// Called by the task.
  mutating func fired(now: NIODeadline) -> Firing {
    task = nil
    taskDeadline = .distantFuture
    if deadline == .distantFuture { return .cleared }
    if deadline > now { return .early }
    deadline = .distantFuture
    return .due
  }
}
