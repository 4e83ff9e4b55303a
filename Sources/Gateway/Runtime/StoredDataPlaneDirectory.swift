import Clustering
import EntityModel
import Logging
import Storage
import Synchronization

/// The rows of a control plane's data planes: answered from memory, written to the store behind.
///
/// Pings come often and their order matters, so one task writes the rows one after another; of several writes of the
/// same row that wait only the latest counts.
final class StoredDataPlaneDirectory: DataPlaneDirectory {
  private let store: DataPlaneStore
  private let logger: Logger
  private let state = Mutex<(rows: [String: DataPlaneRecord], unwritten: Set<String>)>(([:], []))
  private let wakeUps: AsyncStream<Void>
  private let wakeUp: AsyncStream<Void>.Continuation

  /// Reads the rows of the store.
  init(store: DataPlaneStore, logger: Logger) async throws {
    self.store = store
    self.logger = logger
    (wakeUps, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    _ = try await store.purge()
    var request = PageRequest(size: PageRequest.sizes.upperBound)
    repeat {
      let page = try await store.page(request)
      let records = page.entities.compactMap { DataPlaneRecord(row: $0) }
      state.withLock { state in for record in records { state.rows[record.id] = record } }
      request.offset = page.nextOffset
    } while request.offset != nil
  }

  func save(_ record: DataPlaneRecord) {
    state.withLock { state in
      state.rows[record.id] = record
      state.unwritten.insert(record.id)
    }
    wakeUp.yield()
  }

  func records() -> [DataPlaneRecord] { state.withLock { Array($0.rows.values) } }

  func purge(lastSeenBefore time: Int64) {
    state.withLock { state in state.rows = state.rows.filter { $0.value.lastSeen >= time } }
  }

  /// Writes rows until the task is cancelled. A row that cannot be written is logged; the next ping writes it again.
  func writeRows() async {
    for await _ in wakeUps {
      let records = state.withLock { state in
        defer { state.unwritten = [] }
        return state.unwritten.compactMap { state.rows[$0] }
      }
      for record in records {
        do {
          try await store.upsert(id: record.id, record.row)
        } catch {
          logger.error("the row of data plane \(record.id) cannot be stored: \(error)")
        }
      }
    }
  }
}

extension DataPlaneRecord {
  /// The stored form.
  fileprivate var row: EntityFields {
    [
      "ip": .string(ip), "hostname": .string(hostname), "version": .string(version), "config_hash": .string(configHash),
      "last_seen": .integer(lastSeen), "sync_status": .string(syncStatus.rawValue),
      "labels": labels.isEmpty ? .null : .object(labels.mapValues { .string($0) }),
      "cert_details": certificateExpiry.map { ["expiry_timestamp": .integer($0)] } ?? .null,
    ]
  }

  /// Nil for a row that lacks what every row has.
  fileprivate init?(row: EntityFields) {
    guard let id = row["id"]?.string, let lastSeen = row["last_seen"]?.integer else { return nil }
    self.init(
      id: id, ip: row["ip"]?.string ?? "", hostname: row["hostname"]?.string ?? "",
      version: row["version"]?.string ?? "", configHash: row["config_hash"]?.string ?? ConfigSnapshot.emptyHash,
      lastSeen: lastSeen, updatedAt: row["updated_at"]?.integer ?? lastSeen,
      syncStatus: row["sync_status"]?.string.flatMap { SyncStatus(rawValue: $0) } ?? .unknown,
      labels: (row["labels"]?.object ?? [:]).compactMapValues(\.string),
      certificateExpiry: row["cert_details"]?["expiry_timestamp"]?.integer)
  }
}
