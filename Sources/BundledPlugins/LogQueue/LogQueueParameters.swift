import EntityModel
import NIOCore

/// The `queue` of a plugin's configuration. Source: Kong fact, bundled-16 §15.
struct LogQueueParameters: Sendable, Equatable {
  var maxBatchSize = 1
  var maxCoalescingDelay = TimeAmount.seconds(1)
  var maxEntries = 10_000
  /// Of the entries that wait; nil for no bound.
  var maxBytes: Int?
  var maxRetryTime = TimeAmount.seconds(60)
  var initialRetryDelay = TimeAmount.milliseconds(10)
  var maxRetryDelay = TimeAmount.seconds(60)
  /// Entries do not wait for one another: `concurrency_limit` -1.
  var isConcurrent = false

  init() {}

  init(_ queue: JSONValue?) {
    guard let queue else { return }
    if let count = queue["max_batch_size"]?.integer { maxBatchSize = Int(max(1, count)) }
    if let delay = queue["max_coalescing_delay"]?.double { maxCoalescingDelay = .seconds(fractional: delay) }
    if let count = queue["max_entries"]?.integer { maxEntries = Int(max(1, count)) }
    maxBytes = queue["max_bytes"]?.integer.map { Int($0) }
    if let time = queue["max_retry_time"]?.double { maxRetryTime = .seconds(fractional: time) }
    if let delay = queue["initial_retry_delay"]?.double { initialRetryDelay = .seconds(fractional: delay) }
    if let delay = queue["max_retry_delay"]?.double { maxRetryDelay = .seconds(fractional: delay) }
    isConcurrent = queue["concurrency_limit"]?.integer == -1
  }

  /// The time to wait after so many failures: doubled each time, up to the bound.
  func retryDelay(after failures: Int) -> TimeAmount {
    var delay = initialRetryDelay
    for _ in 1..<max(1, failures) {
      if delay >= maxRetryDelay { break }
      delay = delay + delay
    }
    return min(delay, maxRetryDelay)
  }
}

extension TimeAmount {
  /// A time of a configuration, in seconds; beyond a hundred years it is a hundred years.
  static func seconds(fractional seconds: Double) -> TimeAmount {
    guard seconds.isFinite, seconds > 0 else { return .nanoseconds(seconds == .infinity ? longest : 0) }
    return .nanoseconds(Int64(min(seconds * 1e9, Double(longest))))
  }

  private static let longest: Int64 = 100 * 365 * 86_400 * 1_000_000_000
}
