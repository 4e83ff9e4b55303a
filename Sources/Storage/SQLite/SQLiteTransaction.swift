import EntityModel
import GRDB

/// One transaction (or one consistent view) of an SQLite store. Lives only within the closure of the pool.
struct SQLiteTransaction: StorageTransaction {
  let database: Database
  let layouts: [String: TableLayout]
  let path: String

  // MARK: Reading

  func row(id: String, of kind: EntityDefinition) throws(EntityError) -> EntityFields? {
    try rows(sql: " WHERE id = ?", [id], of: kind).first
  }

  func rows(
    where fields: [String: String], of kind: EntityDefinition, limit: Int?
  ) throws(EntityError) -> [EntityFields] {
    try rows(RowQuery(limit: limit, fields: fields), of: kind)
  }

  func rows(_ query: RowQuery, of kind: EntityDefinition) throws(EntityError) -> [EntityFields] {
    var (condition, arguments) = try condition(of: query, kind)
    condition += " ORDER BY id"
    if let limit = query.limit {
      condition += " LIMIT ?"
      arguments.append(limit)
    }
    return try rows(sql: condition, arguments, of: kind)
  }

  func count(where fields: [String: String], of kind: EntityDefinition) throws(EntityError) -> Int {
    let (condition, arguments) = try condition(of: RowQuery(fields: fields), kind)
    return try attempt {
      try Int.fetchOne(
        database.cachedStatement(sql: "SELECT COUNT(*) FROM \(quoted(kind.name))" + condition),
        arguments: StatementArguments(arguments)) ?? 0
    }
  }

  func id(ofKey row: EntityFields, of kind: EntityDefinition) throws(EntityError) -> String? {
    let layout = try layout(of: kind)
    guard !layout.compositeKey.isEmpty else { return nil }
    let texts = layout.compositeKey.map { column in
      TableLayout.columnText(row[column.field], isReference: column.reference != nil) ?? ""
    }
    return try attempt {
      try String.fetchOne(
        database.cachedStatement(sql: layout.keySQL), arguments: StatementArguments(texts))
    }
  }

  func tagRows(matching tag: String?, after: TagRow?, limit: Int) throws(EntityError) -> [TagRow] {
    var conditions: [String] = []
    var arguments: [any DatabaseValueConvertible] = []
    if let tag {
      conditions.append("tag = ?")
      arguments.append(tag)
    }
    if let after {
      conditions.append("(entity_name, entity_id, tag) > (?, ?, ?)")
      arguments += [after.entityName, after.entityID, after.tag]
    }
    let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
    arguments.append(limit)
    return try attempt {
      try Row.fetchAll(
        database.cachedStatement(
          sql: "SELECT entity_name, entity_id, tag FROM tags\(filter) "
            + "ORDER BY entity_name, entity_id, tag LIMIT ?"),
        arguments: StatementArguments(arguments)
      ).map { TagRow(entityName: $0[0], entityID: $0[1], tag: $0[2]) }
    }
  }

  func revision(of part: RevisionPart) throws(EntityError) -> UInt64 {
    try attempt {
      let stored = try Int64.fetchOne(
        database.cachedStatement(sql: "SELECT revision FROM revisions WHERE part = ?"), arguments: [part.rawValue])
      return UInt64(clamping: stored ?? 0)
    }
  }

  func parameter(_ name: String) throws(EntityError) -> String? {
    try attempt {
      try String.fetchOne(
        database.cachedStatement(sql: "SELECT value FROM parameters WHERE name = ?"), arguments: [name])
    }
  }

  // MARK: Writing

  func setParameter(_ name: String, to value: String) throws(EntityError) {
    try attempt {
      try database.cachedStatement(
        sql: "INSERT INTO parameters (name, value) VALUES (?, ?) "
          + "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
      ).execute(arguments: [name, value])
    }
  }

  func insert(_ row: EntityFields, into kind: EntityDefinition) throws(EntityError) {
    let layout = try layout(of: kind)
    let id = try id(of: row, kind)
    try attempt {
      try database.cachedStatement(sql: layout.insertSQL).execute(
        arguments: StatementArguments([id] + values(of: row, layout)))
    }
    try writeTags(of: row, id: id, layout)
  }

  func replace(_ row: EntityFields, in kind: EntityDefinition) throws(EntityError) {
    let layout = try layout(of: kind)
    let id = try id(of: row, kind)
    try attempt {
      try database.cachedStatement(sql: layout.updateSQL).execute(
        arguments: StatementArguments(values(of: row, layout) + [id]))
      if layout.hasTags {
        try database.cachedStatement(sql: "DELETE FROM tags WHERE entity_name = ? AND entity_id = ?").execute(
          arguments: [layout.table, id])
      }
    }
    try writeTags(of: row, id: id, layout)
  }

  func delete(id: String, from kind: EntityDefinition) throws(EntityError) {
    let layout = try layout(of: kind)
    try attempt {
      try database.cachedStatement(sql: "DELETE FROM \(quoted(layout.table)) WHERE id = ?").execute(arguments: [id])
    }
  }

  func advanceRevision(of part: RevisionPart) throws(EntityError) {
    try attempt {
      try database.cachedStatement(
        sql: "INSERT INTO revisions (part, revision) VALUES (?, 1) "
          + "ON CONFLICT (part) DO UPDATE SET revision = revision + 1"
      ).execute(arguments: [part.rawValue])
    }
  }

  // MARK: Parts

  private func layout(of kind: EntityDefinition) throws(EntityError) -> TableLayout {
    guard let layout = layouts[kind.name] else {
      throw EntityError(code: .databaseError, message: "the store has no table for '\(kind.name)'")
    }
    return layout
  }

  private func id(of row: EntityFields, _ kind: EntityDefinition) throws(EntityError) -> String {
    guard let id = row["id"]?.string else {
      throw EntityError(code: .databaseError, message: "a '\(kind.name)' entity without an id cannot be stored")
    }
    return id
  }

  private func values(of row: EntityFields, _ layout: TableLayout) -> [(any DatabaseValueConvertible)?] {
    var values: [(any DatabaseValueConvertible)?] = [JSONValue.object(row).serializedString]
    for column in layout.columns {
      values.append(TableLayout.columnText(row[column.field], isReference: column.reference != nil))
    }
    return values
  }

  private func writeTags(of row: EntityFields, id: String, _ layout: TableLayout) throws(EntityError) {
    guard layout.hasTags, let tags = row["tags"]?.array else { return }
    try attempt {
      let statement = try database.cachedStatement(
        sql: "INSERT OR IGNORE INTO tags (entity_name, entity_id, tag) VALUES (?, ?, ?)")
      for tag in tags.compactMap(\.string) { try statement.execute(arguments: [layout.table, id, tag]) }
    }
  }

  private func condition(
    of query: RowQuery, _ kind: EntityDefinition
  ) throws(EntityError) -> (sql: String, arguments: [any DatabaseValueConvertible]) {
    let layout = try layout(of: kind)
    var conditions: [String] = []
    var arguments: [any DatabaseValueConvertible] = []
    for (field, value) in query.fields.sorted(by: { $0.key < $1.key }) {
      if let column = layout.column(of: field) {
        conditions.append("\(quoted(column.name)) = ?")
      } else if kind.schema[field] != nil {
        conditions.append("json_extract(body, '$.\(field)') = ?")
      } else {
        throw EntityError(code: .databaseError, message: "'\(kind.name)' has no field '\(field)' to look for")
      }
      arguments.append(value)
    }
    let tagged = "id IN (SELECT entity_id FROM tags WHERE entity_name = ? AND tag"
    switch query.tags {
    case .all(let tags):
      for tag in tags {
        conditions.append("\(tagged) = ?)")
        arguments += [layout.table, tag]
      }
    case .any(let tags):
      conditions.append("\(tagged) IN (\(tags.map { _ in "?" }.joined(separator: ", "))))")
      arguments.append(layout.table)
      arguments += tags
    case nil: break
    }
    if let after = query.after {
      conditions.append("id > ?")
      arguments.append(after)
    }
    if let time = query.expiredBy {
      conditions.append("\(quoted(TableLayout.expiryField)) BETWEEN ? AND ?")
      arguments += [Lifetime.longest + 1, time]
    }
    return (conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND "), arguments)
  }

  private func rows(
    sql condition: String, _ arguments: [any DatabaseValueConvertible], of kind: EntityDefinition
  ) throws(EntityError) -> [EntityFields] {
    let layout = try layout(of: kind)
    let referring = layout.referringColumns
    let rows = try attempt {
      try Row.fetchAll(
        database.cachedStatement(
          sql: "SELECT \(layout.selectList) FROM \(quoted(layout.table))" + condition),
        arguments: StatementArguments(arguments))
    }
    var entities: [EntityFields] = []
    entities.reserveCapacity(rows.count)
    for row in rows {
      let body: String = row[1]
      guard let value = try? JSONValue(parsing: body), case .object(var fields) = value else {
        let id: String = row[0]
        throw EntityError(
          code: .databaseError,
          message: "the store '\(path)' is damaged: '\(kind.name)' entity '\(id)' is not readable")
      }
      for (index, column) in referring.enumerated() {
        let id: String? = row[index + 2]
        fields[column.field] = id.map { .object(["id": .string($0)]) } ?? .null
      }
      entities.append(fields)
    }
    return entities
  }

  private func attempt<Result>(_ body: () throws -> Result) throws(EntityError) -> Result {
    do {
      return try body()
    } catch {
      throw SQLiteErrors.entityError(error, path: path)
    }
  }
}
