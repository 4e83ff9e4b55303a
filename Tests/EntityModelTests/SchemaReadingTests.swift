import Testing

@testable import EntityModel

/// Schemas of streamed plugins, written as the data that Lua makes of them.
enum SchemaReadingSamples {
  static func field(_ name: String, _ attributes: [(String, SchemaTree)]) -> SchemaTree {
    .members([(name, .members(attributes))])
  }

  static func text(_ more: (String, SchemaTree)...) -> [(String, SchemaTree)] { [("type", .string("string"))] + more }

  static func strings(_ values: String...) -> SchemaTree { .list(values.map(SchemaTree.string)) }

  /// A schema whose `config` has the given fields.
  static func schema(
    config fields: [SchemaTree], before: [SchemaTree] = [], checks: [SchemaTree] = [],
    more: [(String, SchemaTree)] = []
  ) -> SchemaTree {
    let config = field("config", [("type", .string("record")), ("fields", .list(fields))])
    return .members(
      [
        ("name", .string("probe")), ("fields", .list(before + [config])), ("entity_checks", .list(checks)),
      ] + more)
  }

  static func message(_ tree: SchemaTree) -> String? {
    do throws(SchemaViolations) {
      _ = try SchemaReader.read(tree, expectedName: "probe")
      return nil
    } catch {
      return error.fields["schema"]?.string
    }
  }

  static func config(_ tree: SchemaTree) throws -> RecordSchema {
    let schema = try SchemaReader.read(tree, expectedName: "probe")
    guard case .record(let record)? = schema["config"]?.kind else {
      Issue.record("config is no record")
      return RecordSchema([])
    }
    return record
  }
}

@Suite struct SchemaReadingTests {
  typealias S = SchemaReadingSamples

  @Test("types, attributes and checks are read")
  func fields() throws {
    let record = try S.config(
      S.schema(config: [
        S.field("word", S.text(("required", .bool(true)), ("len_min", .number(0)), ("referenceable", .bool(true)))),
        S.field("count", [("type", .string("integer")), ("between", .list([.number(1), .number(9)]))]),
        S.field(
          "list",
          [
            ("type", .string("array")), ("elements", .members(S.text(("one_of", S.strings("a", "b"))))),
            ("default", S.strings("a")),
          ]),
        S.field(
          "headers", [("type", .string("map")), ("keys", .members(S.text())), ("values", .members(S.text()))]),
        S.field("inner", [("type", .string("record")), ("fields", .list([S.field("deep", S.text())]))]),
        S.field(
          "optional",
          [
            ("type", .string("record")), ("required", .bool(false)), ("fields", .list([S.field("deep", S.text())])),
          ]),
      ]))
    #expect(record.fields.map(\.name) == ["word", "count", "list", "headers", "inner", "optional"])
    #expect(record["word"]?.required == true)
    #expect(record["word"]?.isReferenceable == true)
    #expect(record["count"]?.required == false)
    #expect(record["list"]?.defaultValue == ["a"])
    // Records are required unless they say otherwise.
    #expect(record["inner"]?.required == true)
    #expect(record["optional"]?.required == false)
    guard case .lengthAtLeast(0)? = record["word"]?.checks.first, case .between(1, 9)? = record["count"]?.checks.first
    else {
      Issue.record("the checks are lost")
      return
    }
  }

  @Test("config is last and always there")
  func configPosition() throws {
    let protocols = S.field("protocols", [("type", .string("set")), ("elements", .members(S.text()))])
    let first = try SchemaReader.read(
      .members([
        ("name", .string("probe")),
        (
          "fields",
          .list([S.field("config", [("type", .string("record")), ("fields", .list([]))]), protocols])
        ),
      ]), expectedName: "probe")
    #expect(first.fields.map(\.name) == ["protocols", "config"])
    let none = try SchemaReader.read(
      .members([("name", .string("probe")), ("fields", .list([]))]), expectedName: "probe")
    #expect(none.fields.map(\.name) == ["config"])
    #expect(none["config"]?.required == true)
  }

  @Test("an empty Lua table is an array or an object, as the field wants it")
  func emptyDefaults() throws {
    let record = try S.config(
      S.schema(config: [
        S.field("list", [("type", .string("array")), ("elements", .members(S.text())), ("default", .table([]))]),
        S.field(
          "map",
          [
            ("type", .string("map")), ("keys", .members(S.text())), ("values", .members(S.text())),
            ("default", .table([])),
          ]),
        S.field("whole", [("type", .string("number")), ("default", .number(3))]),
        S.field("part", [("type", .string("number")), ("default", .number(0.5))]),
      ]))
    #expect(record["list"]?.defaultValue == .array([]))
    #expect(record["map"]?.defaultValue == .object([:]))
    #expect(record["whole"]?.defaultValue == .integer(3))
    #expect(record["part"]?.defaultValue == .number(0.5))
  }

  @Test("a scope that is forbidden is read from the typedef")
  func scopes() throws {
    let typedef = try #require(Typedefs["no_consumer"])
    let schema = try SchemaReader.read(
      S.schema(config: [], before: [.members([("consumer", SchemaTree(typedef))])]), expectedName: "probe")
    guard case .foreign("consumers")? = schema["consumer"]?.kind, case .equal(.null)? = schema["consumer"]?.checks.first
    else {
      Issue.record("the scope is lost")
      return
    }
  }

  @Test("an instance is validated and filled by what was read")
  func instance() throws {
    let record = try S.config(
      S.schema(config: [
        S.field("word", S.text(("required", .bool(true)))),
        S.field("port", [("type", .string("integer")), ("default", .number(80))]),
      ]))
    let field = FieldSchema.record(record)
    #expect(SchemaValidation().violation(of: ["port": 80], by: field) == ["word": "required field missing"])
    #expect(SchemaFilling().filled(["word": "x"], by: record) == ["word": "x", "port": 80])
  }

  @Test("entity checks are read, with dotted names from the root")
  func entityChecks() throws {
    let match = SchemaTree.members([("eq", .string("on"))])
    let schema = try SchemaReader.read(
      S.schema(
        config: [
          S.field("mode", S.text(("one_of", S.strings("on", "off")))), S.field("a", S.text()), S.field("b", S.text()),
        ],
        checks: [
          .members([("at_least_one_of", S.strings("config.a", "config.b"))]),
          .members([("only_one_of", S.strings("config.a", "config.b"))]),
          .members([("distinct", S.strings("config.a", "config.b"))]),
          .members([("mutually_required", S.strings("config.a", "config.b"))]),
          .members([("mutually_exclusive", S.strings("config.a", "route"))]),
          .members([
            (
              "mutually_exclusive_sets",
              .members([("set1", S.strings("config.a")), ("set2", S.strings("config.b"))])
            )
          ]),
          .members([
            (
              "conditional",
              .members([
                ("if_field", .string("config.mode")), ("if_match", match), ("then_field", .string("config.a")),
                ("then_match", .members([("required", .bool(true))])), ("then_err", .string("a is needed")),
              ])
            )
          ]),
          .members([
            (
              "conditional_at_least_one_of",
              .members([
                ("if_field", .string("config.mode")), ("if_match", match),
                ("then_at_least_one_of", S.strings("config.a", "config.b")),
              ])
            )
          ]),
        ]), expectedName: "probe")
    #expect(schema.entityChecks.count == 8)
    guard case .conditional(let conditional) = schema.entityChecks[6] else {
      Issue.record("the conditional check is lost")
      return
    }
    #expect(conditional.ifField == "config.mode")
    #expect(conditional.thenMatch.required == true)
    #expect(conditional.thenError == "a is needed")
  }

  @Test("every typedef is the same after being written and read")
  func typedefs() throws {
    for name in Typedefs.names {
      let original = try #require(Typedefs[name])
      // Only fields of this name are filled with the time of creation.
      let fieldName = name.hasPrefix("auto_timestamp") ? "created_at" : "value"
      let record = try S.config(S.schema(config: [.members([(fieldName, SchemaTree(original))])]))
      let read = try #require(record[fieldName])
      var expected = original
      if case .record = original.kind { expected.required = true }
      #expect(read.attributes == expected.attributes, "\(name)")
    }
  }

  @Test("the list of typedefs is Kong's")
  func typedefNames() {
    let names = Set(Typedefs.names)
    let wanted: Set<String> = [
      "http_method", "protocol", "host", "redis_host", "redis_server_name", "host_with_optional_port", "wildcard_host",
      "sni", "ip", "ip_or_cidr", "cidr", "cidr_v4", "port", "path", "url", "cookie_name", "header_name", "timeout",
      "uuid", "auto_timestamp_s", "auto_timestamp_ms", "name", "utf8_name", "no_route", "no_service", "no_consumer",
      "certificate", "key", "tag", "tags", "protocols", "protocols_http", "methods", "hosts", "headers", "sources",
      "destinations", "router_path", "no_methods", "no_hosts", "no_paths", "no_headers", "no_sources",
      "no_destinations", "semantic_version", "capability", "ttl", "jwk", "pem", "queue", "propagation", "lua_code",
    ]
    #expect(wanted.subtracting(names).isEmpty)
  }
}
