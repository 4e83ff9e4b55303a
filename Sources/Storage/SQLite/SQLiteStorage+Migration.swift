import EntityModel
import GRDB

extension SQLiteStorage {
  /// Changes of the store that declarations do not say: tables that belong to no entity, and changes of stored values.
  ///
  /// Steps are only ever appended. Tables and columns of entities come from `reconcile`.
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1 tags, revisions and parameters") { database in
      try database.execute(
        sql: """
          CREATE TABLE tags (
            entity_name TEXT NOT NULL,
            entity_id TEXT NOT NULL,
            tag TEXT NOT NULL,
            PRIMARY KEY (entity_name, entity_id, tag)
          ) WITHOUT ROWID;
          CREATE INDEX tags_by_tag ON tags (entity_name, tag, entity_id);
          CREATE TABLE revisions (
            part TEXT NOT NULL PRIMARY KEY,
            revision INTEGER NOT NULL
          ) WITHOUT ROWID;
          CREATE TABLE parameters (
            name TEXT NOT NULL PRIMARY KEY,
            value TEXT NOT NULL
          ) WITHOUT ROWID;
          """)
    }
    return migrator
  }

  /// An older program must not write into a newer program's file.
  static func refuseNewerFile(_ pool: DatabasePool) throws {
    let isNewer = try pool.read { database in try migrator.hasBeenSuperseded(database) }
    guard !isNewer else { throw NewerStoreError() }
  }

  /// Creates the tables and columns that the declarations have and the file lacks. Columns that no declaration has any
  /// more stay, unread.
  static func reconcile(_ database: Database, with layouts: [TableLayout]) throws {
    for layout in layouts {
      try database.execute(sql: layout.createTableSQL)
      let present = Set(try database.columns(in: layout.table).map(\.name))
      for column in layout.columns where !present.contains(column.name) {
        for statement in layout.addColumnSQL(column) { try database.execute(sql: statement) }
      }
    }
    for layout in layouts {
      for statement in layout.auxiliarySQL { try database.execute(sql: statement) }
    }
  }
}

/// The file holds migrations that this program does not know.
struct NewerStoreError: Error, CustomStringConvertible {
  var description: String {
    "it was written by a newer version of this program; start that version, or restore a backup made before the upgrade"
  }
}
