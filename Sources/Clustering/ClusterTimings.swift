import NIOCore

/// The intervals of the protocol (Kong fact, hybrid §1), to be shortened by tests alone.
public struct ClusterTimings: Sendable {
  /// How often a data plane reports its hash.
  public var pingInterval: TimeAmount = .seconds(30)
  /// How long either end waits for a sign of life.
  public var liveness: TimeAmount = .seconds(45)
  /// How long a peer may take from the first byte to its first frame.
  public var handshake: TimeAmount = .seconds(10)
  /// The least time between two configurations for the same data planes; changes in between are sent together.
  /// Kong compatibility: Kong waits `db_update_frequency` (5 s) between two pushes.
  public var pushSpacing: TimeAmount = .milliseconds(50)
  /// How long a change waits for others, so that a plugin and its instance, written one after the other, travel together.
  public var pushGathering: TimeAmount = .milliseconds(15)
  /// How long no configuration must have come before a data plane writes its last-good copy, in milliseconds. Random, so
  /// that data planes on one machine do not write at the same time.
  public var copyQuiet = 1000...3000
  /// How long, in milliseconds, a configuration may wait for that.
  public var copyLongest = 15_000

  public init() {}
}

/// How long a data plane waits before it tries its control plane again.
public struct ReconnectDelay: Sendable {
  let delay: @Sendable (_ attempt: Int) -> Duration

  /// - Parameter delay: the wait before the given attempt, counted from 1 since the last connection that stood.
  public init(_ delay: @escaping @Sendable (_ attempt: Int) -> Duration) { self.delay = delay }

  /// Random 5 to 10 seconds, as in Kong. Kong compatibility: the first three attempts wait half a second, one and two
  /// seconds (up to half as long again at random), so that a control plane that restarts is found at once.
  public static let standard = ReconnectDelay { attempt in
    attempt <= 3
      ? .milliseconds((500 << max(0, attempt - 1)) * Int.random(in: 100...150) / 100)
      : .milliseconds(Int.random(in: 5000...10000))
  }
}
