import EntityModel
import Foundation

/// What a control plane remembers of its data planes: one row each, forgotten when a node was not seen for long.
///
/// Source: Kong fact, hybrid §7.
public struct DataPlaneStore: Sendable {
  private let backend: any StorageBackend
  private let purgeDelay: Int64
  private let now: @Sendable () -> Double

  /// - Parameters:
  ///   - purgeDelay: `cluster_data_plane_purge_delay`, in seconds.
  ///   - now: seconds since the epoch.
  public init(
    backend: any StorageBackend, purgeDelay: Int = 1_209_600,
    now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
  ) {
    self.backend = backend
    self.purgeDelay = Int64(purgeDelay)
    self.now = now
  }

  private var kind: EntityDefinition { .clusteringDataPlanes }

  /// Writes the row of a node: the given fields over those that are stored.
  ///
  /// - Parameters:
  ///   - id: the node's id, a UUID.
  ///   - fields: for example `hostname`, `ip`, `version`, `config_hash`, `last_seen`, `sync_status`, `labels`.
  public func upsert(id: String, _ fields: EntityFields) async throws(EntityError) {
    let validator = EntityValidator(catalogue: PluginCatalogue(), now: now)
    let kind = kind
    try await backend.write { transaction throws(EntityError) in
      let current = try transaction.row(id: id.lowercased(), of: kind)
      let row: EntityFields
      do throws(SchemaViolations) {
        if let current {
          row = try validator.validateUpdate(fields, to: current, of: kind)
        } else {
          row = try validator.validateUpsert(fields, id: id.lowercased(), existing: nil, of: kind)
        }
      } catch {
        throw .schemaViolation(error)
      }
      if current == nil {
        try transaction.insert(row, into: kind)
      } else {
        try transaction.replace(row, in: kind)
      }
    }
  }

  /// One page of the nodes that are not yet to be forgotten, with `ttl`, the seconds until they are.
  public func page(_ request: PageRequest) async throws(EntityError) -> EntityPage {
    let (kind, time) = (kind, seconds)
    var page = try await backend.read { reader throws(EntityError) in try reader.page(request, of: kind) }
    page.entities = page.entities.compactMap { row in
      let remaining = remaining(of: row, at: time)
      guard remaining > 0 else { return nil }
      var row = row
      row["ttl"] = .integer(remaining)
      return row
    }
    return page
  }

  public func select(id: String) async throws(EntityError) -> EntityFields? {
    let kind = kind
    return try await backend.read { reader throws(EntityError) in try reader.row(id: id.lowercased(), of: kind) }
  }

  public func delete(id: String) async throws(EntityError) {
    let kind = kind
    try await backend.write { transaction throws(EntityError) in
      try transaction.delete(id: id.lowercased(), from: kind)
    }
  }

  /// Removes the rows of nodes that were not seen for the purge delay. To be called now and then.
  ///
  /// - Returns: how many were removed.
  @discardableResult
  public func purge() async throws(EntityError) -> Int {
    let (kind, time) = (kind, seconds)
    return try await backend.write { transaction throws(EntityError) in
      let stale = try transaction.rows(RowQuery(), of: kind).filter { remaining(of: $0, at: time) <= 0 }
      for row in stale {
        if let id = row["id"]?.string { try transaction.delete(id: id, from: kind) }
      }
      return stale.count
    }
  }

  private var seconds: Int64 { Int64(exactly: now().rounded(.down)) ?? 0 }

  private func remaining(of row: EntityFields, at time: Int64) -> Int64 {
    let seen = row["last_seen"]?.integer ?? row["updated_at"]?.integer ?? 0
    return seen.addingReportingOverflow(purgeDelay).partialValue.subtractingReportingOverflow(time).partialValue
  }
}
