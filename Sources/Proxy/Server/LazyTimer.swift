import NIOCore

/// A deadline that moves often and rarely passes.
///
/// Moving it later costs a store: the scheduled task is left alone and, when it fires early, is scheduled again for what
/// is left. Confined to its event loop.
struct LazyTimer {
  private var deadline = NIODeadline.distantFuture
  private var task: Scheduled<Void>?
  private var taskDeadline = NIODeadline.distantFuture

  /// Sets the deadline. `fire` is called on the event loop when a task is due; it must call `isDue`.
  mutating func set(_ deadline: NIODeadline, on eventLoop: any EventLoop, _ fire: @escaping () -> Void) {
    self.deadline = deadline
    if task != nil, taskDeadline <= deadline { return }
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

  /// Called by the task: whether the deadline has passed. If not, and one is set, the task is scheduled anew.
  mutating func isDue(now: NIODeadline, on eventLoop: any EventLoop, _ fire: @escaping () -> Void) -> Bool {
    task = nil
    taskDeadline = .distantFuture
    if deadline == .distantFuture { return false }
    if deadline <= now {
      deadline = .distantFuture
      return true
    }
    set(deadline, on: eventLoop, fire)
    return false
  }
}
