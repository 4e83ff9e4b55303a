import EntityModel
import Testing

@testable import LuaRuntime

/// Other names for fields, and fields that belong together, as far as they are data.
@Suite struct SchemaShorthandTests {
  private static let redis = """
    { redis = { type = "record", fields = { { host = { type = "string" } }, { port = { type = "integer", default = 6379 } } } } },
    """

  private static let renamed = """
    shorthand_fields = {
      { redis_host = { type = "string", translate_backwards = { "redis", "host" },
          deprecation = { message = "redis_host is deprecated, please use redis.host instead",
            removal_in_version = "4.0", replaced_with = { { path = { "redis", "host" } } } } } },
      { port = { type = "integer", translate_backwards = { "redis", "port" } } },
    },
    """

  @Test("another name fills the field and is shown again")
  func renaming() throws {
    let probe = try SchemaProbe(Self.redis, config: Self.renamed)
    let entity = try probe.validator.validateInsert(
      ["name": "probe", "config": ["redis_host": "a", "port": 1]], of: .plugins)
    #expect(entity["config"] == ["redis": ["host": "a", "port": 1]])
    #expect(
      probe.validator.present(entity, of: .plugins)["config"]
        == ["redis": ["host": "a", "port": 1], "redis_host": "a", "port": 1])
    #expect(try probe.stored([:]) == ["redis": ["host": nil, "port": 6379]])
    #expect(probe.violations(["redis_host": 1]) == ["redis_host": "expected a string"])
    #expect(
      probe.violations(["redis_host": "a", "redis": ["host": "b"]])
        == [
          "redis_host":
            "both deprecated and new field are used but their values mismatch: redis_host = a vs redis.host = b"
        ])
    #expect(try probe.stored(["redis_host": "a", "redis": ["host": "a"]])["redis"]?["host"] == "a")
    // A name that is not deprecated wins over the field itself.
    #expect(try probe.stored(["port": 1, "redis": ["port": 2]])["redis"]?["port"] == 1)
    let changed = try probe.validator.validateUpdate(["config": ["port": 3]], to: entity, of: .plugins)
    #expect(changed["config"] == ["redis": ["host": "a", "port": 3]])
  }

  @Test("other names work in the records of lists and maps, and at the top")
  func depth() throws {
    let record =
      "type = 'record', fields = { { new = { type = 'string' } } }, shorthand_fields = { { old = { type = "
      + "'string', translate_backwards = { 'new' } } } }"
    let probe = try SchemaProbe(
      """
      { list = { type = "array", elements = { \(record) } } },
      { map = { type = "map", keys = { type = "string" }, values = { \(record) } } },
      """,
      more: "shorthand_fields = { { lines = { type = 'array', elements = { type = 'string' }, "
        + "translate_backwards = { 'config', 'list' } } } },")
    #expect(
      try probe.stored(["list": [["old": "a"]], "map": ["k": ["old": "b"]]])
        == ["list": [["new": "a"]], "map": ["k": ["new": "b"]]])
    #expect(
      probe.violations(["list": [["new": "a"], ["old": 1]]]) == ["list": [nil, ["old": "expected a string"]]])
  }

  @Test("the document shows other names without functions")
  func document() throws {
    let probe = try SchemaProbe(Self.redis, config: Self.renamed)
    let config = probe.schema.document()["fields"]?.array?.last?["config"]
    #expect(
      config?["shorthand_fields"]?.array?.last
        == ["port": ["type": "integer", "translate_backwards": ["redis", "port"]]])
  }

  @Test(
    "a shorthand that cannot be data is refused",
    arguments: [
      (
        "{ old = { type = 'string' } }",
        "config.shorthand_fields.old: it does not say which field it stands for; name it by 'translate_backwards' or by "
          + "'deprecation.replaced_with'"
      ),
      (
        "{ old = { type = 'string', translate_backwards = { 'nowhere' } } }",
        "config.shorthand_fields.old: there is no field 'nowhere' in this schema"
      ),
      (
        "{ old = { type = 'string', translate_backwards = { 'redis', 'port' } } }",
        "config.shorthand_fields.old: it is of type 'string', but 'redis.port' is of type 'integer'"
      ),
      (
        "{ old = { type = 'record', fields = {} } }",
        "config.shorthand_fields.old: a shorthand cannot be of type 'record'"
      ),
      (
        "{ redis = { type = 'string', translate_backwards = { 'redis', 'host' } } }",
        "config.shorthand_fields.redis: there is a field of this name already"
      ),
      (
        "{ old = { type = 'string', func = function(value) return { redis = { host = value } } end } }",
        "config.shorthand_fields.1.old.func: functions are not allowed in the schema of a streamed plugin (line 4); "
          + "declare the rule with the schema's own checks, or validate the value in the handler"
      ),
    ])
  func refusals(shorthand: String, message: String) {
    #expect(SchemaProbe.refusal(Self.redis, config: "shorthand_fields = { \(shorthand) }") == message)
  }

  @Test("a transformation without functions binds its fields together")
  func transformations() throws {
    let fields = "{ a = { type = 'string' } }, { b = { type = 'string' } }, { c = { type = 'string' } },"
    let probe = try SchemaProbe(
      fields, more: "transformations = { { input = { 'config.a', 'config.b' }, needs = { 'config.c' } } },")
    #expect(probe.violations(["a": "x"]) == ["all or none of these fields must be set: 'config.a', 'config.b'"])
    #expect(probe.violations(["a": "x", "b": "y"]) == nil)
    #expect(
      probe.schema.document()["transformations"] == [["input": ["config.a", "config.b"], "needs": ["config.c"]]])
    #expect(
      SchemaProbe.refusal(fields, more: "transformations = { { input = { 'config.z' } } },")
        == "transformations.1.input.1: there is no field 'config.z' in this schema")
    #expect(
      SchemaProbe.refusal(
        fields, more: "transformations = { { input = { 'config.a' }, on_write = function(a) return {} end } },")
        == "transformations.1.on_write: functions are not allowed in the schema of a streamed plugin (line 5); declare "
        + "the rule with the schema's own checks, or validate the value in the handler")
  }
}
