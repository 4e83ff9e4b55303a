import Testing

@testable import EntityModel

/// Malformed schemas, in the words of Kong's metaschema.
@Suite struct SchemaReadingRefusalTests {
  typealias S = SchemaReadingSamples

  @Test(
    "a malformed field is refused",
    arguments: [
      ([("required", .bool(true))], "config.f: missing type declaration"),
      ([("type", .number(1))], "config.f.type: expected a string"),
      (
        [("type", .string("text"))],
        "config.f.type: expected one of: array, boolean, foreign, integer, json, map, number, record, set, string"
      ),
      ([("type", .string("function"))], "config.f: a configuration is data and cannot hold a field of type 'function'"),
      ([("type", .string("array"))], "config.f: field of type 'array' must declare 'elements'"),
      ([("type", .string("set"))], "config.f: field of type 'set' must declare 'elements'"),
      (
        [("type", .string("map"))],
        "config.f: field of type 'map' must declare 'keys'; config.f: field of type 'map' must declare 'values'"
      ),
      ([("type", .string("record"))], "config.f: field of type 'record' must declare 'fields'"),
      (
        [("type", .string("array")), ("elements", .string("string"))], "config.f.elements: 'elements' must be a table"
      ),
      (
        [("type", .string("array")), ("elements", .members([("required", .bool(true))]))],
        "config.f.elements: missing type declaration"
      ),
      (
        S.text(("between", .list([.number(1), .number(2)]))),
        "config.f: field of type 'string' cannot have attribute 'between'"
      ),
      (
        [("type", .string("boolean")), ("match", .string("x"))],
        "config.f: field of type 'boolean' cannot have attribute 'match'"
      ),
      (
        [("type", .string("boolean")), ("one_of", .list([.bool(true)]))],
        "config.f: field of type 'boolean' cannot have attribute 'one_of'"
      ),
      (S.text(("requierd", .bool(true))), "config.f.requierd: unknown field"),
      (S.text(("required", .string("yes"))), "config.f.required: expected a boolean"),
      (S.text(("description", .string("short"))), "config.f.description: length must be at least 10"),
      (
        S.text(("description", .string(String(repeating: "x", count: 501)))),
        "config.f.description: length must be at most 500"
      ),
      (S.text(("default", .number(1))), "config.f.default: expected a string"),
      (S.text(("default", .string("c")), ("one_of", S.strings("a", "b"))), "config.f.default: expected one of: a, b"),
      (S.text(("default", .string(""))), "config.f.default: length must be at least 1"),
      ([("type", .string("integer")), ("default", .number(1.5))], "config.f.default: expected an integer"),
      (
        [("type", .string("integer")), ("default", .number(0)), ("between", .list([.number(1), .number(5)]))],
        "config.f.default: value should be between 1 and 5"
      ),
      ([("type", .string("number")), ("default", .number(.infinity))], "config.f.default: expected a number"),
      (
        [("type", .string("array")), ("elements", .members(S.text())), ("default", .list([.number(1)]))],
        "config.f.default.1: expected a string"
      ),
      (
        [("type", .string("integer")), ("between", .list([.number(1)]))], "config.f.between: length must be 2"
      ),
      ([("type", .string("integer")), ("gt", .string("1"))], "config.f.gt: expected a number"),
      (S.text(("len_min", .number(1.5))), "config.f.len_min: expected an integer"),
      (S.text(("match", .string("[a"))), "config.f.match: '[a' is not a Lua pattern: missing ']'"),
      (S.text(("match", .string("%"))), "config.f.match: '%' is not a Lua pattern: it ends with '%'"),
      (S.text(("match", .string("(a"))), "config.f.match: '(a' is not a Lua pattern: '(' without ')'"),
      (S.text(("match_all", .list([.members([])]))), "config.f.match_all.1.pattern: required field missing"),
      (S.text(("one_of", .string("a"))), "config.f.one_of: expected an array"),
      ([("type", .string("foreign"))], "config.f: field of type 'foreign' must declare 'reference'"),
      (S.text(("custom_validator", .validator("nonsense"))), "config.f.custom_validator: expected a function"),
      (
        S.text(("deprecation", .members([("message", .string("old"))]))),
        "config.f.deprecation.removal_in_version: required field missing"
      ),
    ] as [([(String, SchemaTree)], String)])
  func field(attributes: [(String, SchemaTree)], message: String) {
    #expect(S.message(S.schema(config: [S.field("f", attributes)])) == message)
  }

  @Test("a malformed list of fields is refused")
  func fieldLists() {
    #expect(
      S.message(S.schema(config: [.string("word")])) == "config.fields.1: each entry in fields must be a sub-table")
    #expect(S.message(S.schema(config: [.table([])])) == "config.fields.1: field entry table is empty")
    #expect(
      S.message(S.schema(config: [.members([("word", .string("string"))])])) == "config.word: 'word' must be a table")
    #expect(
      S.message(S.schema(config: [.members([("a", .members(S.text())), ("b", .members(S.text()))])]))
        == "config.fields.1: length must be 1 (each entry of fields declares exactly one field)")
    #expect(
      S.message(S.schema(config: [S.field("a", S.text()), S.field("a", S.text())]))
        == "config.a: the field is declared twice")
    #expect(S.message(.members([("name", .string("probe"))])) == "fields: 'fields' must be a table")
    #expect(
      S.message(
        .members([("name", .string("probe")), ("fields", .members([("config", .members(S.text()))]))])
      ) == "fields: expected an array, each entry a table with one field: { { name = { type = ... } }, ... }")
  }

  @Test("the schema itself is held against the rules")
  func topLevel() {
    #expect(S.message(.number(1)) == "the schema chunk must return a table, but it returned a number")
    #expect(S.message(.members([("fields", .list([]))])) == "name: required field missing")
    #expect(
      S.message(.members([("name", .string("other")), ("fields", .list([]))]))
        == "name: the schema is named 'other' but the plugin is named 'probe'; both must be equal")
    #expect(S.message(S.schema(config: [], more: [("tables", .list([]))])) == "tables: unknown field")
    #expect(
      S.message(S.schema(config: [], before: [S.field("target", S.text())]))
        == "error in definition of 'probe': target: cannot create a new field")
    #expect(
      S.message(S.schema(config: [], before: [S.field("protocols", S.text())]))
        == "error in definition of 'probe': protocols: cannot change type in a specialized field")
    #expect(
      S.message(S.schema(config: [], more: [("transformations", .list([.string("x")]))]))
        == "transformations.1: expected a record")
  }

  @Test("functions are named with their path and line")
  func functions() {
    let sentence =
      "functions are not allowed in the schema of a streamed plugin (line 7); declare the rule with the schema's own "
      + "checks, or validate the value in the handler"
    #expect(
      S.message(S.schema(config: [S.field("word", S.text(("custom_validator", .function(line: 7))))]))
        == "config.word.custom_validator: \(sentence)")
    #expect(S.message(S.schema(config: [], more: [("check", .function(line: 7))])) == "check: \(sentence)")
    #expect(
      S.message(
        S.schema(
          config: [],
          more: [("shorthand_fields", .list([S.field("old", S.text(("func", .function(line: 7))))]))]))
        == "shorthand_fields.1.old.func: \(sentence)")
    #expect(
      S.message(
        S.schema(
          config: [],
          checks: [.members([("custom_entity_check", .members([("fn", .function(line: 7))]))])]))
        == "entity_checks.1.custom_entity_check.fn: \(sentence)")
  }

  @Test("a malformed entity check is refused")
  func entityChecks() {
    func message(_ check: SchemaTree) -> String? {
      S.message(S.schema(config: [S.field("a", S.text())], checks: [check]))
    }
    #expect(message(.string("x")) == "entity_checks.1: expected a table with exactly one check")
    #expect(message(.members([("nonsense", .list([]))])) == "entity_checks.1.nonsense: unknown field")
    #expect(
      message(.members([("only_one_of", .string("config.a"))])) == "entity_checks.1.only_one_of: expected an array")
    #expect(
      message(.members([("only_one_of", S.strings("config.a", "config.z"))]))
        == "entity_checks.1.only_one_of.2: there is no field 'config.z' in this schema")
    #expect(
      message(
        .members([("conditional", .members([("if_field", .string("config.a"))]))])
      ) == "entity_checks.1.conditional.then_field: required field missing")
  }

  @Test("every finding is told, up to a bound")
  func many() {
    let two = S.message(S.schema(config: [S.field("a", []), S.field("b", [])]))
    #expect(two == "config.a: missing type declaration; config.b: missing type declaration")
    let many = S.message(S.schema(config: (0..<14).map { S.field("f\($0)", []) }))
    #expect(many?.hasSuffix("; and 4 more") == true)
  }

  @Test("odd keys are no sequence and no crash")
  func oddKeys() {
    for key in [Int.min, -1, 0, 2, Int.max] {
      let list = SchemaTree.table([.init(.index(key), .members([]))])
      #expect(list.sequence == nil)
      let message = S.message(.members([("name", .string("probe")), ("fields", list)]))
      #expect(message?.hasPrefix("fields: expected an array") == true)
    }
    let mixed = SchemaTree.table([.init(.index(1), .members([])), .init(.other("boolean"), .bool(true))])
    #expect(mixed.sequence == nil)
    #expect(
      S.message(mixed) == "name: required field missing; the schema has entries without a name; 'fields' is the only "
        + "list of a schema; fields: 'fields' must be a table")
  }

  @Test("a long name makes no long message")
  func longNames() {
    let name = String(repeating: "x", count: 100_000)
    #expect(S.message(S.schema(config: [S.field(name, [])]))?.count == 500)
  }

  @Test("entity checks are bounded")
  func manyChecks() {
    let names = SchemaTree.list((0..<101).map { _ in .string("config") })
    #expect(
      S.message(S.schema(config: [], checks: [.members([("distinct", names)])]))
        == "entity_checks.1.distinct: there are too many names (at most 100)")
    let checks = (0..<101).map { _ in SchemaTree.members([("distinct", S.strings("config"))]) }
    #expect(S.message(S.schema(config: [], checks: checks)) == "entity_checks: there are too many checks (at most 100)")
  }

  @Test("depth and number of fields are bounded")
  func bounds() {
    var deep = SchemaTree.members(S.text())
    for _ in 0..<60 { deep = .members([("type", .string("array")), ("elements", deep)]) }
    #expect(
      S.message(S.schema(config: [.members([("f", deep)])]))?
        .contains("the schema is nested too deeply (at most 24 levels)") == true)
    let wide = (0..<3000).map { S.field("f\($0)", S.text()) }
    #expect(S.message(S.schema(config: wide)) == "config.f1999: the schema has too many fields (at most 2000)")
  }

  @Test(
    "a Lua pattern is judged by its syntax",
    arguments: [
      ("^[^*&%%\\`]+$", true), ("[]]", true), ("[^]]", true), ("%b()", true), ("%f[%w]", true), ("(a)%1", true),
      ("a-", true), ("", true), ("[", false), ("[]", false), ("[%", false), ("%b(", false), ("%f(", false),
      ("(a%1)", false), ("a)", false), ("((a)", false),
    ])
  func patterns(pattern: String, isGood: Bool) {
    #expect((LuaPatternSyntax.problem(in: pattern) == nil) == isGood)
  }
}
