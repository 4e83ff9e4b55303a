import Patterns

/// Reads the document of a JSON schema into numbered nodes.
struct JSONSchemaCompiler {
  /// Bounds against hostile documents, far above anything written by hand.
  private static let depthLimit = 64
  private static let nodeLimit = 5_000

  let document: JSONValue
  private var nodes: [JSONSchema.Node] = []
  /// Nodes of schemas that references point to, by their pointer.
  private var referenced: [String: Int] = [:]
  /// Draft 4 knows the exclusive bounds as switches.
  private var isDraft4 = false

  init(document: JSONValue) { self.document = document }

  private static let drafts = ["draft-04", "draft-06", "draft-07"]

  private static let remarks: Set<String> = [
    "$schema", "$id", "id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly",
    "writeOnly", "contentEncoding", "contentMediaType", "definitions", "$defs",
  ]

  /// Keywords that are read together with another one.
  private static let companions: Set<String> = [
    "additionalItems", "patternProperties", "additionalProperties", "then", "else",
  ]

  mutating func compile() throws(JSONSchema.Refusal) -> [JSONSchema.Node] {
    if let draft = document["$schema"] {
      guard let text = draft.string, Self.drafts.contains(where: { text.contains("json-schema.org/\($0)/schema") })
      else {
        throw JSONSchema.Refusal(
          path: "$schema", message: "only the drafts 4, 6 and 7 are known (http://json-schema.org/draft-07/schema#)")
      }
      isDraft4 = text.contains("draft-04")
    }
    referenced["#"] = 0
    _ = try add(document, at: "", depth: 0)
    return nodes
  }

  /// Compiles a schema and gives its number.
  private mutating func add(_ schema: JSONValue, at path: String, depth: Int) throws(JSONSchema.Refusal) -> Int {
    guard depth <= Self.depthLimit else { throw refusal(path, "the schema is nested too deeply") }
    guard nodes.count < Self.nodeLimit else { throw refusal(path, "the schema has too many parts") }
    let number = nodes.count
    nodes.append(JSONSchema.Node())
    if let flag = schema.bool {
      nodes[number].acceptsEverything = flag
      return number
    }
    // An empty Lua table is an empty schema.
    guard let keywords = Self.members(of: schema) else { throw refusal(path, "a schema must be a table or a boolean") }
    if let reference = keywords["$ref"] {
      nodes[number].rules = [.reference(try resolve(reference, at: Self.join(path, "$ref"), depth: depth))]
      return number
    }
    var rules: [JSONSchema.Rule] = []
    for (name, operand) in keywords.sorted(by: { $0.key < $1.key }) {
      if Self.remarks.contains(name) { continue }
      if let rule = try readRule(name, operand, keywords, at: path, depth: depth + 1) { rules.append(rule) }
    }
    nodes[number].rules = rules
    return number
  }

  // MARK: Keywords

  private mutating func readRule(
    _ name: String, _ operand: JSONValue, _ keywords: [String: JSONValue], at parent: String, depth: Int
  ) throws(JSONSchema.Refusal) -> JSONSchema.Rule? {
    let path = Self.join(parent, name)
    switch name {
    case "type": return .types(try readTypes(operand, at: path))
    case "enum":
      guard let values = operand.array, !values.isEmpty else { throw refusal(path, "expected a list of values") }
      return .enumeration(values)
    case "const": return .constant(operand)
    case "multipleOf":
      let number = try readNumber(operand, at: path)
      guard number > 0 else { throw refusal(path, "value must be greater than 0") }
      return .multipleOf(number)
    case "minimum":
      let number = try readNumber(operand, at: path)
      return .minimum(number, isExclusive: keywords["exclusiveMinimum"]?.bool == true)
    case "maximum":
      let number = try readNumber(operand, at: path)
      return .maximum(number, isExclusive: keywords["exclusiveMaximum"]?.bool == true)
    case "exclusiveMinimum", "exclusiveMaximum":
      let isLower = name == "exclusiveMinimum"
      if operand.bool != nil {
        guard keywords[isLower ? "minimum" : "maximum"] != nil else {
          throw refusal(path, "as a boolean it needs '\(isLower ? "minimum" : "maximum")' beside it")
        }
        return nil
      }
      let number = try readNumber(operand, at: path)
      if isDraft4 { throw refusal(path, "expected a boolean (draft 4)") }
      return isLower ? .minimum(number, isExclusive: true) : .maximum(number, isExclusive: true)
    case "minLength": return .minLength(try readCount(operand, at: path))
    case "maxLength": return .maxLength(try readCount(operand, at: path))
    case "pattern": return .pattern(try readPattern(operand, at: path))
    case "format":
      guard let text = operand.string, let format = JSONSchemaFormat(rawValue: text) else {
        let known = JSONSchemaFormat.allCases.map(\.rawValue).sorted().joined(separator: ", ")
        throw refusal(path, "expected one of: \(known)")
      }
      return .format(format)
    case "minItems": return .minItems(try readCount(operand, at: path))
    case "maxItems": return .maxItems(try readCount(operand, at: path))
    case "uniqueItems": return try readFlag(operand, at: path) ? .uniqueItems : nil
    case "contains": return .contains(try add(operand, at: path, depth: depth))
    case "items": return try readItems(operand, keywords, at: parent, depth: depth)
    case "minProperties": return .minProperties(try readCount(operand, at: path))
    case "maxProperties": return .maxProperties(try readCount(operand, at: path))
    case "required": return .required(try readNames(operand, at: path))
    case "properties": return try readProperties(keywords, at: parent, depth: depth)
    case "patternProperties", "additionalProperties":
      // One rule for the three, made by the first that is there.
      let isFirst =
        name == "additionalProperties"
        ? keywords["properties"] == nil && keywords["patternProperties"] == nil : keywords["properties"] == nil
      return isFirst ? try readProperties(keywords, at: parent, depth: depth) : nil
    case "propertyNames": return .propertyNames(try add(operand, at: path, depth: depth))
    case "dependencies": return .allOf([try readDependencies(operand, at: path, depth: depth)])
    case "allOf": return .allOf(try readSchemas(operand, at: path, depth: depth))
    case "anyOf": return .anyOf(try readSchemas(operand, at: path, depth: depth))
    case "oneOf": return .oneOf(try readSchemas(operand, at: path, depth: depth))
    case "not": return .not(try add(operand, at: path, depth: depth))
    case "if":
      let condition = try add(operand, at: path, depth: depth)
      var branches: [Int?] = []
      for branch in ["then", "else"] {
        if let schema = keywords[branch] {
          branches.append(try add(schema, at: Self.join(parent, branch), depth: depth))
        } else {
          branches.append(nil)
        }
      }
      return .condition(if: condition, then: branches[0], else: branches[1])
    case let companion where Self.companions.contains(companion):
      // `then` and `else` without `if`, and `additionalItems` without `items`, say nothing in JSON Schema.
      return nil
    default: throw refusal(path, "the keyword '\(name.prefix(100))' is not supported in JSON schemas")
    }
  }

  private mutating func readItems(
    _ operand: JSONValue, _ keywords: [String: JSONValue], at parent: String, depth: Int
  ) throws(JSONSchema.Refusal) -> JSONSchema.Rule {
    let path = Self.join(parent, "items")
    guard let schemas = operand.array, !schemas.isEmpty else {
      return .items(each: try add(operand, at: path, depth: depth))
    }
    var numbers: [Int] = []
    for (index, schema) in schemas.enumerated() {
      numbers.append(try add(schema, at: Self.join(path, String(index + 1)), depth: depth))
    }
    var rest: Int?
    if let schema = keywords["additionalItems"] {
      rest = try add(schema, at: Self.join(parent, "additionalItems"), depth: depth)
    }
    return .tuple(numbers, rest: rest)
  }

  private mutating func readProperties(
    _ keywords: [String: JSONValue], at parent: String, depth: Int
  ) throws(JSONSchema.Refusal) -> JSONSchema.Rule {
    var named: [String: Int] = [:]
    var matching: [JSONSchema.Rule.Matching] = []
    var rest: Int?
    if let operand = keywords["properties"] {
      let path = Self.join(parent, "properties")
      guard let members = Self.members(of: operand) else { throw refusal(path, "expected a table of schemas by name") }
      for (name, schema) in members.sorted(by: { $0.key < $1.key }) {
        named[name] = try add(schema, at: Self.join(path, name), depth: depth)
      }
    }
    if let operand = keywords["patternProperties"] {
      let path = Self.join(parent, "patternProperties")
      guard let members = Self.members(of: operand) else {
        throw refusal(path, "expected a table of schemas by pattern")
      }
      for (source, schema) in members.sorted(by: { $0.key < $1.key }) {
        let path = Self.join(path, source)
        let pattern = try readPattern(.string(source), at: path)
        matching.append(.init(pattern: pattern, node: try add(schema, at: path, depth: depth)))
      }
    }
    if let schema = keywords["additionalProperties"] {
      rest = try add(schema, at: Self.join(parent, "additionalProperties"), depth: depth)
    }
    return .properties(named: named, matching: matching, rest: rest)
  }

  private mutating func readDependencies(
    _ operand: JSONValue, at path: String, depth: Int
  ) throws(JSONSchema.Refusal) -> Int {
    guard let members = Self.members(of: operand) else { throw refusal(path, "expected a table by name") }
    var rules: [JSONSchema.Rule] = []
    for (name, dependency) in members.sorted(by: { $0.key < $1.key }) {
      let path = Self.join(path, name)
      if let names = dependency.array, !names.isEmpty {
        rules.append(.dependentNames(name, try readNames(.array(names), at: path)))
      } else {
        rules.append(.dependentSchema(name, try add(dependency, at: path, depth: depth)))
      }
    }
    let number = nodes.count
    nodes.append(JSONSchema.Node(rules: rules))
    return number
  }

  /// The number of the schema that a reference means: `#` or a pointer into the document (RFC 6901).
  private mutating func resolve(
    _ operand: JSONValue, at path: String, depth: Int
  ) throws(JSONSchema.Refusal) -> Int {
    guard let reference = operand.string else { throw refusal(path, "expected a string") }
    if let known = referenced[reference] { return known }
    guard reference.hasPrefix("#/") else {
      throw refusal(path, "only references into the schema itself are followed (#/definitions/...)")
    }
    var current = document
    for part in reference.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false) {
      let name = String(part).replacing("~1", with: "/").replacing("~0", with: "~")
      switch current {
      case .object(let members): current = members[name] ?? .null
      case .array(let elements):
        current = Int(name).flatMap { elements.indices.contains($0) ? elements[$0] : nil } ?? .null
      default: current = .null
      }
    }
    guard !current.isNull else { throw refusal(path, "there is no '\(reference.prefix(100))' in this schema") }
    // Known before it is compiled, so that it may refer to itself.
    let number = nodes.count
    referenced[reference] = number
    return try add(current, at: String(reference.dropFirst(2)).replacing("/", with: "."), depth: depth + 1)
  }

  // MARK: Operands

  private func readTypes(_ operand: JSONValue, at path: String) throws(JSONSchema.Refusal) -> [JSONSchema.ValueType] {
    let names = operand.array ?? [operand]
    let types = names.compactMap { $0.string.flatMap(JSONSchema.ValueType.init) }
    guard !types.isEmpty, types.count == names.count else {
      let known = JSONSchema.ValueType.allCases.map(\.rawValue).sorted().joined(separator: ", ")
      throw refusal(path, "expected one of: \(known)")
    }
    return types
  }

  private func readNumber(_ operand: JSONValue, at path: String) throws(JSONSchema.Refusal) -> Double {
    guard let number = operand.double else { throw refusal(path, "expected a number") }
    return number
  }

  private func readCount(_ operand: JSONValue, at path: String) throws(JSONSchema.Refusal) -> Int {
    guard let count = operand.integer.flatMap({ Int(exactly: $0) }), count >= 0 else {
      throw refusal(path, "expected an integer that is not negative")
    }
    return count
  }

  private func readFlag(_ operand: JSONValue, at path: String) throws(JSONSchema.Refusal) -> Bool {
    guard let flag = operand.bool else { throw refusal(path, "expected a boolean") }
    return flag
  }

  private func readPattern(_ operand: JSONValue, at path: String) throws(JSONSchema.Refusal) -> RE2Pattern {
    guard let source = operand.string else { throw refusal(path, "expected a string") }
    do {
      return try RE2Pattern(source)
    } catch {
      throw refusal(path, "not a valid regex: \(source.prefix(100)) (\(error.reason))")
    }
  }

  private func readNames(_ operand: JSONValue, at path: String) throws(JSONSchema.Refusal) -> [String] {
    // An empty Lua table may have become an object.
    guard let values = operand == .object([:]) ? [] : operand.array else {
      throw refusal(path, "expected a list of names")
    }
    let names = values.compactMap(\.string)
    guard names.count == values.count else { throw refusal(path, "expected a list of names") }
    return names
  }

  private mutating func readSchemas(
    _ operand: JSONValue, at path: String, depth: Int
  ) throws(JSONSchema.Refusal) -> [Int] {
    guard let schemas = operand.array, !schemas.isEmpty else { throw refusal(path, "expected a list of schemas") }
    var numbers: [Int] = []
    for (index, schema) in schemas.enumerated() {
      numbers.append(try add(schema, at: Self.join(path, String(index + 1)), depth: depth))
    }
    return numbers
  }

  /// The members of an object; an empty list is what an empty Lua table became.
  private static func members(of value: JSONValue) -> [String: JSONValue]? {
    if value == .array([]) { return [:] }
    return value.object
  }

  private static func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  private func refusal(_ path: String, _ message: String) -> JSONSchema.Refusal {
    JSONSchema.Refusal(path: path, message: message)
  }
}
