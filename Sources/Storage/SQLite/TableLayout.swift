import EntityModel

/// How one kind of entity lies in a SQL table: derived from its declaration, never written by hand.
///
/// `id` is the primary key and `body` the whole entity as JSON; every field that a query or a constraint of the database
/// needs has a column of its own.
struct TableLayout: Sendable {
  struct Column: Sendable {
    let field: String
    let name: String
    let isUnique: Bool
    let reference: (table: String, onDelete: FieldSchema.OnDelete)?
  }

  /// The field whose column says when a row expires.
  static let expiryField = "ttl"

  let table: String
  let columns: [Column]
  /// Columns of the composite key, in the order of the declaration.
  let compositeKey: [Column]
  let hasTags: Bool
  let selectList: String
  let insertSQL: String
  let updateSQL: String
  let keySQL: String

  private let columnsByField: [String: Column]

  init(_ kind: EntityDefinition) {
    let foreign = Dictionary(
      kind.foreignFields.map { ($0.name, (table: $0.reference, onDelete: $0.onDelete)) },
      uniquingKeysWith: { first, _ in first })
    var names: [String] = []
    func add(_ field: String) {
      if field != "id", kind.schema[field] != nil, !names.contains(field) { names.append(field) }
    }
    kind.uniqueFields.forEach(add)
    kind.endpointKey.map(add)
    kind.compositeUnique.forEach(add)
    kind.foreignFields.forEach { add($0.name) }
    add(Self.expiryField)
    let unique = Set(kind.uniqueFields)
    columns = names.map { field in
      Column(
        field: field, name: foreign[field] == nil ? field : field + "_id", isUnique: unique.contains(field),
        reference: foreign[field])
    }
    columnsByField = Dictionary(columns.map { ($0.field, $0) }, uniquingKeysWith: { first, _ in first })
    table = kind.name
    let byField = columnsByField
    compositeKey = kind.compositeUnique.compactMap { byField[$0] }
    keySQL =
      "SELECT id FROM \(quoted(kind.name)) WHERE "
      + compositeKey.map { "COALESCE(\(quoted($0.name)), '') = ?" }.joined(separator: " AND ")
    hasTags = kind.schema["tags"] != nil
    let referring = columns.filter { $0.reference != nil }
    selectList = (["id", "body"] + referring.map { quoted($0.name) }).joined(separator: ", ")
    let all = ["id", "body"] + columns.map(\.name)
    insertSQL =
      "INSERT INTO \(quoted(kind.name)) (\(all.map(quoted).joined(separator: ", "))) "
      + "VALUES (\(all.map { _ in "?" }.joined(separator: ", ")))"
    updateSQL =
      "UPDATE \(quoted(kind.name)) SET \(all.dropFirst().map { quoted($0) + " = ?" }.joined(separator: ", ")) "
      + "WHERE id = ?"
  }

  /// Fields that live in a column because they refer to another table, in the order of `selectList`.
  var referringColumns: [Column] { columns.filter { $0.reference != nil } }

  func column(of field: String) -> Column? { columnsByField[field] }

  /// The value of a column: the id of a foreign field, the text of any other.
  static func columnText(_ value: JSONValue?, isReference: Bool) -> String? {
    switch value {
    case nil, .null: nil
    case .object(let members) where isReference: members["id"]?.string
    case .string(let text): text
    case .some(let other): other.serializedString
    }
  }

  // MARK: Definition

  var createTableSQL: String {
    var lines = ["id TEXT NOT NULL PRIMARY KEY", "body TEXT NOT NULL"]
    lines += columns.map { quoted($0.name) + " " + Self.type(of: $0) }
    return "CREATE TABLE IF NOT EXISTS \(quoted(table)) (\n  \(lines.joined(separator: ",\n  "))\n) WITHOUT ROWID"
  }

  func addColumnSQL(_ column: Column) -> [String] {
    let path = column.reference == nil ? "$.\(column.field)" : "$.\(column.field).id"
    return [
      "ALTER TABLE \(quoted(table)) ADD COLUMN \(quoted(column.name)) \(Self.type(of: column))",
      "UPDATE \(quoted(table)) SET \(quoted(column.name)) = json_extract(body, '\(path)')",
    ]
  }

  /// Indexes and the trigger that keeps the table of tags true when rows go, by a cascade too.
  var auxiliarySQL: [String] {
    var statements: [String] = []
    for column in columns {
      let kind = column.isUnique ? "UNIQUE INDEX" : "INDEX"
      statements.append(
        "CREATE \(kind) IF NOT EXISTS \(quoted("\(table)_by_\(column.name)")) "
          + "ON \(quoted(table)) (\(quoted(column.name)))")
    }
    if compositeKey.count > 1 {
      // Absent parts count as equal, as in Kong's cache keys; SQL's NULLs would all differ.
      let parts = compositeKey.map { "COALESCE(\(quoted($0.name)), '')" }
      statements.append(
        "CREATE UNIQUE INDEX IF NOT EXISTS \(quoted("\(table)_key")) ON \(quoted(table)) "
          + "(\(parts.joined(separator: ", ")))")
    }
    if hasTags {
      statements.append(
        """
        CREATE TRIGGER IF NOT EXISTS \(quoted("\(table)_tags")) AFTER DELETE ON \(quoted(table)) BEGIN
          DELETE FROM tags WHERE entity_name = '\(table)' AND entity_id = OLD.id;
        END
        """)
    }
    return statements
  }

  private static func type(of column: Column) -> String {
    guard let reference = column.reference else { return column.field == expiryField ? "INTEGER" : "TEXT" }
    let action =
      switch reference.onDelete {
      case .cascade: "CASCADE"
      case .restrict: "RESTRICT"
      case .null: "SET NULL"
      }
    return "TEXT REFERENCES \(quoted(reference.table)) (id) ON DELETE \(action)"
  }
}

/// An SQL identifier; declarations use plain names, so quoting guards only against reserved words.
func quoted(_ identifier: String) -> String { "\"\(identifier)\"" }
