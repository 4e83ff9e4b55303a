import EntityModel
import Testing

@testable import LuaRuntime

/// A streamed plugin's schema as Lua text, and instances held against it.
struct SchemaProbe {
  let schema: PluginSchema
  let validator: EntityValidator

  /// - Parameters:
  ///   - fields: entries of `config.fields`.
  ///   - config: further attributes of `config`.
  ///   - more: further members of the schema.
  init(_ fields: String, config: String = "", before: String = "", more: String = "") throws {
    let text = """
      local typedefs = require "kong.db.schema.typedefs"
      return {
        name = "probe",
        fields = { \(before) { config = { type = "record", fields = { \(fields) }, \(config) } } },
        \(more)
      }
      """
    try self.init(schemaText: text)
  }

  init(schemaText: String) throws {
    let found = try LuaPluginInspector().inspect(
      name: "probe", schema: schemaText,
      handler: "return { PRIORITY = 1, VERSION = '1.0', access = function() end }")
    schema = found.schema
    validator = EntityValidator(
      catalogue: PluginCatalogue([
        PluginDescription(name: "probe", origin: .streamed, priority: 1, version: "1.0", schema: found.schema)
      ]), now: { 1_700_000_000.5 })
  }

  /// What is wrong with a configuration; nil if nothing is.
  func violations(_ config: JSONValue) -> JSONValue? {
    do throws(SchemaViolations) {
      _ = try validator.validateInsert(["name": "probe", "config": config], of: .plugins)
      return nil
    } catch {
      return error.fields["config"] ?? .array(error.entity.map(JSONValue.string))
    }
  }

  /// The configuration as it is stored.
  func stored(_ config: JSONValue) throws -> JSONValue {
    try validator.validateInsert(["name": "probe", "config": config], of: .plugins)["config"] ?? .null
  }

  /// What an author is told about a schema that is refused.
  static func refusal(_ fields: String, config: String = "", more: String = "") -> String? {
    do {
      _ = try SchemaProbe(fields, config: config, more: more)
      return nil
    } catch let error as SchemaViolations {
      return error.fields["schema"]?.string
    } catch {
      return "\(error)"
    }
  }
}

/// Kong's schema language from the Lua text to the verdict on a value: every attribute and every typedef.
@Suite struct SchemaLanguageTests {
  @Test(
    "every validator speaks its sentence",
    arguments: [
      ("{ type = 'string', eq = 'a' }", "b", "value must be a"),
      ("{ type = 'string', ne = 'a' }", "a", "value must not be a"),
      ("{ type = 'string', not_one_of = { 'a', 'b' } }", "a", "must not be one of: a, b"),
      ("{ type = 'string', one_of = { 'a', 'b' } }", "c", "expected one of: a, b"),
      ("{ type = 'number', gt = 0.5 }", 0.5, "value must be greater than 0.5"),
      ("{ type = 'integer', timestamp = true }", -1, "expected a valid timestamp"),
      ("{ type = 'string', uuid = true }", "x", "expected a valid UUID"),
      ("{ type = 'string', is_regex = true }", "(", "not a valid regex: ("),
      ("{ type = 'integer', between = { 1, 5 } }", 6, "value should be between 1 and 5"),
      ("{ type = 'string', len_eq = 2 }", "abc", "length must be 2"),
      ("{ type = 'string', len_min = 2 }", "a", "length must be at least 2"),
      ("{ type = 'string' }", "", "length must be at least 1"),
      ("{ type = 'string', len_max = 2 }", "abc", "length must be at most 2"),
      (
        "{ type = 'map', keys = { type = 'string' }, values = { type = 'string' }, len_max = 1 }",
        ["a": "b", "c": "d"],
        "length must be at most 1"
      ),
      ("{ type = 'string', starts_with = '/' }", "a", "should start with: /"),
      ("{ type = 'string', not_match = '%s' }", "a b", "invalid value: a b"),
      ("{ type = 'string', match_none = { { pattern = '%s', err = 'no spaces' } } }", "a b", "no spaces"),
      ("{ type = 'string', match = '^%l+$' }", "A", "invalid value: A"),
      ("{ type = 'string', match_all = { { pattern = '^%l', err = 'small first' } } }", "A", "small first"),
      ("{ type = 'string', match_any = { patterns = { '^a', '^b' }, err = 'a or b' } }", "c", "a or b"),
      ("{ type = 'array', elements = { type = 'string' }, contains = 'x' }", ["a"], "expected to contain: x"),
      (
        """
        { type = 'set', elements = { type = 'string' }, mutually_exclusive_subsets = { { 'http', 'https' }, { 'tcp' } } }
        """, ["http", "tcp"], "these sets are mutually exclusive: ('http'), ('tcp')"
      ),
      ("{ type = 'string', one_of = { 'a' }, err = 'own words' }", "b", "own words"),
      ("{ type = 'string' }", 1, "expected a string"), ("{ type = 'number' }", "1", "expected a number"),
      ("{ type = 'integer' }", 1.5, "expected an integer"), ("{ type = 'boolean' }", 1, "expected a boolean"),
      ("{ type = 'array', elements = { type = 'string' } }", "a", "expected an array"),
      ("{ type = 'set', elements = { type = 'string' } }", "a", "expected a set"),
      ("{ type = 'map', keys = { type = 'string' }, values = { type = 'string' } }", "a", "expected a map"),
      ("{ type = 'record', fields = {} }", "a", "expected a record"),
      ("{ type = 'string', required = true }", nil, "required field missing"),
    ] as [(String, JSONValue, String)])
  func validators(field: String, value: JSONValue, message: String) throws {
    #expect(try SchemaProbe("{ f = \(field) }").violations(["f": value]) == ["f": .string(message)])
  }

  @Test(
    "every typedef takes the good and refuses the bad",
    arguments: [
      ("http_method", "GET", "get", "invalid value: get"),
      (
        "protocol", "https", "gopher",
        "expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp, ws, wss"
      ),
      ("host", "example.com", "a:1", "must not have a port"), ("redis_host", "::1", "a b", "invalid value: a b"),
      ("redis_server_name", "example.com", "1.2.3.4", "must not be an IP"),
      ("host_with_optional_port", "a.com:80", "a b", "invalid value: a b"),
      ("wildcard_host", "*.a.com", "*.*.a", "invalid wildcard: must have at most one wildcard"),
      ("sni", "a.com", "1.2.3.4", "must not be an IP"), ("ip", "10.0.0.1", "x", "not an ip address: x"),
      ("ip_or_cidr", "10.0.0.0/8", "x", "invalid ip or cidr range: 'x'"),
      ("cidr_v4", "10.0.0.0/8", "::/8", "invalid ipv4 cidr range: '::/8'"),
      ("port", 80, 65536, "value should be between 0 and 65535"),
      ("path", "/a", "/a//b", "must not have empty segments"), ("url", "http://a", "a", "missing host in url"),
      ("header_name", "X-A", "a b", "bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'"),
      ("timeout", 0, -1, "value should be between 0 and 2147483646"),
      ("uuid", "11111111-2222-4333-8444-555555555555", "x", "expected a valid UUID"),
      ("certificate", nil, "x", "invalid certificate:"), ("key", nil, "x", "invalid key:"),
      ("tag", "a", "a,b", "invalid tag 'a,b'"),
      ("semantic_version", "1.2", "1..2", "must not have empty version segments"),
      ("ttl", 5, -1, "value should be between 0 and 100000000"),
      ("cookie_name", "a", "a b", "invalid cookie name 'a b'"),
      ("name", "a-b", "ä", "invalid value 'ä'"), ("utf8_name", "ä", "a b", "invalid value 'a b'"),
    ] as [(String, JSONValue, JSONValue, String)])
  func typedefs(name: String, good: JSONValue, bad: JSONValue, message: String) throws {
    let probe = try SchemaProbe("{ f = typedefs.\(name) }")
    if !good.isNull { #expect(probe.violations(["f": good]) == nil) }
    let found = probe.violations(["f": bad])?["f"]?.string
    #expect(found?.hasPrefix(message) == true, "\(found ?? "accepted")")
  }

  @Test("typedefs of records and lists")
  func structuredTypedefs() throws {
    let probe = try SchemaProbe(
      """
      { queue = typedefs.queue }, { methods = typedefs.methods }, { headers = typedefs.headers },
      { sources = typedefs.sources }, { jwk = typedefs.jwk { required = false } }, { tags = typedefs.tags },
      { propagation = typedefs.propagation }, { code = typedefs.lua_code },
      """)
    #expect(
      try probe.stored([:])["queue"] == [
        "max_batch_size": 1, "max_coalescing_delay": 1, "max_entries": 10000, "max_bytes": nil, "max_retry_time": 60,
        "initial_retry_delay": 0.01, "max_retry_delay": 60, "concurrency_limit": 1,
      ])
    #expect(try probe.stored([:])["propagation"]?["default_format"] == "w3c")
    #expect(
      probe.violations(["queue": ["concurrency_limit": 2]]) == [
        "queue": ["concurrency_limit": "expected one of: -1, 1"]
      ])
    #expect(probe.violations(["methods": ["GET", "put"]]) == ["methods": [nil, "invalid value: put"]])
    #expect(
      probe.violations(["headers": ["a b": ["c"]]])
        == ["headers": "bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'"])
    #expect(
      probe.violations(["sources": [[:]]])
        == [
          "sources": [["@entity": ["at least one of these fields must be non-empty: 'ip', 'port'"]]]
        ])
    #expect(probe.violations(["jwk": ["k": "x"]]) == ["jwk": ["kty": "required field missing"]])
    #expect(probe.violations(["tags": ["a,b"]]) != nil)
  }

  @Test("a typedef that does not exist, and one that is overridden")
  func typedefCalls() throws {
    #expect(
      SchemaProbe.refusal("{ f = typedefs.run_on_first }")?.hasSuffix(
        "schema typedef error: definition run_on_first does not exist") == true)
    let probe = try SchemaProbe("{ f = typedefs.port { default = 80, required = true, between = { 1, 100 } } }")
    #expect(try probe.stored([:]) == ["f": 80])
    #expect(probe.violations(["f": 101]) == ["f": "value should be between 1 and 100"])
  }

  @Test(
    "a field that says too little or what its type cannot have is refused",
    arguments: [
      ("{ type = 'array' }", "config.f: field of type 'array' must declare 'elements'"),
      ("{ type = 'json' }", "config.f: field of type 'json' must declare 'json_schema'"),
      ("{ type = 'boolean', between = { 1, 2 } }", "config.f: field of type 'boolean' cannot have attribute 'between'"),
      ("{ type = 'boolean', len_eq = 1 }", "config.f: field of type 'boolean' cannot have attribute 'len_eq'"),
      ("{ type = 'number', match = 'a' }", "config.f: field of type 'number' cannot have attribute 'match'"),
      ("{ type = 'number', is_regex = true }", "config.f: field of type 'number' cannot have attribute 'is_regex'"),
      ("{ type = 'number', uuid = true }", "config.f: field of type 'number' cannot have attribute 'uuid'"),
      ("{ type = 'boolean', one_of = { true } }", "config.f: field of type 'boolean' cannot have attribute 'one_of'"),
      ("{ type = 'string', contains = 'a' }", "config.f: field of type 'string' cannot have attribute 'contains'"),
      ("{ type = 'string', timestamp = true }", "config.f: field of type 'string' cannot have attribute 'timestamp'"),
      ("{ type = 'boolean', unique = true }", "config.f: field of type 'boolean' cannot have attribute 'unique'"),
      (
        "{ type = 'string', json_schema = { inline = {} } }",
        "config.f: field of type 'string' cannot have attribute 'json_schema'"
      ),
      ("{ type = 'string', priority = 1 }", "config.f.priority: unknown field"),
      (
        "{ type = 'record', fields = {}, abstract = true }",
        "config.f.abstract: only the fields of the parent schema can be abstract; declare what the field holds"
      ),
      (
        "{ type = 'string', custom_validator = function() return true end }",
        "config.f.custom_validator: functions are not allowed in the schema of a streamed plugin (line 4); declare the "
          + "rule with the schema's own checks, or validate the value in the handler"
      ),
    ])
  func matrix(field: String, message: String) {
    #expect(SchemaProbe.refusal("{ f = \(field) }") == message)
  }

  @Test("hints for readers are kept and shown")
  func hints() throws {
    let probe = try SchemaProbe(
      """
      { f = { type = "string", indexed = true, encrypted = true, referenceable = true, legacy = true,
              description = "A word of the author.", examples = { "a", "b" },
              deprecation = { message = "use g", removal_in_version = "9.0", old_default = "x",
                              replaced_with = { { path = { "g" } } } } } },
      { g = { type = "string", generate_admin_api = false, hide_admin_gui = true } },
      """)
    let fields = probe.schema.document()["fields"]?.array
    #expect(
      fields == [
        [
          "config": [
            "type": "record", "required": true,
            "fields": [
              [
                "f": [
                  "type": "string", "len_min": 1, "indexed": true, "encrypted": true, "referenceable": true,
                  "legacy": true, "description": "A word of the author.", "examples": ["a", "b"],
                  "deprecation": [
                    "message": "use g", "removal_in_version": "9.0", "old_default": "x",
                    "replaced_with": [["path": ["g"]]],
                  ],
                ]
              ],
              ["g": ["type": "string", "len_min": 1, "generate_admin_api": false, "hide_admin_gui": true]],
            ],
          ]
        ]
      ])
    #expect(probe.violations(["f": "{vault://env/word}"]) == nil)
  }

  @Test("values are made where a field asks for them, at every depth")
  func generatedValues() throws {
    let probe = try SchemaProbe(
      """
      { id = typedefs.uuid }, { key = { type = "string", auto = true } },
      { inner = { type = "record", fields = { { created_at = typedefs.auto_timestamp_s }, { word = { type = "string" } } } } },
      """)
    let config = try probe.stored([:])
    #expect(config["id"]?.string?.utf8.count == 36)
    #expect(config["key"]?.string?.utf8.count == 32)
    #expect(config["inner"] == ["created_at": 1_700_000_000, "word": nil])
    #expect(try probe.stored(["key": "mine"])["key"] == "mine")
  }

  @Test("what is immutable stays, at every depth")
  func immutable() throws {
    let probe = try SchemaProbe(
      "{ inner = { type = 'record', fields = { { a = { type = 'string', immutable = true } }, { b = { type = 'string' } } } } }"
    )
    let existing = try probe.validator.validateInsert(
      ["name": "probe", "config": ["inner": ["a": "x", "b": "y"]]], of: .plugins)
    #expect(throws: SchemaViolations(fields: ["config": ["inner": ["a": "immutable field cannot be updated"]]])) {
      try probe.validator.validateUpdate(["config": ["inner": ["a": "z"]]], to: existing, of: .plugins)
    }
    let changed = try probe.validator.validateUpdate(["config": ["inner": ["b": "z"]]], to: existing, of: .plugins)
    #expect(changed["config"] == ["inner": ["a": "x", "b": "z"]])
  }
}
