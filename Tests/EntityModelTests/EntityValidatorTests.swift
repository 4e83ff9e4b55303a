import Testing

@testable import EntityModel

/// The violations of a piece of validation; fails the test if there are none.
func violations<T>(of body: () throws(SchemaViolations) -> T) -> [String: JSONValue] {
  do {
    _ = try body()
    Issue.record("nothing was refused")
    return [:]
  } catch {
    return error.document
  }
}

@Suite("Entity validation")
struct EntityValidatorTests {
  let validator = PluginFixtures.validator()

  // MARK: Inserting

  @Test("an insert fills in ids, times, defaults and nulls")
  func insert() throws {
    let service = try validator.validateInsert(["host": "example.com"], of: .services)
    #expect(service["id"] == "00000000-0000-4000-8000-000000000001")
    #expect(service["created_at"] == 1_700_000_000)
    #expect(service["updated_at"] == 1_700_000_000)
    #expect(service["port"] == 80 && service["protocol"] == "http" && service["retries"] == 5)
    #expect(service["name"] == .null && service["tags"] == .null && service["tls_sans"] == .null)
    #expect(Set(service.keys) == Set(EntityDefinition.services.schema.fields.map(\.name)))
  }

  @Test("times of targets have a fraction and a target gets the default port")
  func targets() throws {
    let upstream: JSONValue = ["id": "99999999-9999-4999-8999-999999999999"]
    let target = try validator.validateInsert(["target": "a.example.com", "upstream": upstream], of: .targets)
    #expect(target["created_at"] == 1_700_000_000.25)
    #expect(target["target"] == "a.example.com:8000" && target["weight"] == 100 && target["failover"] == false)
    let other = try validator.validateInsert(["target": "[::1]:80", "upstream": upstream], of: .targets)
    #expect(other["target"] == "[0000:0000:0000:0000:0000:0000:0000:0001]:80")
    #expect(
      violations { () throws(SchemaViolations) in try validator.validateInsert(["target": "a b"], of: .targets) }
        == [
          "target": "Invalid target ('a b'); not a valid hostname or ip address", "upstream": "required field missing",
        ])
  }

  @Test("url sets protocol, host, port and path, over what is given beside it")
  func url() throws {
    let service = try validator.validateInsert(
      ["url": "https://a.example.com/x", "host": "b.example.com"], of: .services)
    #expect(service["host"] == "a.example.com" && service["port"] == 443 && service["path"] == "/x")
    #expect(service["url"] == nil)
    #expect(refused(["url": 5], .services) == ["url": "expected a string"])
    #expect(refused(["url": "example.com"], .services)["path"] == "should start with: /")
  }

  @Test("every violation is named, unknown fields too")
  func many() {
    let input: EntityFields = ["name": "a b", "host": 1, "port": "x", "path": "abc", "foo": 1]
    let name = "invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~"
    #expect(
      refused(input, .services) == [
        "foo": "unknown field", "host": "expected a string", "name": .string(name), "path": "should start with: /",
        "port": "expected an integer",
      ])
  }

  @Test(
    "hosts are names or addresses without port",
    arguments: [
      ("example.com:80", "must not have a port"), ("exa mple.com", "invalid value: exa mple.com"),
      ("10.0.0.256", "invalid value: 10.0.0.256"), ("", "length must be at least 1"),
      ("a-.example.com", "invalid value: a-.example.com"), ("[::1]:80", "must not have a port"),
      ("example.com:99999", "must not have a port"), ("a:b", "invalid value: a:b"),
    ])
  func hosts(host: String, message: String) {
    #expect(refused(["host": .string(host)], .services) == ["host": .string(message)])
  }

  @Test(
    "good hosts pass",
    arguments: ["example.com", "a_b", "10.0.0.1", "::1", "[::1]", "localhost", "xn--bcher-kva.de"])
  func goodHosts(host: String) throws {
    #expect(try validator.validateInsert(["host": .string(host)], of: .services)["host"] == .string(host))
  }

  @Test("an explicit null is not replaced by the default")
  func explicitNull() throws {
    let service = try validator.validateInsert(["host": "a", "retries": nil], of: .services)
    #expect(service["retries"] == .null)
    #expect(refused(["host": nil], .services) == ["host": "required field missing"])
    #expect(refused(["host": "a", "port": nil], .services) == ["port": "required field missing"])
  }

  @Test("sets lose duplicates, whole numbers become integers, empty objects count as empty lists")
  func normalization() throws {
    let service = try validator.validateInsert(
      ["host": "a", "protocol": "https", "tags": ["x", "y", "x"], "port": 81.0, "ca_certificates": [:]],
      of: .services)
    #expect(service["tags"] == ["x", "y"] && service["port"] == .integer(81) && service["ca_certificates"] == [])
  }

  @Test("errors of elements stand at their positions")
  func positions() {
    let message = "invalid tag 'a,b': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"
    #expect(refused(["host": "a", "tags": ["x", "a,b", "y"]], .services) == ["tags": [nil, .string(message)]])
    #expect(refused(["host": "a", "tags": [nil, ""]], .services)
      == ["tags": ["required field missing", "length must be at least 1"]])
    #expect(refused(["host": "a", "tags": ["k": "v"]], .services) == ["tags": "expected a set"])
  }

  @Test("a field that depends on the protocol is refused at the field and for the whole")
  func conditional() {
    #expect(
      refused(["host": "a", "protocol": "tcp", "path": "/a"], .services) == [
        "path": "value must be null", "@entity": ["failed conditional validation given value of field 'protocol'"],
      ])
    #expect(refused(["host": "a", "tls_verify": true], .services)["tls_verify"] == "value must be null")
  }

  // MARK: Foreign fields

  @Test("a foreign field takes an id, before any name, or another unique field for the store to resolve")
  func foreign() throws {
    let id = "99999999-9999-4999-8999-99999999999A"
    func service(_ value: JSONValue) throws -> JSONValue? {
      try validator.validateInsert(
        ["protocols": ["http"], "paths": ["/a"], "service": value], of: .routes)["service"]
    }
    #expect(try service(["id": .string(id), "name": "svc"]) == ["id": .string(id.lowercased())])
    #expect(try service(["name": "svc"]) == ["name": "svc"])
    #expect(try service(nil) == .null)
    #expect(try service(["id": nil]) == .null)
    func refusal(_ value: JSONValue) -> JSONValue? {
      refused(["protocols": ["http"], "paths": ["/a"], "service": value], .routes)["service"]
    }
    #expect(refusal(["id": "abc"]) == ["id": "expected a valid UUID"])
    #expect(refusal(["id": 5]) == ["id": "expected a string"])
    #expect(refusal("svc") == "expected a record")
    #expect(refusal(["colour": "red"]) == ["colour": "unknown field"])
  }

  // MARK: Updating

  @Test("a change merges records by key and replaces lists whole")
  func update() throws {
    let plugin = try validator.validateInsert(
      ["name": "request-transformer", "config": ["add": ["headers": ["a:b", "c:d"]]]], of: .plugins)
    let changed = try PluginFixtures.validator(now: 1_800_000_000).validateUpdate(
      ["config": ["add": ["headers": ["x:1"]], "remove": ["body": ["y"]]], "id": "other"], to: plugin, of: .plugins)
    #expect(changed["config"]?["add"] == ["body": [], "headers": ["x:1"], "querystring": []])
    #expect(changed["config"]?["remove"]?["body"] == ["y"])
    #expect(changed["config"]?["replace"] == plugin["config"]?["replace"])
    #expect(changed["id"] == plugin["id"] && changed["created_at"] == plugin["created_at"])
    #expect(changed["updated_at"] == 1_800_000_000)
  }

  @Test("a change is checked as a whole, in the words for updates")
  func refusedUpdate() throws {
    let consumer = try validator.validateInsert(["username": "bob"], of: .consumers)
    #expect(
      violations { () throws(SchemaViolations) in
        try validator.validateUpdate(["username": nil], to: consumer, of: .consumers)
      } == [
        "@entity": ["when updating, at least one of these fields must be non-empty: 'custom_id', 'username'"]
      ])
    let acl = try validator.validateInsert(["name": "acl", "config": ["allow": ["a"]]], of: .plugins)
    #expect(
      violations { () throws(SchemaViolations) in
        try validator.validateUpdate(["config": ["deny": ["b"]]], to: acl, of: .plugins)
      } == ["@entity": ["exactly one of these fields must be non-empty: 'config.allow', 'config.deny'"]])
    let moved = try validator.validateUpdate(["config": ["allow": nil, "deny": ["b"]]], to: acl, of: .plugins)
    #expect(moved["config"]?["deny"] == ["b"] && moved["config"]?["allow"] == .null)
    #expect(
      violations { () throws(SchemaViolations) in
        try validator.validateUpdate(["config": ["add": 1], "nope": 2], to: acl, of: .plugins)
      } == ["config": ["add": "unknown field"], "nope": "unknown field"])
  }

  @Test("another plugin's name in a change makes the old configuration unknown")
  func renamedPlugin() throws {
    let plugin = try validator.validateInsert(["name": "correlation-id"], of: .plugins)
    let found = violations { () throws(SchemaViolations) in
      try validator.validateUpdate(["name": "acl"], to: plugin, of: .plugins)
    }
    #expect(
      found == [
        "config": [
          "echo_downstream": "unknown field", "generator": "unknown field", "header_name": "unknown field",
        ]
      ])
  }

  @Test("an immutable field keeps its value")
  func immutable() throws {
    let definition = EntityDefinition(
      name: "things", adminPath: nil,
      schema: RecordSchema(["id": CommonFields.id, "kind": .string.asImmutable(), "note": .string]))
    let thing = try validator.validateInsert(["kind": "a"], of: definition)
    #expect(try validator.validateUpdate(["kind": "a", "note": "n"], to: thing, of: definition)["note"] == "n")
    let message: [String: JSONValue] = ["kind": "immutable field cannot be updated"]
    #expect(
      violations { () throws(SchemaViolations) in
        try validator.validateUpdate(["kind": "b"], to: thing, of: definition)
      } == message)
    #expect(
      violations { () throws(SchemaViolations) in
        try validator.validateUpsert(["kind": "b"], id: "x", existing: thing, of: definition)
      }["kind"] == message["kind"])
  }

  // MARK: Replacing

  @Test("a replacement goes back to defaults, takes the id of the path and keeps the time of creation")
  func upsert() throws {
    let id = "22222222-abcd-4222-8222-222222222222"
    let old = try validator.validateInsert(["host": "a", "name": "n", "retries": 9], of: .services)
    let new = try PluginFixtures.validator(now: 1_800_000_000).validateUpsert(
      ["host": "b", "id": "33333333-abcd-4333-8333-333333333333"], id: id, existing: old, of: .services)
    #expect(new["id"] == .string(id) && new["name"] == .null && new["retries"] == 5)
    #expect(new["created_at"] == 1_700_000_000 && new["updated_at"] == 1_800_000_000)
    let created = try PluginFixtures.validator(now: 1_800_000_000).validateUpsert(
      ["host": "b"], id: id, existing: nil, of: .services)
    #expect(created["created_at"] == 1_800_000_000)
    #expect(
      violations { () throws(SchemaViolations) in
        try validator.validateUpsert(["port": 80], id: id, existing: old, of: .services)
      } == ["host": "required field missing"])
  }

  // MARK: Showing

  @Test("an entity is shown with every field, without shorthands and transient fields it does not have")
  func present() throws {
    let shown = validator.present(["id": "x", "host": "a"], of: .services)
    #expect(shown["name"] == .null && shown["port"] == 80 && shown["url"] == nil)
    #expect(validator.present(["cert": "c"], of: .certificates)["snis"] == nil)
    #expect(validator.present(["snis": ["a"]], of: .certificates)["snis"] == ["a"])
    let plugin = try validator.validateInsert(
      ["name": "http-log", "config": ["http_endpoint": "http://a", "queue_size": 7]], of: .plugins)
    #expect(plugin["config"]?["queue"]?["max_batch_size"] == 7 && plugin["config"]?["queue_size"] == nil)
    #expect(validator.present(plugin, of: .plugins)["config"]?["queue_size"] == 7)
  }

  @Test("a deprecated name and the field that replaced it must agree")
  func deprecatedConflict() throws {
    func config(_ members: [String: JSONValue]) -> EntityFields {
      ["name": "http-log", "config": .object(members.merging(["http_endpoint": "http://a"]) { $1 })]
    }
    #expect(
      refused(config(["queue_size": 7, "queue": ["max_batch_size": 8]]), .plugins) == [
        "config": [
          "queue_size": .string(
            "both deprecated and new field are used but their values mismatch: queue_size = 7 vs "
              + "queue.max_batch_size = 8")
        ]
      ])
    let same = try validator.validateInsert(config(["queue_size": 8, "queue": ["max_batch_size": 8]]), of: .plugins)
    #expect(same["config"]?["queue"]?["max_batch_size"] == 8)
    #expect(try validator.validateInsert(config(["queue_size": nil]), of: .plugins)["config"]?["queue_size"] == nil)
  }

  private func refused(_ input: EntityFields, _ definition: EntityDefinition) -> [String: JSONValue] {
    violations { () throws(SchemaViolations) in try validator.validateInsert(input, of: definition) }
  }
}
