/// Reads the schema of a streamed plugin from what its Lua chunk returned, and holds it against Kong's rules for
/// schemas (the metaschema).
///
/// Every finding is reported, not only the first; all of them land in the field `schema`.
/// Source: Kong fact, schema-library §1 to §5 and §10.
public struct SchemaReader {
  /// What a schema may hold at most; a bound against hostile input, far above anything written by hand.
  enum Limit {
    static let depth = 24
    static let fields = 2_000
    static let reportedIssues = 10
    /// Characters of one reported issue.
    static let issueLength = 500
    /// Entity checks of one record, and names in one of them.
    static let checks = 100
  }

  struct Issue {
    var path: String
    var message: String
  }

  var issues: [Issue] = []
  var fieldCount = 0

  private init() {}

  /// Reads a plugin's schema.
  ///
  /// - Throws: `SchemaViolations` with one sentence or more in the field `schema`.
  public static func read(_ tree: SchemaTree, expectedName: String) throws(SchemaViolations) -> PluginSchema {
    var reader = SchemaReader()
    let schema = reader.readPlugin(tree, expectedName: expectedName)
    guard reader.issues.isEmpty, let schema else { throw reader.violations }
    return schema
  }

  private var violations: SchemaViolations {
    var sentences = issues.prefix(Limit.reportedIssues).map { issue in
      String((issue.path.isEmpty ? issue.message : "\(issue.path): \(issue.message)").prefix(Limit.issueLength))
    }
    if issues.count > sentences.count { sentences.append("and \(issues.count - sentences.count) more") }
    return SchemaViolations(fields: ["schema": .string(sentences.joined(separator: "; "))])
  }

  mutating func report(_ path: String, _ message: String) {
    issues.append(Issue(path: path, message: message))
  }
}

extension SchemaReader {
  /// Fields that every plugin instance has, by their type; a plugin's schema can only specialise these.
  private static let parentFields: [String: String] = [
    "id": "string", "name": "string", "instance_name": "string", "created_at": "integer", "updated_at": "integer",
    "route": "foreign", "service": "foreign", "consumer": "foreign", "consumer_group": "foreign", "config": "record",
    "protocols": "set", "enabled": "boolean", "tags": "set", "ordering": "record", "condition": "string",
    "partials": "array",
  ]

  private static let scopeCollections = [
    "route": "routes", "service": "services", "consumer": "consumers", "consumer_group": "consumer_groups",
  ]

  private static let topLevelKeys: Set<String> = [
    "name", "fields", "entity_checks", "shorthand_fields", "transformations", "check",
  ]

  private mutating func readPlugin(_ tree: SchemaTree, expectedName: String) -> PluginSchema? {
    guard tree.isTable else {
      report("", "the schema chunk must return a table, but it returned \(tree.typeDescription)")
      return nil
    }
    refuseFunctions(in: tree)
    guard issues.isEmpty else { return nil }

    readName(tree["name"], expectedName: expectedName)
    for (name, _) in tree.namedEntries where !Self.topLevelKeys.contains(name) {
      let hint = Self.parentFields[name] == nil ? "" : " (declare it as an entry of 'fields': { \(name) = { ... } })"
      report(name, "unknown field\(hint)")
    }
    if case .table(let entries) = tree, entries.contains(where: { if case .name = $0.key { false } else { true } }) {
      report("", "the schema has entries without a name; 'fields' is the only list of a schema")
    }
    refuseLuaOnly(tree, at: "")

    var fields = readFieldList(tree["fields"], at: "", depth: 0)
    for field in fields { checkAgainstParent(field, plugin: expectedName) }
    let config = fields.firstIndex { $0.name == "config" }.map { fields.remove(at: $0) }
    fields.append(config ?? .init("config", Self.emptyConfig))

    let root = CheckScope(fields: fields, otherNames: Set(Self.parentFields.keys))
    let checks = readEntityChecks(tree["entity_checks"], at: "entity_checks", scope: root)
    return PluginSchema(
      name: expectedName, fields: fields, entityChecks: checks,
      shorthandFields: readShorthands(tree["shorthand_fields"], at: "shorthand_fields", scope: root, depth: 0),
      transformations: readTransformations(tree["transformations"], at: "transformations", scope: root))
  }

  private static var emptyConfig: FieldSchema {
    var field = FieldSchema(.record(RecordSchema([])))
    field.required = true
    return field
  }

  private mutating func readName(_ tree: SchemaTree?, expectedName: String) {
    switch tree {
    case nil, .nil, .null: report("name", "required field missing")
    case .string(let name) where name == expectedName: break
    case .string(let name):
      report(
        "name",
        "the schema is named '\(name.prefix(100))' but the plugin is named '\(expectedName)'; both must be equal")
    default: report("name", "expected a string")
    }
  }

  private mutating func checkAgainstParent(_ field: RecordSchema.NamedField, plugin: String) {
    guard let type = Self.parentFields[field.name] else {
      report("", "error in definition of '\(plugin)': \(field.name): cannot create a new field")
      return
    }
    let own = field.schema.kind.luaName
    var matches = own == type || (type == "record" && own == "json")
    if case .foreign(let reference) = field.schema.kind, let collection = Self.scopeCollections[field.name] {
      matches = reference == collection
    }
    if !matches {
      report("", "error in definition of '\(plugin)': \(field.name): cannot change type in a specialized field")
    }
  }

  /// Reports a check that is no function; those that are one are reported with their line.
  mutating func refuseLuaOnly(_ tree: SchemaTree, at path: String) {
    guard tree["check"] != nil else { return }
    report(
      path.isEmpty ? "check" : "\(path).check",
      "a streamed schema is plain data and cannot have 'check'; do this work in the handler")
  }

  /// Reports every function of the chunk with its line.
  private mutating func refuseFunctions(in tree: SchemaTree, at path: String = "", depth: Int = 0) {
    guard case .table(let entries) = tree, depth <= 4 * Limit.depth else { return }
    for entry in entries {
      let path = Self.path(path, entry.key)
      switch entry.value {
      case .function(let line):
        let place = line.map { " (line \($0))" } ?? ""
        report(
          path,
          "functions are not allowed in the schema of a streamed plugin\(place); "
            + "declare the rule with the schema's own checks, or validate the value in the handler")
      case .opaque(let type):
        report(path, "a \(type) is not allowed in the schema of a streamed plugin")
      case .table:
        refuseFunctions(in: entry.value, at: path, depth: depth + 1)
      default: break
      }
    }
  }

  /// The path of an entry; positions in `fields` are left out, so that `config.fields[1].word` reads `config.word`.
  private static func path(_ path: String, _ key: SchemaTree.Key) -> String {
    let isFieldEntry = path == "fields" || path.hasSuffix(".fields")
    let component: String
    switch key {
    case .index where isFieldEntry: return String(path.dropLast(path == "fields" ? 6 : 7))
    case .index(let index): component = String(index)
    case .name(let name): component = name
    case .other(let type): component = "[\(type)]"
    }
    return path.isEmpty ? component : "\(path).\(component)"
  }
}
