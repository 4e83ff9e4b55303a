import Logging

/// What a control plane needs to serve data planes.
public struct ControlPlaneConfiguration: Sendable {
  public var identity: ClusterIdentity
  /// The version spoken, for example `3.15.0.0`.
  public var version: String
  /// Versions of this node's bundled plugins, by name.
  public var plugins: [String: String]
  /// `cluster_max_payload`: the most compressed bytes that are sent or taken.
  public var maxPayload: Int
  /// `cluster_data_plane_purge_delay` in seconds.
  public var purgeDelay: Int64
  public var timings: ClusterTimings
  public var logger: Logger

  public init(
    identity: ClusterIdentity, version: String = "3.15.0.0", plugins: [String: String],
    maxPayload: Int = 16 * 1024 * 1024, purgeDelay: Int64 = 1_209_600, timings: ClusterTimings = ClusterTimings(),
    logger: Logger
  ) {
    self.identity = identity
    self.version = version
    self.plugins = plugins
    self.maxPayload = min(max(1, maxPayload), Int(Int32.max))
    self.purgeDelay = purgeDelay
    self.timings = timings
    self.logger = logger
  }
}
