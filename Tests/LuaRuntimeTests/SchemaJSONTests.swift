import EntityModel
import Testing

@testable import LuaRuntime

/// Fields of the type `json`, judged by a JSON schema within the plugin's schema.
@Suite struct SchemaJSONTests {
  private func probe(_ inline: String, _ more: String = "") throws -> SchemaProbe {
    try SchemaProbe("{ f = { type = 'json', json_schema = { inline = \(inline) }, \(more) } }")
  }

  @Test(
    "every keyword is applied",
    arguments: [
      ("{ type = 'object' }", [:], [], "expected object, but it is an array"),
      ("{ type = { 'string', 'null' } }", "a", 1, "expected string or null, but it is a number"),
      ("{ type = 'integer' }", 2, 2.5, "expected integer, but it is a number"),
      ("{ enum = { 'a', 1 } }", 1, "b", "expected one of: a, 1"),
      ("{ const = 'a' }", "a", "b", "value must be a"),
      ("{ multipleOf = 0.1 }", 0.3, 0.35, "value must be a multiple of 0.1"),
      ("{ minimum = 2 }", 2, 1, "value must be at least 2"),
      ("{ maximum = 2 }", 2, 3, "value must be at most 2"),
      ("{ exclusiveMinimum = 2 }", 3, 2, "value must be greater than 2"),
      ("{ exclusiveMaximum = 2 }", 1, 2, "value must be less than 2"),
      (
        "{ ['$schema'] = 'http://json-schema.org/draft-04/schema#', minimum = 2, exclusiveMinimum = true }", 3, 2,
        "value must be greater than 2"
      ),
      ("{ minLength = 2 }", "äö", "ä", "length must be at least 2"),
      ("{ maxLength = 1 }", "ä", "ab", "length must be at most 1"),
      ("{ pattern = '^a+$' }", "aa", "b", "'b' does not match '^a+$'"),
      ("{ format = 'date-time' }", "2026-11-23T04:00:00Z", "today", "'today' is no date-time"),
      ("{ format = 'ipv4' }", "10.0.0.1", "::1", "'::1' is no ipv4"),
      ("{ format = 'ipv6' }", "::1", "a", "'a' is no ipv6"),
      ("{ format = 'uri' }", "https://a/b", "a b", "'a b' is no uri"),
      ("{ format = 'email' }", "a@b", "a", "'a' is no email"),
      ("{ format = 'hostname' }", "a.b-c", "-a", "'-a' is no hostname"),
      ("{ format = 'regex' }", "a+", "(", "'(' is no regex"),
      ("{ items = { type = 'string' } }", ["a"], ["a", 1], "at '2': expected string, but it is a number"),
      (
        "{ items = { { type = 'string' } }, additionalItems = { type = 'number' } }", ["a", 1], ["a", "b"],
        "at '2': expected number, but it is a string"
      ),
      ("{ minItems = 1 }", [1], [], "length must be at least 1"),
      ("{ maxItems = 1 }", [1], [1, 2], "length must be at most 1"),
      ("{ uniqueItems = true }", [1, 2], [1, 1], "the items must be distinct"),
      ("{ contains = { const = 1 } }", [2, 1], [2], "none of the items is what one must be"),
      ("{ minProperties = 1 }", ["a": 1], [:], "there must be at least 1 properties"),
      ("{ maxProperties = 1 }", [:], ["a": 1, "b": 1], "there must be at most 1 properties"),
      ("{ required = { 'a' } }", ["a": 1], [:], "at 'a': required field missing"),
      (
        "{ properties = { a = { properties = { b = { type = 'string' } } } } }", ["a": ["b": "x"], "c": 1],
        ["a": ["b": 1]], "at 'a.b': expected string, but it is a number"
      ),
      (
        "{ properties = { a = {} }, patternProperties = { ['^x-'] = { type = 'string' } }, additionalProperties = false }",
        ["a": 1, "x-b": "c"], ["b": 1], "at 'b': unknown field"
      ),
      (
        "{ additionalProperties = { type = 'string' } }", ["a": "b"], ["a": 1],
        "at 'a': expected string, but it is a number"
      ),
      ("{ propertyNames = { pattern = '^a' } }", ["ab": 1], ["b": 1], "at 'b': bad name: 'b' does not match '^a'"),
      (
        "{ dependencies = { a = { 'b' } } }", ["a": 1, "b": 1], ["a": 1],
        "at 'b': required field missing, since there is 'a'"
      ),
      ("{ dependencies = { a = { minProperties = 2 } } }", ["b": 1], ["a": 1], "there must be at least 2 properties"),
      ("{ allOf = { { minimum = 1 }, { maximum = 3 } } }", 2, 4, "value must be at most 3"),
      (
        "{ anyOf = { { type = 'string' }, { minimum = 3 } } }", 3, 2,
        "it matches none of the alternatives (expected string, but it is a number)"
      ),
      (
        "{ oneOf = { { minimum = 1 }, { minimum = 3 } } }", 2, 4,
        "it must match exactly one of the alternatives, but it matches 2"
      ),
      ("{ ['not'] = { type = 'string' } }", 1, "a", "it matches what it must not match"),
      (
        "{ ['if'] = { type = 'string' }, ['then'] = { minLength = 2 }, ['else'] = { minimum = 2 } }", "ab", 1,
        "value must be at least 2"
      ),
      (
        """
        { definitions = { node = { type = 'object', properties = { next = { ['$ref'] = '#/definitions/node' } } } },
          ['$ref'] = '#/definitions/node' }
        """, ["next": ["next": [:]]], ["next": ["next": 1]], "at 'next.next': expected object, but it is a number"
      ),
    ] as [(String, JSONValue, JSONValue, String)])
  func keywords(inline: String, good: JSONValue, bad: JSONValue, message: String) throws {
    let probe = try probe(inline)
    #expect(probe.violations(["f": good]) == nil)
    #expect(probe.violations(["f": bad]) == ["f": .string(message)])
  }

  @Test(
    "a schema that cannot be applied whole is refused by the keyword",
    arguments: [
      (
        "{ inline = { unevaluatedProperties = false } }",
        "inline.unevaluatedProperties: the keyword 'unevaluatedProperties' is not supported in JSON schemas"
      ),
      (
        "{ inline = { properties = { a = { format = 'iri' } } } }",
        "inline.properties.a.format: expected one of: date, date-time, email, hostname, ipv4, ipv6, regex, time, uri, uuid"
      ),
      (
        "{ inline = { type = 'text' } }",
        "inline.type: expected one of: array, boolean, integer, null, number, object, string"
      ),
      ("{ inline = { pattern = '(' } }", "inline.pattern: not a valid regex: ( (missing ): ()"),
      ("{ inline = { minLength = -1 } }", "inline.minLength: expected an integer that is not negative"),
      (
        "{ inline = { ['$ref'] = 'http://a' } }",
        "inline.$ref: only references into the schema itself are followed (#/definitions/...)"
      ),
      ("{ inline = { ['$ref'] = '#/definitions/a' } }", "inline.$ref: there is no '#/definitions/a' in this schema"),
      (
        "{ inline = { ['$schema'] = 'https://json-schema.org/draft/2020-12/schema' } }",
        "inline.$schema: only the drafts 4, 6 and 7 are known (http://json-schema.org/draft-07/schema#)"
      ),
      (
        "{ namespace = 'proxy-wasm-filters' }",
        "namespace: schemas by their namespace belong to Wasm filters; give the schema as 'inline'; "
          + "config.f.json_schema.inline: required field missing"
      ),
      ("{}", "inline: required field missing"), ("'x'", ""),
    ])
  func refusals(schema: String, message: String) {
    let found = SchemaProbe.refusal("{ f = { type = 'json', json_schema = \(schema) } }")
    #expect(
      found == (message.isEmpty ? "config.f.json_schema: expected a record" : "config.f.json_schema.\(message)"))
  }

  @Test("defaults, presence and the document")
  func field() throws {
    let probe = try probe(
      "{ type = 'object', additionalProperties = { type = 'string' } }", "default = {}, required = true")
    #expect(try probe.stored([:]) == ["f": [:]])
    #expect(probe.violations(["f": nil]) == ["f": "required field missing"])
    #expect(
      SchemaProbe.refusal("{ f = { type = 'json', json_schema = { inline = { type = 'string' } }, default = 1 } }")
        == "config.f.default: expected string, but it is a number")
    #expect(
      probe.schema.document()["fields"]?.array?.last?["config"]?["fields"]?.array?.first?["f"]?["json_schema"]
        == ["inline": ["type": "object", "additionalProperties": ["type": "string"]]])
  }

  @Test("a whole configuration may be JSON")
  func wholeConfiguration() throws {
    let probe = try SchemaProbe(
      schemaText: """
        return { name = "probe", fields = { { config = { type = "json", required = true,
          json_schema = { inline = { type = "object", required = { "a" } } } } } } }
        """)
    #expect(try probe.stored(["a": [1, nil, ["b": true]]]) == ["a": [1, nil, ["b": true]]])
    #expect(probe.violations([:]) == "at 'a': required field missing")
  }

  @Test("alternatives that multiply and references in a ring come to an end")
  func hostile() throws {
    let ring = try probe("{ definitions = { a = { ['$ref'] = '#/definitions/a' } }, ['$ref'] = '#/definitions/a' }")
    #expect(ring.violations(["f": 1]) == ["f": "the JSON schema is nested too deeply here"])
    let wide = try probe(
      """
      { definitions = { a = { type = 'object', additionalProperties = { anyOf = { { ['$ref'] = '#/definitions/a' },
        { ['$ref'] = '#/definitions/a' }, { ['$ref'] = '#/definitions/a' } } } } }, ['$ref'] = '#/definitions/a' }
      """)
    var value: JSONValue = 1
    for _ in 0..<30 { value = ["n": value] }
    #expect(wide.violations(["f": value]) == ["f": "the value is too large for its JSON schema to be applied"])
  }
}
