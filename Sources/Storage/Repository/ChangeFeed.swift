import Synchronization

/// Tells whoever asked that the configuration changed; says only that, since a snapshot is always read whole.
public final class ChangeFeed: Sendable {
  private struct State {
    var nextToken: UInt64 = 0
    var observers: [UInt64: @Sendable () -> Void] = [:]
  }

  private let state = Mutex(State())

  public init() {}

  /// Calls `observer` after each change, on the writer's task: it must return quickly. The subscription ends with
  /// `cancel`.
  @discardableResult
  public func onChange(_ observer: @escaping @Sendable () -> Void) -> Subscription {
    let token = state.withLock { state in
      state.nextToken += 1
      state.observers[state.nextToken] = observer
      return state.nextToken
    }
    return Subscription(feed: self, token: token)
  }

  /// Changes as a sequence; changes that come while the reader is busy coalesce into one element.
  public func stream() -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let subscription = onChange { continuation.yield() }
    continuation.onTermination = { _ in subscription.cancel() }
    return stream
  }

  /// Tells all observers. Called by stores after a commit.
  public func publish() {
    let observers = state.withLock { Array($0.observers.values) }
    for observer in observers { observer() }
  }

  /// One registration.
  public struct Subscription: Sendable {
    let feed: ChangeFeed
    let token: UInt64

    public func cancel() {
      feed.state.withLock { _ = $0.observers.removeValue(forKey: token) }
    }
  }
}
