import Testing

@testable import EntityModel

@Suite("Validation of anything")
struct RobustnessTests {
  static let values: [JSONValue] = [
    nil, true, 0, 9_223_372_036_854_775_807, 0.5, 1e300, "", "x", "{vault://env/x}", [], [nil], [[:]], ["x"],
    [1, "x", nil], [:], ["id": nil], ["id": 1], ["k": ["k": ["k": "v"]]],
  ]

  /// The least that each entity needs.
  static let least: [String: EntityFields] = [
    "services": ["host": "a"], "routes": ["paths": ["/a"]], "consumers": ["username": "a"],
    "consumer_groups": ["name": "a"], "upstreams": ["name": "a"], "plugins": ["name": "request-transformer"],
    "custom_plugins": ["name": "a", "schema": "x", "handler": "x"], "cloned_plugins": ["name": "a", "ref": "acl"],
    "acls": ["group": "a", "consumer": ["id": "99999999-9999-4999-8999-999999999999"]],
    "keyauth_credentials": ["consumer": ["id": "99999999-9999-4999-8999-999999999999"]],
    "consumer_group_consumers": [
      "consumer": ["id": "99999999-9999-4999-8999-999999999999"],
      "consumer_group": ["id": "99999999-9999-4999-8999-999999999999"],
    ],
    "targets": ["target": "a", "upstream": ["id": "99999999-9999-4999-8999-999999999999"]],
    "snis": ["name": "a", "certificate": ["id": "99999999-9999-4999-8999-999999999999"]],
    "certificates": ["cert": .string(CertificateFixtures.leaf), "key": .string(CertificateFixtures.leafKey)],
    "ca_certificates": ["cert": .string(CertificateFixtures.authority)],
    "clustering_data_planes": ["ip": "10.0.0.1", "hostname": "a"],
  ]

  @Test(
    "any value of any field is either refused by name or leads to an entity that is good by itself",
    arguments: least.keys.sorted())
  func anything(collection: String) throws {
    let validator = PluginFixtures.validator()
    let definition = try #require(EntityCatalogue[collection])
    let least = try #require(Self.least[collection])
    // Certificates are parsed for each try, and upstreams are large: a few values of each type do for them.
    let isCostly = ["certificates", "ca_certificates", "upstreams"].contains(collection)
    let values = isCostly ? Self.values.enumerated().filter { $0.offset % 4 == 0 }.map(\.element) : Self.values
    let names = definition.schema.fields.map(\.name) + definition.schema.shorthandFields.map(\.name) + ["unknown"]
    for name in names {
      for value in values {
        var input = least
        input[name] = value
        do {
          let entity = try validator.validateInsert(input, of: definition)
          if name == "unknown" { Issue.record("an unknown field was accepted") }
          try expectStable(entity, definition, validator)
        } catch {
          if error.isEmpty || EntityError.schemaViolation(error).message.isEmpty { Issue.record("no reason given") }
        }
      }
    }
  }

  @Test("every entity is tried")
  func complete() {
    #expect(Set(Self.least.keys) == Set(EntityCatalogue.all.map(\.name)))
  }

  @Test("the configuration of a plugin takes anything without harm")
  func configurations() throws {
    let validator = PluginFixtures.validator()
    for name in ["request-transformer", "http-log", "acl"] {
      for field in ["add", "replace", "http_method", "queue", "headers", "allow", "queue_size", "unknown"] {
        for value in Self.values {
          let input: EntityFields = ["name": .string(name), "config": .object([field: value])]
          do {
            try expectStable(try validator.validateInsert(input, of: .plugins), .plugins, validator)
          } catch {
            #expect(!error.isEmpty)
          }
        }
      }
    }
  }

  /// What was accepted and shown can be put back and changed by nothing.
  private func expectStable(
    _ entity: EntityFields, _ definition: EntityDefinition, _ validator: EntityValidator
  ) throws(SchemaViolations) {
    let id = entity["id"]?.string ?? ""
    var shown = validator.present(entity, of: definition).object ?? [:]
    shown["id"] = nil
    let again = try validator.validateUpsert(shown, id: id, existing: entity, of: definition)
    if again != entity { Issue.record("\(definition.name) changed from \(entity) to \(again)") }
    let changed = try validator.validateUpdate([:], to: entity, of: definition)
    if changed != entity { Issue.record("\(definition.name) changed from \(entity) to \(changed)") }
  }

  @Test("a data plane overlooks null fields that it does not know")
  func unknownNulls() throws {
    var validator = PluginFixtures.validator()
    validator.ignoresUnknownNulls = true
    let input: EntityFields = ["name": "http-log", "later": nil, "config": ["http_endpoint": "http://a", "new": nil]]
    let plugin = try validator.validateInsert(input, of: .plugins)
    #expect(plugin["later"] == nil && plugin["config"]?["new"] == nil)
    let found = violations { () throws(SchemaViolations) in
      try validator.validateInsert(["host": "a", "later": 1], of: .services)
    }
    #expect(found == ["later": "unknown field"])
  }
}
