import EntityModel
import Synchronization

/// The last snapshot of a store with the changes since, so that the next one is read from the database only where
/// something changed.
///
/// Each write of this process leaves its keys and the revisions it lies between. A snapshot follows them from the
/// revision of the last one; where the chain has a gap (another process wrote, or too much was written) everything is
/// read. Safe to use from any task.
final class SnapshotKeeper: Sendable {
  private struct State {
    var last: ConfigSnapshot?
    var hasher = ConfigHasher()
    /// By the revision before each change.
    var changes: [UInt64: RecordedChange] = [:]
  }

  /// Beyond this many changed entities reading everything is not slower.
  private static let mostKeys = 1000
  private let kinds: [EntityDefinition]
  private let state = Mutex(State())

  /// - Parameter kinds: what belongs to a snapshot.
  init(kinds: [EntityDefinition]) { self.kinds = kinds }

  /// Called after the commit.
  func note(_ change: RecordedChange) {
    guard change.after > change.before else { return }
    state.withLock { state in
      if let last = state.last, change.before < last.number { return }
      if state.changes.count > Self.mostKeys { state.changes.removeAll() }
      state.changes[change.before] = change
    }
  }

  /// The configuration as of the reader's view; its number is the revision.
  func snapshot(_ reader: any StorageReader) throws(EntityError) -> ConfigSnapshot {
    let revision = try reader.revision(of: .configuration)
    let (last, keys) = state.withLock { ($0.last, Self.keys(in: $0, upTo: revision)) }
    if let last, last.number == revision { return last }
    var entities: [String: EntityList]
    if let last, let keys {
      entities = last.entities
      for key in keys { try refresh(key, in: &entities, reader) }
    } else {
      entities = [:]
      for kind in kinds {
        let rows = try reader.rows(RowQuery(), of: kind)
        if !rows.isEmpty { entities[kind.name] = EntityList(rows) }
      }
    }
    let complete = entities
    return state.withLock { state in
      let hash = state.hasher.hash(of: complete).hash
      let snapshot = ConfigSnapshot(lists: complete, hash: hash, number: revision)
      if (state.last?.number ?? 0) <= revision {
        state.last = snapshot
        state.changes = state.changes.filter { $0.key >= revision }
      }
      return snapshot
    }
  }

  /// What changed since the last snapshot, nil when that is not known.
  private static func keys(in state: State, upTo revision: UInt64) -> Set<RecordedChange.Key>? {
    guard var number = state.last?.number, number <= revision else { return nil }
    var keys: Set<RecordedChange.Key> = []
    while number < revision {
      guard let change = state.changes[number], keys.count <= mostKeys else { return nil }
      keys.formUnion(change.keys)
      number = change.after
    }
    return number == revision ? keys : nil
  }

  private func refresh(
    _ key: RecordedChange.Key, in entities: inout [String: EntityList], _ reader: any StorageReader
  ) throws(EntityError) {
    guard let kind = kinds.first(where: { $0.name == key.kind }) else { return }
    let row = try reader.row(id: key.id, of: kind)
    var list = entities[key.kind] ?? EntityList()
    list.set(row, id: key.id)
    entities[key.kind] = list.isEmpty ? nil : list
  }
}
