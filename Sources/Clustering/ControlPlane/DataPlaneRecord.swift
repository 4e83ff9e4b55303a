import EntityModel
import Synchronization

/// A row of `/clustering/data-planes` (Kong fact, hybrid §7).
public struct DataPlaneRecord: Sendable, Hashable {
  public var id: String
  public var ip: String
  public var hostname: String
  public var version: String
  /// The hash that the data plane last reported.
  public var configHash: String
  /// Seconds since 1970 of the last ping.
  public var lastSeen: Int64
  public var updatedAt: Int64
  public var syncStatus: SyncStatus
  /// Why `syncStatus` is not `normal`.
  public var syncReason: String?
  public var labels: [String: String]
  /// Seconds since 1970 at which the data plane's certificate ends.
  public var certificateExpiry: Int64?
  /// Definitions that the data plane does not get.
  public var withheld: [WithheldDefinitions]

  public init(
    id: String, ip: String, hostname: String, version: String, configHash: String, lastSeen: Int64,
    updatedAt: Int64, syncStatus: SyncStatus, syncReason: String? = nil, labels: [String: String] = [:],
    certificateExpiry: Int64? = nil, withheld: [WithheldDefinitions] = []
  ) {
    self.id = id
    self.ip = ip
    self.hostname = hostname
    self.version = version
    self.configHash = configHash
    self.lastSeen = lastSeen
    self.updatedAt = updatedAt
    self.syncStatus = syncStatus
    self.syncReason = syncReason
    self.labels = labels
    self.certificateExpiry = certificateExpiry
    self.withheld = withheld
  }

  /// The row as the Admin API shows it. Kong compatibility: `sync_reason` and `withheld` are additions, present only
  /// where they say something.
  ///
  /// - Parameters:
  ///   - now: seconds since 1970.
  ///   - purgeDelay: `cluster_data_plane_purge_delay` in seconds, from which `ttl` follows.
  public func json(now: Int64, purgeDelay: Int64) -> JSONValue {
    var members: [String: JSONValue] = [
      "id": .string(id), "ip": .string(ip), "hostname": .string(hostname), "version": .string(version),
      "config_hash": .string(configHash), "last_seen": .integer(lastSeen), "updated_at": .integer(updatedAt),
      "sync_status": .string(syncStatus.rawValue),
      "labels": labels.isEmpty ? .null : .object(labels.mapValues { .string($0) }),
      "cert_details": certificateExpiry.map { ["expiry_timestamp": .integer($0)] } ?? .null,
      "ttl": .integer(max(0, purgeDelay - max(0, now - lastSeen))),
    ]
    if let syncReason { members["sync_reason"] = .string(syncReason) }
    if !withheld.isEmpty { members["withheld"] = .array(withheld.map(\.json)) }
    return .object(members)
  }
}

/// Where a control plane keeps the rows of its data planes.
public protocol DataPlaneDirectory: Sendable {
  /// Adds or replaces the row with this id. Called on the control plane's event loop, in the order of events: an
  /// implementation that must wait for a disk queues the row and returns.
  func save(_ record: DataPlaneRecord)

  /// All rows in no particular order.
  func records() -> [DataPlaneRecord]

  /// Removes rows last seen before this time, in seconds since 1970.
  func purge(lastSeenBefore time: Int64)
}

/// Rows in memory alone.
public final class InMemoryDataPlaneDirectory: DataPlaneDirectory {
  private let rows = Mutex<[String: DataPlaneRecord]>([:])

  public init() {}

  public func save(_ record: DataPlaneRecord) { rows.withLock { $0[record.id] = record } }

  public func records() -> [DataPlaneRecord] { rows.withLock { Array($0.values) } }

  public func purge(lastSeenBefore time: Int64) {
    rows.withLock { rows in rows = rows.filter { $0.value.lastSeen >= time } }
  }
}
