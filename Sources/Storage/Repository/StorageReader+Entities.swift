import EntityModel

/// What reading means, for every store alike.
extension StorageReader {
  /// The stored row that a key names.
  func row(_ key: EntityKey, of kind: EntityDefinition) throws(EntityError) -> EntityFields? {
    switch key {
    case .id(let id):
      return try row(id: id, of: kind)
    case .endpointKey(let value) where kind.name == EntityDefinition.certificates.name:
      guard let sni = try rows(where: ["name": value], of: .snis, limit: 1).first,
        let id = sni["certificate"]?["id"]?.string
      else { return nil }
      return try row(id: id, of: kind)
    case .endpointKey(let value):
      guard let field = kind.endpointKey else { return nil }
      return try rows(where: [field: value], of: kind, limit: 1).first
    case .keyInParent(let value, let field, let parent):
      guard let key = kind.endpointKey ?? kind.nestedKey else { return nil }
      // The stored form may say more than the caller: a target without port has the default one.
      let stored = kind.derivedFields?([key: .string(value)])[key]?.string ?? value
      return try rows(where: [key: stored, field: parent], of: kind, limit: 1).first
    }
  }

  func page(_ request: PageRequest, of kind: EntityDefinition) throws(EntityError) -> EntityPage {
    let size = request.boundedSize
    var query = RowQuery(limit: size + 1, tags: request.tags, fields: request.equals)
    if let offset = request.offset { query.after = try PageToken.values(of: offset, count: 1)[0] }
    if let parent = request.parent { query.fields[parent.field] = parent.id }
    var rows = try rows(query, of: kind)
    guard rows.count > size else { return EntityPage(entities: rows) }
    rows.removeLast(rows.count - size)
    return EntityPage(entities: rows, nextOffset: rows.last?["id"]?.string.map { PageToken.text([$0]) })
  }

  /// The entities that rows of `link` connect with the one that the request names as parent, in the order of the links.
  func page(
    _ request: PageRequest, of kind: EntityDefinition, linkedBy link: EntityDefinition
  ) throws(EntityError) -> EntityPage {
    guard let parent = request.parent,
      let far = link.foreignFields.first(where: { $0.reference == kind.name && $0.name != parent.field })?.name
    else { return EntityPage(entities: []) }
    let size = request.boundedSize
    var query = RowQuery(limit: size + 1, fields: [parent.field: parent.id])
    if let offset = request.offset { query.after = try PageToken.values(of: offset, count: 1)[0] }
    var found: [EntityFields] = []
    while true {
      let links = try rows(query, of: link)
      for row in links {
        // One more than asked for is there: the page ends before it.
        if found.count == size {
          return EntityPage(entities: found, nextOffset: query.after.map { PageToken.text([$0]) })
        }
        query.after = row["id"]?.string
        guard let id = row[far]?["id"]?.string, let entity = try self.row(id: id, of: kind) else { continue }
        if request.tags?.matches(entity) != false { found.append(entity) }
      }
      if links.count <= size { return EntityPage(entities: found) }
    }
  }

  func tagPage(_ request: PageRequest, matching tag: String?) throws(EntityError) -> EntityPage {
    var after: TagRow?
    if let offset = request.offset {
      let values = try PageToken.values(of: offset, count: 3)
      after = TagRow(entityName: values[0], entityID: values[1], tag: values[2])
    }
    var rows = try tagRows(matching: tag, after: after, limit: request.boundedSize + 1)
    var nextOffset: String?
    if rows.count > request.boundedSize {
      rows.removeLast(rows.count - request.boundedSize)
      nextOffset = rows.last.map { PageToken.text([$0.entityName, $0.entityID, $0.tag]) }
    }
    return EntityPage(
      entities: rows.map {
        ["entity_name": .string($0.entityName), "entity_id": .string($0.entityID), "tag": .string($0.tag)]
      },
      nextOffset: nextOffset)
  }

  /// The entity as the Admin API shows it.
  func presented(
    _ row: EntityFields, of kind: EntityDefinition, _ intake: EntityIntake
  ) throws(EntityError) -> EntityFields {
    var entity = intake.presenting(row, of: kind)
    if kind.name == EntityDefinition.certificates.name, let id = row["id"]?.string {
      entity["snis"] = .array(try sniNames(ofCertificate: id).map(JSONValue.string))
    }
    return entity
  }

  /// The page as the Admin API shows it, without what has outlived its `ttl`.
  func presented(
    _ page: EntityPage, of kind: EntityDefinition, _ intake: EntityIntake
  ) throws(EntityError) -> EntityPage {
    var shown = EntityPage(entities: [], nextOffset: page.nextOffset)
    shown.entities.reserveCapacity(page.entities.count)
    for row in page.entities where !intake.isOver(row, of: kind) {
      shown.entities.append(try presented(row, of: kind, intake))
    }
    return shown
  }

  /// The names of a certificate's SNIs, sorted: the value of its transient `snis`.
  func sniNames(ofCertificate id: String) throws(EntityError) -> [String] {
    try rows(where: ["certificate": id], of: .snis, limit: nil).compactMap { $0["name"]?.string }.sorted()
  }
}
