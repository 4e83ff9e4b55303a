import EntityModel

extension EntityStore {
  public func insert(_ input: EntityFields, into kind: EntityDefinition) async throws(EntityError) -> EntityFields {
    guard let stored = try await insert([input], into: kind).first else {
      preconditionFailure("an input that was stored is answered")
    }
    return stored
  }

  public func insert(
    _ inputs: [EntityFields], into kind: EntityDefinition
  ) async throws(EntityError) -> [EntityFields] {
    try requireAvailable(kind)
    for input in inputs { await inspectAhead(input, nil, kind) }
    return try await write(kind) { [self] transaction throws(EntityError) in
      let intake = try intake(in: transaction)
      var stored: [EntityFields] = []
      for input in inputs {
        let resolved = try transaction.resolvingReferences(in: input, of: kind)
        let row = try attempt { () throws(SchemaViolations) in try intake.inserting(resolved, of: kind) }
        stored.append(try store(row, replacing: nil, kind, intake, transaction))
      }
      return stored
    }
  }

  public func update(
    _ key: EntityKey, with changes: EntityFields, in kind: EntityDefinition
  ) async throws(EntityError) -> EntityFields {
    try requireAvailable(kind)
    await inspectAhead(changes, key, kind)
    return try await write(kind) { [self] transaction throws(EntityError) in
      let intake = try intake(in: transaction)
      try intake.check(key, of: kind)
      guard let current = try transaction.row(key, of: kind) else { throw key.notFoundError(in: kind) }
      var resolved = try transaction.resolvingReferences(in: changes, of: kind)
      resolved["id"] = current["id"]
      let row = try attempt { () throws(SchemaViolations) in
        try intake.updating(current, with: resolved, of: kind)
      }
      return try store(row, replacing: current, kind, intake, transaction)
    }
  }

  public func upsert(
    _ key: EntityKey, with input: EntityFields, in kind: EntityDefinition
  ) async throws(EntityError) -> EntityFields {
    try requireAvailable(kind)
    await inspectAhead(input, key, kind)
    return try await write(kind) { [self] transaction throws(EntityError) in
      let intake = try intake(in: transaction)
      try intake.check(key, of: kind)
      let current = try transaction.row(key, of: kind)
      var resolved = try transaction.resolvingReferences(in: input, of: kind)
      resolved["id"] = current?["id"]
      switch key {
      case .id(let id): resolved["id"] = .string(id)
      case .endpointKey(let value) where kind.name == EntityDefinition.certificates.name:
        // A certificate put by the name of an SNI has that SNI, or the next call would not find it.
        if resolved["snis"]?.array == nil, current == nil { resolved["snis"] = [.string(value)] }
      case .endpointKey(let value):
        if let field = kind.endpointKey { resolved[field] = .string(value) }
      case .keyInParent(let value, let field, let parent):
        if let key = kind.endpointKey ?? kind.nestedKey { resolved[key] = .string(value) }
        resolved[field] = ["id": .string(parent)]
      }
      let id = resolved["id"]?.string ?? UUIDText.random()
      let row = try attempt { () throws(SchemaViolations) in
        try intake.replacing(current, by: resolved, id: id, of: kind)
      }
      return try store(row, replacing: current, kind, intake, transaction)
    }
  }

  public func delete(_ key: EntityKey, from kind: EntityDefinition) async throws(EntityError) {
    guard rules.allows(kind) else { return }
    try await write(kind) { [self] transaction throws(EntityError) in
      let intake = try intake(in: transaction)
      try intake.check(key, of: kind)
      guard let row = try transaction.row(key, of: kind), let id = row["id"]?.string else { return }
      try requireUnused(row, of: kind, in: transaction)
      try requireUntrusted(id, kind, in: transaction)
      for referrer in EntityCatalogue.referrers(to: kind.name) where referrer.onDelete == .restrict {
        if try transaction.count(where: [referrer.field: id], of: referrer.definition) > 0 {
          throw .referencedBy(referrer.definition.name, collection: kind.name)
        }
      }
      try transaction.delete(id: id, from: kind)
      try advanceRevisions(for: kind, in: transaction)
    }
  }

  public func deleteAll(
    where fields: [String: String], from kind: EntityDefinition
  ) async throws(EntityError) -> Int {
    guard rules.allows(kind) else { return 0 }
    return try await recordedWrite { [self] transaction throws(EntityError) in
      try delete(try transaction.rows(RowQuery(fields: fields), of: kind), from: kind, in: transaction)
    }
  }

  /// Removes everything that has outlived its `ttl`, from the configuration too. To be called now and then; requests and
  /// the Admin API do not wait for it.
  ///
  /// - Returns: how many entities there were.
  @discardableResult
  public func removeExpired() async throws(EntityError) -> Int {
    var count = 0
    for kind in Self.kinds where kind.expires {
      let query = expiredRows(limit: 1)
      let isAny = try await backend.read { reader throws(EntityError) in try !reader.rows(query, of: kind).isEmpty }
      guard isAny else { continue }
      count += try await recordedWrite { [self] transaction throws(EntityError) in
        try removeExpired(of: kind, in: transaction)
      }
    }
    return count
  }

  // MARK: Parts

  @discardableResult
  private func removeExpired(
    of kind: EntityDefinition, in transaction: any StorageTransaction
  ) throws(EntityError) -> Int {
    guard kind.expires else { return 0 }
    return try delete(try transaction.rows(expiredRows(), of: kind), from: kind, in: transaction)
  }

  private func expiredRows(limit: Int? = nil) -> RowQuery {
    RowQuery(limit: limit, expiredBy: Int64(exactly: rules.now().rounded(.down)) ?? 0)
  }

  private func delete(
    _ rows: [EntityFields], from kind: EntityDefinition, in transaction: any StorageTransaction
  ) throws(EntityError) -> Int {
    for row in rows {
      if let id = row["id"]?.string { try transaction.delete(id: id, from: kind) }
    }
    if !rows.isEmpty { try advanceRevisions(for: kind, in: transaction) }
    return rows.count
  }

  /// One transaction, and after it the news. What has outlived its `ttl` is in nobody's way.
  private func write<Result: Sendable>(
    _ kind: EntityDefinition,
    _ body: @escaping @Sendable (any StorageTransaction) throws(EntityError) -> Result
  ) async throws(EntityError) -> Result {
    try await recordedWrite { [self] transaction throws(EntityError) in
      try removeExpired(of: kind, in: transaction)
      return try body(transaction)
    }
  }

  /// One transaction that leaves to the keeper of snapshots what it changed, and tells of it.
  private func recordedWrite<Result: Sendable>(
    _ body: @escaping @Sendable (any StorageTransaction) throws(EntityError) -> Result
  ) async throws(EntityError) -> Result {
    let (result, change) = try await backend.write { transaction throws(EntityError) in
      let recorder = try ChangeRecorder(transaction)
      let result = try body(recorder)
      return (result, try recorder.change())
    }
    keeper.note(change)
    if change.after > change.before { changes.publish() }
    return result
  }

  private func attempt(
    _ body: () throws(SchemaViolations) -> EntityFields
  ) throws(EntityError) -> EntityFields {
    do {
      return try body()
    } catch {
      throw .schemaViolation(error)
    }
  }

  /// Inspects the texts of a definition before the transaction: other writers need not wait for Lua, and the same
  /// inspection within the transaction is answered from memory.
  private func inspectAhead(_ input: EntityFields, _ key: EntityKey?, _ kind: EntityDefinition) async {
    guard kind.name == EntityDefinition.customPlugins.name else { return }
    var texts = input
    if let key, let current = try? await backend.read({ reader throws(EntityError) in try reader.row(key, of: kind) }) {
      texts = current.merging(input) { $1 }
    }
    if case .endpointKey(let name)? = key, texts["name"] == nil { texts["name"] = .string(name) }
    guard let name = texts["name"]?.string, let schema = texts["schema"]?.string,
      let handler = texts["handler"]?.string
    else { return }
    _ = try? definitions.inspector?.inspect(name: name, schema: schema, handler: handler)
  }

  /// Checks a complete row against its neighbours and writes it.
  private func store(
    _ row: EntityFields, replacing current: EntityFields?, _ kind: EntityDefinition, _ intake: EntityIntake,
    _ transaction: any StorageTransaction
  ) throws(EntityError) -> EntityFields {
    guard let id = row["id"]?.string else { preconditionFailure("validation gives every entity an id") }
    var row = row
    let transient = kind.transientFields.map { ($0, row.removeValue(forKey: $0)) }
    try checkDefinition(row, replacing: current, kind, in: transaction)
    try checkProtocols(row, kind, in: transaction)
    if current == nil, try transaction.row(id: id, of: kind) != nil { throw .primaryKeyViolation(id: id) }
    try transaction.requireUnique(row, id: id, of: kind)
    try transaction.requireReferences(of: row, kind)
    if current == nil {
      try transaction.insert(row, into: kind)
    } else {
      try transaction.replace(row, in: kind)
    }
    for (field, value) in transient where field == "snis" {
      try replaceSNIs(with: value, ofCertificate: id, intake, in: transaction)
    }
    try advanceRevisions(for: kind, in: transaction)
    return try transaction.presented(row, of: kind, intake)
  }

  private func advanceRevisions(
    for kind: EntityDefinition, in transaction: any StorageTransaction
  ) throws(EntityError) {
    if kind.isExported { try transaction.advanceRevision(of: .configuration) }
    if kind.isPluginDefinition { try transaction.advanceRevision(of: .definitions) }
  }
}

extension EntityKey {
  /// Code 6 for the key. Source: recorded answers.
  func notFoundError(in kind: EntityDefinition) -> EntityError {
    switch self {
    case .id(let id): .notFound(id: id)
    case .endpointKey(let value), .keyInParent(let value, _, _):
      .notFound(field: kind.endpointKey ?? kind.nestedKey ?? "name", value: value)
    }
  }
}
