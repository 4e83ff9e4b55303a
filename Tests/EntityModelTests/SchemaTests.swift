import Testing

@testable import EntityModel

@Suite("Schemas")
struct SchemaTests {
  /// What is wrong with the members of a record with the given schema, after filling.
  private func found(
    _ members: [String: JSONValue], _ schema: RecordSchema, isUpdate: Bool = false
  ) -> [String: JSONValue] {
    let filled = SchemaFilling().filled(members, by: schema, fillsMissing: !isUpdate)
    return SchemaValidation(isUpdate: isUpdate).violations(of: filled, by: schema).document
  }

  @Test("checks run in Kong's order whatever the order of declaration")
  func order() {
    let field = FieldSchema.string.checked(by: .match("^b"), .lengthAtLeast(3), .oneOf(["bbb", "a"]))
    #expect(found(["f": "x"], RecordSchema(["f": field]))["f"] == "expected one of: bbb, a")
    #expect(found(["f": "a"], RecordSchema(["f": field]))["f"] == "length must be at least 3")
    #expect(found(["f": "x"], RecordSchema(["f": field.failing(with: "own words")]))["f"] == "own words")
  }

  @Test("every check has its message")
  func messages() {
    func message(_ check: FieldCheck, _ value: JSONValue) -> String? { check.violation(by: value) }
    #expect(message(.equal(1), 2) == "value must be 1")
    #expect(message(.notEqual("a"), "a") == "value must not be a")
    #expect(message(.notOneOf(["a", 2]), 2) == "must not be one of: a, 2")
    #expect(message(.greaterThan(0.5), 0.5) == "value must be greater than 0.5")
    #expect(message(.timestamp, 0) == "expected a valid timestamp")
    #expect(message(.uuid, "x") == "expected a valid UUID")
    #expect(message(.isRegex, "(") == "not a valid regex: (")
    #expect(message(.between(0.001, 10.5), 11) == "value should be between 0 and 10")
    #expect(message(.lengthEqual(2), ["a"]) == "length must be 2")
    #expect(message(.lengthAtMost(2), "äb") == "length must be at most 2")
    #expect(message(.startsWith("/"), "a") == "should start with: /")
    #expect(message(.notMatch("a"), "ba") == "invalid value: ba")
    #expect(message(.matchAll([.init(pattern: "a"), .init(pattern: "b", error: "no b")]), "a") == "no b")
    #expect(message(.matchAny(["^a", "^b"], error: nil), "c") == "invalid value: c")
    #expect(message(.contains("exp"), ["nbf"]) == "expected to contain: exp")
    #expect(message(.contains("exp"), ["nbf", "exp"]) == nil)
    #expect(message(.mutuallyExclusiveSubsets([["a", "b"], ["c"]]), ["b", "c"])
      == "these sets are mutually exclusive: ('b'), ('c')")
  }

  @Test("null passes unless it is missing, unequal or forbidden")
  func nulls() {
    let schema = RecordSchema([
      "free": .string, "needed": .string.asRequired(), "none": .string.checked(by: .equal(.null)),
      "some": .string.checked(by: .notEqual(.null)), "fixed": .string.checked(by: .equal("x")),
    ])
    #expect(
      found(["free": nil, "needed": nil, "none": "a", "some": nil, "fixed": nil], schema) == [
        "needed": "required field missing", "none": "value must be null", "some": "value must not be null",
        "fixed": "value must be x",
      ])
  }

  @Test("a required record is made of its defaults, an optional one stays null, elements get theirs")
  func nestedDefaults() {
    let inner = RecordSchema(["a": .integer.defaulting(to: 1), "b": .string])
    let schema = RecordSchema([
      "needed": FieldSchema.record(inner).asRequired(), "free": .record(inner), "list": .array(of: .record(inner)),
      "map": .map(.string, .record(inner)),
    ])
    let filled = SchemaFilling().filled(["list": [["b": "x"]], "map": ["k": [:]]], by: schema)
    #expect(
      filled == [
        "needed": ["a": 1, "b": nil], "free": nil, "list": [["a": 1, "b": "x"]], "map": ["k": ["a": 1, "b": nil]],
      ])
  }

  @Test("types are told apart")
  func types() {
    let schema = RecordSchema([
      "s": .string, "i": .integer, "n": .number, "b": .boolean, "a": .array(of: .string), "t": .set(of: .string),
      "m": .map(.string, .integer), "r": .record(RecordSchema(["x": .string])),
    ])
    #expect(
      found(["s": 1, "i": 1.5, "n": "1", "b": "true", "a": "x", "t": 1, "m": 1, "r": "x"], schema) == [
        "s": "expected a string", "i": "expected an integer", "n": "expected a number", "b": "expected a boolean",
        "a": "expected an array", "t": "expected a set", "m": "expected a map", "r": "expected a record",
      ])
    #expect(found(["m": ["k": "v"]], schema) == ["m": "expected an integer"])
    #expect(found(["m": ["x"]], schema) == ["m": "expected a string"])
    #expect(found(["m": [], "r": [], "a": [:], "i": 2.0], schema).isEmpty)
  }

  @Test("checks over several fields have their messages")
  func entityChecks() {
    func whole(_ check: EntityCheck, _ members: [String: JSONValue]) -> JSONValue? {
      found(members, RecordSchema(["a": .string, "b": .string, "c": .string], entityChecks: [check]))["@entity"]
    }
    #expect(
      whole(.mutuallyRequired(["a", "b"]), ["a": "x"]) == ["all or none of these fields must be set: 'a', 'b'"])
    #expect(
      whole(.mutuallyExclusive(["a", "b"]), ["a": "x", "b": "y"])
        == ["only one or none of these fields must be set: 'a', 'b'"])
    #expect(
      whole(.mutuallyExclusiveSets(["a", "c"], ["b"]), ["a": "x", "b": "y"])
        == ["these sets are mutually exclusive: ('a'), ('b')"])
    #expect(whole(.mutuallyExclusiveSets(["a", "c"], ["b"]), ["a": "x", "c": "y"]) == nil)
    #expect(
      whole(.distinct(["a", "b"]), ["a": "x", "b": "x"]) == ["values of these fields must be distinct: 'a', 'b'"])
    #expect(whole(.distinct(["a", "b"]), [:]) == nil)
    var condition = EntityCheck.ConditionalAtLeastOneOf(
      ifField: "a", ifMatch: .init(checks: [.equal("x")]), thenAtLeastOneOf: ["b", "c"])
    #expect(
      whole(.conditionalAtLeastOneOf(condition), ["a": "x"])
        == ["at least one of these fields must be non-empty: 'b', 'c'"])
    #expect(whole(.conditionalAtLeastOneOf(condition), ["a": "y"]) == nil)
    condition.thenError = "need one of %s"
    #expect(whole(.conditionalAtLeastOneOf(condition), ["a": "x"]) == ["need one of 'b', 'c'"])
  }

  @Test("on an update, a check of which no field is there is skipped")
  func skippedChecks() {
    let schema = RecordSchema(["a": .string, "b": .string, "c": .string], entityChecks: [.atLeastOneOf(["a", "b"])])
    #expect(found(["c": "x"], schema, isUpdate: true).isEmpty)
    #expect(
      found(["a": nil, "c": "x"], schema, isUpdate: true)["@entity"]
        == ["when updating, at least one of these fields must be non-empty: 'a', 'b'"])
  }

  @Test("a reference to a vault passes the checks of a field that allows it")
  func references() {
    let schema = RecordSchema([
      "open": .string.checked(by: .startsWith("/")).asReferenceable(), "closed": .string.checked(by: .startsWith("/")),
    ])
    let reference: JSONValue = "{vault://env/x}"
    #expect(found(["open": reference, "closed": reference], schema) == ["closed": "should start with: /"])
  }

  // MARK: Documents

  @Test("a schema is shown as lists of single-key objects")
  func documents() throws {
    let document = EntityDefinition.services.document()
    let fields = try #require(document["fields"]?.array)
    #expect(fields.first == ["id": ["type": "string", "uuid": true, "auto": true, "len_min": 1]])
    #expect(
      fields.contains(["retries": ["type": "integer", "default": 5, "between": [0, 32767]]]))
    #expect(
      fields.contains([
        "path": [
          "type": "string", "len_min": 1, "starts_with": "/",
          "match_none": [["pattern": "//", "err": "must not have empty segments"]],
        ]
      ]))
    #expect(
      document["entity_checks"]?.array?.first == [
        "conditional": [
          "if_field": "protocol", "if_match": ["one_of": ["tcp", "tls", "udp", "grpc", "grpcs"]], "then_field": "path",
          "then_match": ["eq": nil],
        ]
      ])
  }

  @Test("the schema of a plugin holds its own fields only")
  func pluginDocuments() throws {
    let schema = try #require(PluginFixtures.catalogue["acl"]).schema.document()
    #expect(schema["fields"]?.array?.count == 3)
    #expect(schema["fields"]?.array?[0] == ["consumer": ["type": "foreign", "reference": "consumers", "eq": nil]])
    let config = schema["fields"]?.array?[2]["config"]
    #expect(config?["type"] == "record" && config?["required"] == true)
    #expect(config?["fields"]?.array?[0] == ["allow": ["type": "array", "elements": ["type": "string", "len_min": 1]]])
    #expect(
      schema["entity_checks"] == [
        ["only_one_of": ["config.allow", "config.deny"]], ["at_least_one_of": ["config.allow", "config.deny"]],
      ])
    let abstract = EntityDefinition.plugins.document()["fields"]?.array?.first { $0["config"] != nil }
    #expect(abstract == ["config": ["type": "record", "abstract": true]])
  }

  @Test("every entity can be shown and refers only to entities that exist")
  func catalogue() {
    for definition in EntityCatalogue.all {
      #expect(definition.document()["fields"]?.array?.count == definition.schema.fields.count)
      for field in definition.foreignFields { #expect(EntityCatalogue[field.reference] != nil) }
      for name in definition.compositeUnique { #expect(definition.schema[name] != nil) }
      if let key = definition.endpointKey { #expect(definition.schema[key] != nil) }
    }
    #expect(Set(EntityCatalogue.all.map(\.name)).count == EntityCatalogue.all.count)
    #expect(EntityCatalogue.referrers(to: "services").map(\.definition.name) == ["routes", "plugins"])
    #expect(EntityCatalogue["custom_plugins"]?.requiredSetting == "custom_plugin_streaming_enabled")
    #expect(EntityCatalogue["clustering_data_planes"]?.isExported == false)
  }
}
