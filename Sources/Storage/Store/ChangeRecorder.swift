import EntityModel

/// Which entities a committed transaction touched, and between which revisions of the configuration.
struct RecordedChange: Sendable {
  struct Key: Hashable, Sendable {
    let kind: String
    let id: String
  }

  var before: UInt64
  var after: UInt64
  /// Written, removed, or changed by the removal of another.
  var keys: Set<Key>
}

/// A transaction that remembers what was written in it. Lives only within the closure of the backend.
final class ChangeRecorder: StorageTransaction {
  private let base: any StorageTransaction
  private let before: UInt64
  private var keys: Set<RecordedChange.Key> = []
  private var removed: Set<RecordedChange.Key> = []

  init(_ base: any StorageTransaction) throws(EntityError) {
    self.base = base
    before = try base.revision(of: .configuration)
  }

  func change() throws(EntityError) -> RecordedChange {
    RecordedChange(before: before, after: try base.revision(of: .configuration), keys: keys)
  }

  func insert(_ row: EntityFields, into kind: EntityDefinition) throws(EntityError) {
    note(row["id"]?.string, kind)
    try base.insert(row, into: kind)
  }

  func replace(_ row: EntityFields, in kind: EntityDefinition) throws(EntityError) {
    note(row["id"]?.string, kind)
    try base.replace(row, in: kind)
  }

  func delete(id: String, from kind: EntityDefinition) throws(EntityError) {
    try noteRemoval(of: id, kind)
    try base.delete(id: id, from: kind)
  }

  private func note(_ id: String?, _ kind: EntityDefinition) {
    if let id { keys.insert(.init(kind: kind.name, id: id)) }
  }

  /// What hangs on a row goes with it or loses its reference.
  private func noteRemoval(of id: String, _ kind: EntityDefinition) throws(EntityError) {
    guard removed.insert(.init(kind: kind.name, id: id)).inserted else { return }
    note(id, kind)
    for referrer in EntityCatalogue.referrers(to: kind.name) where referrer.onDelete != .restrict {
      for row in try base.rows(where: [referrer.field: id], of: referrer.definition, limit: nil) {
        guard let other = row["id"]?.string else { continue }
        if referrer.onDelete == .cascade {
          try noteRemoval(of: other, referrer.definition)
        } else {
          note(other, referrer.definition)
        }
      }
    }
  }

  // MARK: What is only passed on

  func advanceRevision(of part: RevisionPart) throws(EntityError) { try base.advanceRevision(of: part) }
  func setParameter(_ name: String, to value: String) throws(EntityError) { try base.setParameter(name, to: value) }
  func row(id: String, of kind: EntityDefinition) throws(EntityError) -> EntityFields? {
    try base.row(id: id, of: kind)
  }
  func rows(
    where fields: [String: String], of kind: EntityDefinition, limit: Int?
  ) throws(EntityError) -> [EntityFields] {
    try base.rows(where: fields, of: kind, limit: limit)
  }
  func rows(_ query: RowQuery, of kind: EntityDefinition) throws(EntityError) -> [EntityFields] {
    try base.rows(query, of: kind)
  }
  func id(ofKey row: EntityFields, of kind: EntityDefinition) throws(EntityError) -> String? {
    try base.id(ofKey: row, of: kind)
  }
  func count(where fields: [String: String], of kind: EntityDefinition) throws(EntityError) -> Int {
    try base.count(where: fields, of: kind)
  }
  func tagRows(matching tag: String?, after: TagRow?, limit: Int) throws(EntityError) -> [TagRow] {
    try base.tagRows(matching: tag, after: after, limit: limit)
  }
  func revision(of part: RevisionPart) throws(EntityError) -> UInt64 { try base.revision(of: part) }
  func parameter(_ name: String) throws(EntityError) -> String? { try base.parameter(name) }
}
