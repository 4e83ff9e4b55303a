import EntityModel
import Logging

/// What a data plane needs to follow a control plane.
public struct DataPlaneConfiguration: Sendable {
  public var identity: ClusterIdentity
  /// The control plane's address.
  public var host: String
  public var port: Int
  public var nodeID: String
  public var hostname: String
  /// The version spoken, for example `3.15.0.0`.
  public var version: String
  public var info: BasicInfo
  /// `cluster_max_payload`: the most compressed bytes that are taken.
  public var maxPayload: Int
  public var lastGoodCopy: LastGoodCopy?
  public var timings: ClusterTimings
  public var reconnectDelay: ReconnectDelay
  public var logger: Logger

  public init(
    identity: ClusterIdentity, host: String, port: Int, nodeID: String, hostname: String,
    version: String = "3.15.0.0", info: BasicInfo, maxPayload: Int = 16 * 1024 * 1024,
    lastGoodCopy: LastGoodCopy? = nil, timings: ClusterTimings = ClusterTimings(),
    reconnectDelay: ReconnectDelay = .standard, logger: Logger
  ) {
    self.identity = identity
    self.host = host
    self.port = port
    self.nodeID = nodeID
    self.hostname = hostname
    self.version = version
    self.info = info
    self.maxPayload = min(max(1, maxPayload), Int(Int32.max))
    self.lastGoodCopy = lastGoodCopy
    self.timings = timings
    self.reconnectDelay = reconnectDelay
    self.logger = logger
  }

  /// How large a configuration may become when inflated: room for 32 times the compressed size, which real
  /// configurations do not reach and compressed bombs exceed by far.
  static func maxInflated(for maxPayload: Int) -> Int { min(max(0, maxPayload), Int(Int32.max)) * 32 }
}

/// Why a configuration was not applied; the running one stays.
public struct ApplyFailure: Error, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
