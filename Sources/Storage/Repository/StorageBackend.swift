import EntityModel

/// Where rows are kept: the seam between what entities mean (`EntityStore`) and a database.
///
/// A backend holds uniqueness and foreign keys itself as a last line; `EntityStore` asks before it writes so that the
/// refusals have Kong's words. SQLite is one; PostgreSQL fits the same shape (its driver blocks a thread of its own).
public protocol StorageBackend: Sendable {
  /// Runs `body` over one consistent view of the data.
  func read<Result: Sendable>(
    _ body: @escaping @Sendable (any StorageReader) throws(EntityError) -> Result
  ) async throws(EntityError) -> Result

  /// Runs `body` in one transaction, alone among writers, and returns after the data are safe on disk. Anything thrown
  /// rolls the whole back.
  func write<Result: Sendable>(
    _ body: @escaping @Sendable (any StorageTransaction) throws(EntityError) -> Result
  ) async throws(EntityError) -> Result
}

/// Reading within one consistent view. Valid only inside the closure that got it.
public protocol StorageReader {
  func row(id: String, of kind: EntityDefinition) throws(EntityError) -> EntityFields?

  /// The rows whose fields have these values, by primary key; fields must be unique, foreign (the value is the id) or
  /// part of the composite key.
  func rows(
    where fields: [String: String], of kind: EntityDefinition, limit: Int?
  ) throws(EntityError) -> [EntityFields]

  /// Rows in the order of primary keys.
  func rows(_ query: RowQuery, of kind: EntityDefinition) throws(EntityError) -> [EntityFields]

  /// The id of the row with the same composite key, absent parts counting as equal.
  func id(ofKey row: EntityFields, of kind: EntityDefinition) throws(EntityError) -> String?

  func count(where fields: [String: String], of kind: EntityDefinition) throws(EntityError) -> Int

  /// Tags in the order of entity kind, id and tag, after the given row.
  func tagRows(matching tag: String?, after: TagRow?, limit: Int) throws(EntityError) -> [TagRow]

  /// How often the named part of the data was written, ever.
  func revision(of part: RevisionPart) throws(EntityError) -> UInt64

  /// A value that belongs to the store as a whole, for example its `cluster_id`.
  func parameter(_ name: String) throws(EntityError) -> String?
}

/// Writing within one transaction. Valid only inside the closure that got it.
public protocol StorageTransaction: StorageReader {
  func insert(_ row: EntityFields, into kind: EntityDefinition) throws(EntityError)
  /// Replaces the row of the same id.
  func replace(_ row: EntityFields, in kind: EntityDefinition) throws(EntityError)
  /// Removes the row and those that hang on it by a cascading foreign field.
  func delete(id: String, from kind: EntityDefinition) throws(EntityError)
  func advanceRevision(of part: RevisionPart) throws(EntityError)
  func setParameter(_ name: String, to value: String) throws(EntityError)
}

/// What revisions are counted for.
public enum RevisionPart: String, Sendable, CaseIterable {
  /// Everything that a snapshot holds.
  case configuration
  /// Definitions of streamed and cloned plugins.
  case definitions
}

/// Which rows of a kind, in the order of primary keys.
public struct RowQuery: Sendable {
  /// Only rows with a greater id.
  public var after: String?
  public var limit: Int?
  public var tags: TagFilter?
  public var fields: [String: String]
  /// Only rows that expire at this second since the epoch or before.
  public var expiredBy: Int64?

  public init(
    after: String? = nil, limit: Int? = nil, tags: TagFilter? = nil, fields: [String: String] = [:],
    expiredBy: Int64? = nil
  ) {
    self.after = after
    self.limit = limit
    self.tags = tags
    self.fields = fields
    self.expiredBy = expiredBy
  }
}

/// One tag of one entity.
public struct TagRow: Sendable, Hashable {
  public var entityName: String
  public var entityID: String
  public var tag: String

  public init(entityName: String, entityID: String, tag: String) {
    self.entityName = entityName
    self.entityID = entityID
    self.tag = tag
  }
}
