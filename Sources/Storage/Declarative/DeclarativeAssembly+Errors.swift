import EntityModel

extension DeclarativeAssembly {
  /// Everything found wrong, nil if nothing is.
  var collectedError: DeclarativeError? {
    let bad = entities.filter(\.isBad)
    guard !bad.isEmpty || !documentErrors.isEmpty || !misplaced.isEmpty else { return nil }
    var unflattened = ErrorTree()
    for (path, reason) in misplaced { unflattened.add(.string(reason), at: path[...]) }
    var own = unflattened.fields
    own.merge(documentErrors) { _, error in error }

    var fields: [String: JSONValue]
    let areOnlyReferences = own.isEmpty && bad.allSatisfy { $0.violations.isEmpty && $0.collision == nil }
    if areOnlyReferences {
      fields = referenceErrors(of: bad)
    } else {
      var tree = unflattened
      for entity in bad { tree.add(entity.mirroredErrors, at: entity.path[...]) }
      fields = tree.fields
      fields.merge(documentErrors) { _, error in error }
    }
    let flattened = bad.map { entity in
      entity.flattenedErrors(parentID: entity.parent.flatMap { entities[$0.index].source["id"]?.string })
    }
    return DeclarativeError(fields: fields, flattenedErrors: flattened, unflattenedFields: own)
  }

  /// Broken references are told by the name of the entity that has them.
  private func referenceErrors(of bad: [DeclaredEntity]) -> [String: JSONValue] {
    var fields: [String: JSONValue] = [:]
    for entity in bad {
      var byLabel = fields[entity.kind.name]?.object ?? [:]
      let reasons = entity.brokenReferences.sorted { $0.key < $1.key }.map { JSONValue.string($0.value) }
      byLabel[entity.label] = .array((byLabel[entity.label]?.array ?? []) + reasons)
      fields[entity.kind.name] = .object(byLabel)
    }
    return fields
  }
}

/// Errors put at their places in a copy of the file's shape.
private struct ErrorTree {
  private var members: [String: ErrorTree] = [:]
  private var elements: [Int: ErrorTree] = [:]
  private var error: JSONValue?

  var fields: [String: JSONValue] { value.object ?? [:] }

  mutating func add(_ error: JSONValue, at path: ArraySlice<DeclaredEntity.Step>) {
    switch path.first {
    case nil: self.error = error
    case .key(let name): members[name, default: ErrorTree()].add(error, at: path.dropFirst())
    case .index(let index): elements[index, default: ErrorTree()].add(error, at: path.dropFirst())
    }
  }

  private var value: JSONValue {
    if let last = elements.keys.max() {
      return .array((0...last).map { elements[$0]?.value ?? .null })
    }
    if members.isEmpty { return error ?? .object([:]) }
    var output = error?.object ?? [:]
    if case .string(let message)? = error { output["@entity"] = [.string(message)] }
    for (name, child) in members { output[name] = child.value }
    return .object(output)
  }
}
