import EntityModel
import Foundation
import GRDB

/// Rows in an SQLite file: write-ahead log, synchronous commits, constraints held by the database.
///
/// A write that was answered is on the disk, so it survives a killed process and a lost power supply. Readers never wait
/// for the writer.
public final class SQLiteStorage: StorageBackend {
  public let path: String
  let pool: DatabasePool
  let layouts: [String: TableLayout]

  /// Opens or creates the file and brings its tables to what the declarations say.
  ///
  /// Blocks; meant for the start of the process.
  /// - Parameters:
  ///   - path: the file; its directory must exist.
  ///   - kinds: every entity that can be stored.
  ///   - busyTimeout: for how many seconds to wait for another process that holds the file.
  public init(path: String, kinds: [EntityDefinition], busyTimeout: Double = 5) throws(StorageOpenError) {
    self.path = path
    let layouts = Dictionary(kinds.map { ($0.name, TableLayout($0)) }, uniquingKeysWith: { first, _ in first })
    self.layouts = layouts
    do {
      var configuration = Configuration()
      configuration.label = "sluice.store"
      configuration.busyMode = .timeout(busyTimeout)
      configuration.foreignKeysEnabled = true
      configuration.maximumReaderCount = 8
      let pool = try DatabasePool(path: path, configuration: configuration)
      // The pool sets NORMAL, which may lose the last commits with the power.
      try pool.writeWithoutTransaction { database in
        try database.execute(sql: "PRAGMA synchronous = FULL")
      }
      try Self.refuseNewerFile(pool)
      try Self.migrator.migrate(pool)
      let ordered = kinds.compactMap { layouts[$0.name] }
      try pool.write { database in try Self.reconcile(database, with: ordered) }
      self.pool = pool
    } catch {
      throw StorageOpenError(path: path, cause: error)
    }
    Self.restrictAccess(to: path)
  }

  /// Ends all connections and folds the log into the file. Reads and writes fail afterwards.
  public func close() throws(EntityError) {
    do {
      try pool.close()
    } catch {
      throw SQLiteErrors.entityError(error, path: path)
    }
  }

  public func read<Result: Sendable>(
    _ body: @escaping @Sendable (any StorageReader) throws(EntityError) -> Result
  ) async throws(EntityError) -> Result {
    do {
      return try await pool.read { [self] database in
        try body(SQLiteTransaction(database: database, layouts: layouts, path: path))
      }
    } catch {
      throw SQLiteErrors.entityError(error, path: path)
    }
  }

  public func write<Result: Sendable>(
    _ body: @escaping @Sendable (any StorageTransaction) throws(EntityError) -> Result
  ) async throws(EntityError) -> Result {
    // A task of its own: when the caller goes away, what it began still ends, and whoever must hear of it does.
    let transaction = Task {
      try await pool.write { [self] database in
        try body(SQLiteTransaction(database: database, layouts: layouts, path: path))
      }
    }
    do {
      return try await transaction.value
    } catch {
      throw SQLiteErrors.entityError(error, path: path)
    }
  }

  /// The store holds private keys: only its owner may read it.
  private static func restrictAccess(to path: String) {
    for suffix in ["", "-wal", "-shm"] {
      try? FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path + suffix)
    }
  }
}

/// Why a store could not be opened: which file, what is wrong and what to do.
public struct StorageOpenError: Error, Sendable, CustomStringConvertible {
  public let path: String
  public let reason: String

  init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  init(path: String, cause: any Error) {
    self.init(path: path, reason: SQLiteErrors.explanation(cause))
  }

  public var description: String { "cannot open the store '\(path)': \(reason)" }
}
