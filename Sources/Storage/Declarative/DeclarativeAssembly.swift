import EntityModel

/// Turns one document into entities, or into the list of everything that is wrong with it.
///
/// The steps: take the tree apart; then, parents before children, resolve references, give ids, validate; definitions of
/// plugins come before their instances, so both may stand in one file.
struct DeclarativeAssembly {
  enum Origin {
    case file
    /// A control plane's table: unknown null fields are ignored, as are workspaces.
    case controlPlane
  }

  static let formatVersions = ["1.1", "2.1", "3.0"]
  static let maximumNesting = 16

  let definitions: PluginDefinitions
  let origin: Origin

  var entities: [DeclaredEntity] = []
  /// Errors of the document that belong to no entity.
  var documentErrors: [String: JSONValue] = [:]
  /// Errors inside lists that belong to no entity: an entry that is no record.
  var misplaced: [(path: [DeclaredEntity.Step], reason: String)] = []

  private var intake: EntityIntake
  private var indexesByID: [String: [String: Int]] = [:]
  private var indexesByKey: [String: [String: Int]] = [:]
  private var seen: [String: [String: Int]] = [:]
  private var clonesOfPlugin: [String: Int] = [:]
  private var hasOldPaths = false

  init(definitions: PluginDefinitions, origin: Origin) {
    self.definitions = definitions
    self.origin = origin
    intake = EntityIntake(
      definitions: definitions, catalogue: definitions.catalogue(custom: [], cloned: []), acceptsExpiryTimes: true)
  }

  mutating func assemble(
    _ document: [String: JSONValue]
  ) throws(DeclarativeError) -> [String: [EntityFields]] {
    readHeader(document)
    for (name, value) in document.sorted(by: { $0.key < $1.key }) where !name.hasPrefix("_") {
      collect(name, value)
    }
    var byKind: [String: [Int]] = [:]
    for (index, entity) in entities.enumerated() { byKind[entity.kind.name, default: []].append(index) }
    for kind in EntityCatalogue.all {
      for index in byKind[kind.name] ?? [] { admit(index) }
      if kind.isPluginDefinition { renewCatalogue() }
    }
    if let error = collectedError { throw error }
    var output: [String: [EntityFields]] = [:]
    for entity in entities {
      if let row = entity.row { output[entity.kind.name, default: []].append(row) }
    }
    return output.mapValues(Self.inOrder)
  }

  /// The entities in the order of their ids.
  private static func inOrder(_ rows: [EntityFields]) -> [EntityFields] {
    let ids = rows.map { $0["id"]?.string ?? "" }
    return ids.indices.sorted { ids[$0] < ids[$1] }.map { rows[$0] }
  }

  // MARK: Taking the tree apart

  private mutating func readHeader(_ document: [String: JSONValue]) {
    switch document["_format_version"] {
    case nil, .null: documentErrors["_format_version"] = "required field missing"
    case .string(let version):
      if Self.formatVersions.contains(version) {
        hasOldPaths = version != "3.0"
      } else {
        documentErrors["_format_version"] = .string(
          "expected one of: \(Self.formatVersions.joined(separator: ", "))")
      }
    default: documentErrors["_format_version"] = "expected a string"
    }
    for (name, value) in document where name.hasPrefix("_") && name != "_format_version" {
      switch (name, value) {
      case ("_transform", .bool), ("_comment", .string), ("_ignore", .array), ("_workspace", .string): break
      case ("_transform", .null), ("_comment", .null), ("_ignore", .null), ("_workspace", .null): break
      case ("_transform", _): documentErrors[name] = "expected a boolean"
      case ("_comment", _), ("_workspace", _): documentErrors[name] = "expected a string"
      case ("_ignore", _): documentErrors[name] = "expected an array"
      default: documentErrors[name] = "unknown field"
      }
    }
  }

  private mutating func collect(_ name: String, _ value: JSONValue) {
    if name == "workspaces" { return }
    guard let kind = EntityCatalogue[name], kind.isExported else {
      if origin == .file || !value.isNull { documentErrors[name] = "unknown field" }
      return
    }
    guard definitions.rules.allows(kind) else {
      if value.array?.isEmpty != true, !value.isNull {
        documentErrors[name] = .string("needs the setting \(kind.requiredSetting ?? "") to be on")
      }
      return
    }
    collect(value, of: kind, at: [.key(name)], parent: nil)
  }

  mutating func collect(
    _ value: JSONValue, of kind: EntityDefinition, at path: [DeclaredEntity.Step], parent: (index: Int, field: String)?
  ) {
    let elements: [JSONValue]
    switch value {
    case .null, .object([:]): return
    case .array(let list): elements = list
    default:
      misplaced.append((path, "expected an array"))
      return
    }
    guard path.count <= 2 * Self.maximumNesting else {
      misplaced.append((path, "nested too deep"))
      return
    }
    for (index, element) in elements.enumerated() {
      let place = path + [.index(index)]
      guard case .object(let members) = element else {
        misplaced.append((place, "expected a record"))
        continue
      }
      collect(members, of: kind, at: place, parent: parent)
    }
  }

  private mutating func collect(
    _ members: [String: JSONValue], of kind: EntityDefinition, at path: [DeclaredEntity.Step],
    parent: (index: Int, field: String)?
  ) {
    var own = members
    own["_comment"] = nil
    own["_ignore"] = nil
    if origin == .controlPlane { own["ws_id"] = nil }
    var children: [(kind: EntityDefinition, field: String, value: JSONValue)] = []
    for name in members.keys.sorted() {
      guard let child = EntityCatalogue[name], child.isExported, let value = members[name],
        let field = child.foreignFields.first(where: { $0.reference == kind.name })?.name
      else { continue }
      guard kind.schema[name]?.isTransient != false else { continue }
      own[name] = nil
      children.append((child, field, Self.asEntities(value, of: child)))
    }
    let memberships = takeMemberships(from: &own, of: kind)
    let index = entities.count
    entities.append(DeclaredEntity(kind: kind, source: own, path: path, parent: parent, input: own))
    for list in memberships { collectMemberships(list, of: index, at: path) }
    for child in children {
      collect(child.value, of: child.kind, at: path + [.key(child.kind.name)], parent: (index, child.field))
    }
  }

  /// A list of endpoint keys (`snis: [example.com]`) stands for entities that have nothing else.
  private static func asEntities(_ value: JSONValue, of kind: EntityDefinition) -> JSONValue {
    guard let key = kind.endpointKey, case .array(let elements) = value else { return value }
    return .array(
      elements.map { element in
        if case .string = element { .object([key: element]) } else { element }
      })
  }

  // MARK: Admission

  /// Resolves, identifies, validates and registers one entity.
  private mutating func admit(_ index: Int) {
    let kind = entities[index].kind
    var input = entities[index].input
    linkParent(of: index, &input)
    resolveReferences(of: index, &input)
    if hasOldPaths, kind.name == EntityDefinition.routes.name { Self.markRegexPaths(&input) }
    if origin == .controlPlane { input = droppingUnknownNulls(input, of: kind) }
    let given = input["id"]?.string
    let id =
      given.map { UUIDText.isUUID($0) ? UUIDText.lowercased($0) : $0 } ?? DeterministicID.id(of: input, in: kind)
      ?? UUIDText.random()
    if given != id, input["id"] == nil || input["id"] == .null || given != nil { input["id"] = .string(id) }
    entities[index].id = id
    entities[index].reference = ["id": .string(id)]
    entities[index].input = input
    do {
      var row = try intake.inserting(input, of: kind)
      // A file that says when an entity changed last is believed.
      if let updated = input["updated_at"], updated.double != nil { row["updated_at"] = updated }
      for field in kind.transientFields { row[field] = nil }
      // What has outlived its `ttl` is as good as not there.
      if intake.isOver(row, of: kind), entities[index].brokenReferences.isEmpty { return }
      entities[index].row = row
      // Given back at once, so that the memory of what stays has no holes.
      entities[index].input = [:]
      input = [:]
    } catch {
      entities[index].violations.fields.merge(error.fields) { own, _ in own }
      entities[index].violations.entity += error.entity
    }
    for field in entities[index].brokenReferences.keys { entities[index].violations.fields[field] = nil }
    checkDefinition(index)
    register(index, id: id)
  }

  private mutating func linkParent(of index: Int, _ input: inout EntityFields) {
    guard let parent = entities[index].parent else { return }
    if let own = input[parent.field], !own.isNull {
      entities[index].violations.fields[parent.field] = "value must be null"
    }
    if let reference = entities[parent.index].reference { input[parent.field] = reference }
  }

  private mutating func resolveReferences(of index: Int, _ input: inout EntityFields) {
    let kind = entities[index].kind
    for foreign in kind.foreignFields where entities[index].parent?.field != foreign.name {
      guard let value = input[foreign.name], !value.isNull else { continue }
      let text: String?
      switch value {
      case .string(let given): text = given
      case .object(let members):
        let key = EntityCatalogue[foreign.reference]?.endpointKey
        text = members["id"]?.string ?? key.flatMap { members[$0]?.string }
      default: text = nil
      }
      guard let text else { continue }
      let target = indexesByID[foreign.reference]?[UUIDText.lowercased(text)] ?? indexesByKey[foreign.reference]?[text]
      if let target, let reference = entities[target].reference {
        input[foreign.name] = reference
      } else {
        entities[index].brokenReferences[foreign.name] =
          "invalid reference '\(foreign.name): \(text)' (no such entry in '\(foreign.reference)')"
        input[foreign.name] = .null
      }
    }
  }

  private mutating func checkDefinition(_ index: Int) {
    let kind = entities[index].kind
    guard kind.isPluginDefinition, let row = entities[index].row, let name = row["name"]?.string else { return }
    let isTaken =
      kind.name == EntityDefinition.clonedPlugins.name
      && indexesByKey[EntityDefinition.customPlugins.name]?[name] != nil
    if let reason = definitions.nameViolation(name, isTakenByOtherKind: isTaken) {
      entities[index].violations.fields["name"] = .string(reason)
    }
    guard kind.name == EntityDefinition.clonedPlugins.name, let ref = row["ref"]?.string else { return }
    if let reason = definitions.referenceViolation(ref) {
      entities[index].violations.fields["ref"] = .string(reason)
    }
    clonesOfPlugin[ref, default: 0] += 1
    if clonesOfPlugin[ref, default: 0] > KongPlugins.maximumClones {
      entities[index].violations.fields["ref"] = .string(PluginDefinitions.tooManyClonesText(ref))
    }
  }

  /// Makes the entity known to those that refer to it, and finds those that are declared twice.
  private mutating func register(_ index: Int, id: String) {
    let kind = entities[index].kind
    let input = entities[index].row ?? entities[index].input
    func collides(_ key: String) -> Bool {
      if seen[kind.name]?[key] != nil { return true }
      seen[kind.name, default: [:]][key] = index
      return false
    }
    func refuse(_ field: String, _ value: String) {
      if entities[index].collision == nil {
        entities[index].collision =
          "uniqueness violation: '\(kind.name)' entity with \(field) set to '\(value)' already declared"
      }
    }
    for field in kind.uniqueFields where field != "id" {
      if let value = input[field]?.string, collides("\(field):\(value)") { refuse(field, value) }
    }
    if kind.compositeUnique.count > 1, entities[index].row != nil {
      let parts = kind.compositeUnique.map { input[$0]?.string ?? input[$0]?["id"]?.string ?? "" }
      if collides("key:" + JSONValue.array(parts.map(JSONValue.string)).serializedString) {
        refuse(kind.compositeUnique.joined(separator: ", "), parts.joined(separator: ", "))
      }
    }
    if indexesByID[kind.name]?[id] != nil {
      refuse("primary key", id)
    } else {
      indexesByID[kind.name, default: [:]][id] = index
    }
    if let field = kind.endpointKey, let key = input[field]?.string, indexesByKey[kind.name]?[key] == nil {
      indexesByKey[kind.name, default: [:]][key] = index
    }
  }

  private mutating func renewCatalogue() {
    func rows(_ kind: EntityDefinition) -> [EntityFields] {
      entities.filter { $0.kind.name == kind.name && !$0.isBad }.compactMap(\.row)
    }
    intake = EntityIntake(
      definitions: definitions,
      catalogue: definitions.catalogue(custom: rows(.customPlugins), cloned: rows(.clonedPlugins)),
      acceptsExpiryTimes: true)
  }

  // MARK: Older and newer forms

  /// Before format 3.0 a path was a regular expression when it had a character that paths rarely have.
  private static func markRegexPaths(_ input: inout EntityFields) {
    guard let paths = input["paths"]?.array else { return }
    input["paths"] = .array(
      paths.map { path in
        guard let text = path.string, !text.hasPrefix("~") else { return path }
        let isPlain = text.utf8.allSatisfy { byte in
          switch byte {
          case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
          default: "._~/%-".utf8.contains(byte)
          }
        }
        return isPlain ? path : .string("~" + text)
      })
  }

  private func droppingUnknownNulls(_ input: EntityFields, of kind: EntityDefinition) -> EntityFields {
    Self.droppingUnknownNulls(input, of: kind, catalogue: intake.validator.catalogue)
  }

  /// The input without members that are null and that this version does not know.
  static func droppingUnknownNulls(
    _ input: EntityFields, of kind: EntityDefinition, catalogue: PluginCatalogue
  ) -> EntityFields {
    var schema = kind.schema
    if let key = kind.subschemaKey, let name = input[key]?.string, let plugin = catalogue[name] {
      for index in schema.fields.indices {
        if let own = plugin.schema[schema.fields[index].name] { schema.fields[index].schema = own }
      }
    }
    return Self.droppingUnknownNulls(input, by: schema)
  }

  private static func droppingUnknownNulls(_ members: EntityFields, by schema: RecordSchema) -> EntityFields {
    var output: EntityFields = [:]
    for (name, value) in members {
      guard let field = schema[name] else {
        let isShorthand = schema.shorthandFields.contains { $0.name == name }
        if !value.isNull || isShorthand { output[name] = value }
        continue
      }
      if case .record(let inner) = field.kind, case .object(let nested) = value, !field.isAbstract {
        output[name] = .object(droppingUnknownNulls(nested, by: inner))
      } else {
        output[name] = value
      }
    }
    return output
  }
}
