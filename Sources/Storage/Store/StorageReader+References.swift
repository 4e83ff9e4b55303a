import EntityModel

extension StorageReader {
  /// The input with every reference given by a unique field (`{"name": …}`) turned into `{"id": …}`.
  ///
  /// An id given together with the name wins, as clients send both.
  /// - Throws: code 13 for a name that nothing has.
  func resolvingReferences(
    in input: EntityFields, of kind: EntityDefinition
  ) throws(EntityError) -> EntityFields {
    var input = input
    for foreign in kind.foreignFields {
      guard case .object(var members) = input[foreign.name], let target = EntityCatalogue[foreign.reference]
      else { continue }
      let keys = members.keys.filter { target.uniqueFields.contains($0) || $0 == target.endpointKey }.sorted()
      guard !keys.isEmpty else { continue }
      if members["id"]?.string != nil {
        for key in keys { members[key] = nil }
        input[foreign.name] = .object(members)
        continue
      }
      guard keys.count == members.count, let key = keys.first, let value = members[key]?.string else { continue }
      guard let row = try rows(where: [key: value], of: target, limit: 1).first, let id = row["id"] else {
        throw .unresolvedForeignKey(field: foreign.name, key: members, collection: target.name)
      }
      input[foreign.name] = ["id": id]
    }
    return input
  }

  /// - Throws: code 5 if another entity has a unique value, or the composite key, of the row.
  func requireUnique(_ row: EntityFields, id: String, of kind: EntityDefinition) throws(EntityError) {
    for field in kind.uniqueFields where field != "id" {
      guard let text = row[field]?.string else { continue }
      if try isTaken([field: text], by: id, of: kind) { throw .unique(fields: [field: .string(text)]) }
    }
    guard kind.compositeUnique.count > 1 else { return }
    let key = Dictionary(
      kind.compositeUnique.map { ($0, row[$0] ?? .null) }, uniquingKeysWith: { first, _ in first })
    if let other = try self.id(ofKey: row, of: kind), other != id { throw .unique(fields: key) }
  }

  private func isTaken(
    _ fields: [String: String], by id: String, of kind: EntityDefinition
  ) throws(EntityError) -> Bool {
    try rows(where: fields, of: kind, limit: 2).contains { $0["id"]?.string != id }
  }

  /// - Throws: code 4 if a foreign field refers to nothing.
  func requireReferences(of row: EntityFields, _ kind: EntityDefinition) throws(EntityError) {
    for foreign in kind.foreignFields {
      guard let id = row[foreign.name]?["id"]?.string, let target = EntityCatalogue[foreign.reference] else { continue }
      if try self.row(id: id, of: target) == nil {
        throw .foreignKeyViolation(field: foreign.name, id: id, collection: foreign.reference)
      }
    }
  }
}
