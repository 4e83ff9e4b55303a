import Testing

@testable import EntityModel

@Suite("Plugin instances and definitions")
struct PluginValidationTests {
  let validator = PluginFixtures.validator()

  private func refused(_ input: EntityFields, _ definition: EntityDefinition = .plugins) -> [String: JSONValue] {
    violations { () throws(SchemaViolations) in try validator.validateInsert(input, of: definition) }
  }

  @Test("the name decides first: without a good one nothing else is looked at")
  func names() {
    #expect(refused(["config": ["a": 1]]) == ["name": "required field missing"])
    #expect(refused(["name": 5, "colour": 1]) == ["name": "expected a string"])
    let message = "plugin 'nope' not enabled; add it to the 'plugins' configuration property"
    #expect(refused(["name": "nope", "colour": 1]) == ["name": .string(message)])
  }

  @Test("a configuration is filled by the plugin's schema")
  func defaults() throws {
    let plugin = try validator.validateInsert(["name": "request-transformer"], of: .plugins)
    let empty: JSONValue = ["body": [], "headers": [], "querystring": []]
    #expect(
      plugin["config"] == [
        "add": empty, "append": empty, "http_method": nil, "remove": empty, "rename": empty,
        "replace": ["body": [], "headers": [], "querystring": [], "uri": nil],
      ])
    #expect(plugin["protocols"] == ["grpc", "grpcs", "http", "https"])
    #expect(plugin["enabled"] == true && plugin["consumer_group"] == .null && plugin["ordering"] == .null)
  }

  @Test("violations in a configuration mirror its structure")
  func nesting() {
    func transformer(_ config: JSONValue) -> JSONValue? {
      refused(["name": "request-transformer", "config": config])["config"]
    }
    #expect(
      transformer(["add": ["headers": ["a:b", "novalue", "c:d"]]])
        == ["add": ["headers": [nil, "invalid value: novalue"]]])
    #expect(transformer(["add": ["cookies": ["a:b"]]]) == ["add": ["cookies": "unknown field"]])
    #expect(transformer(["add": ["headers": "a:b"]]) == ["add": ["headers": "expected an array"]])
    #expect(transformer(["add": ["a"]]) == ["add": ["unknown field"]])
    #expect(transformer(["http_method": "g e t"]) == ["http_method": "invalid value: g e t"])
    #expect(transformer(["add": ["headers": nil]]) == ["add": ["headers": "required field missing"]])
    #expect(
      refused(["name": "http-log", "config": ["http_endpoint": "http://a", "headers": ["Host": "b"]]])["config"]
        == ["headers": "cannot contain 'Host' header"])
    #expect(
      refused(["name": "http-log", "config": ["http_endpoint": "no url", "queue": ["max_batch_size": 0]]])["config"]
        == [
          "http_endpoint": "missing host in url",
          "queue": ["max_batch_size": "value should be between 1 and 1000000"],
        ])
  }

  @Test("checks over several fields run for the whole instance")
  func entityChecks() {
    let exactly: JSONValue = "exactly one of these fields must be non-empty: 'config.allow', 'config.deny'"
    let atLeast: JSONValue = "at least one of these fields must be non-empty: 'config.allow', 'config.deny'"
    #expect(refused(["name": "acl", "config": [:]]) == ["@entity": [exactly, atLeast]])
    #expect(refused(["name": "acl", "config": ["allow": ["a"], "deny": ["b"]]]) == ["@entity": [exactly]])
    #expect(refused(["name": "acl", "config": "abc"]) == ["config": "expected a record", "@entity": [atLeast]])
    #expect(
      refused(["name": "ip-restriction", "config": nil])
        == ["config": "required field missing", "@entity": [atLeast]])
  }

  @Test("a scope that the plugin does not have is refused")
  func scopes() {
    let id: JSONValue = ["id": "99999999-9999-4999-8999-999999999999"]
    #expect(
      refused(["name": "key-auth", "consumer": id]) == ["consumer": "value must be null"])
    #expect(
      refused(["name": "acl", "protocols": ["tcp"], "config": ["allow": ["a"]]])
        == ["protocols": ["expected one of: grpc, grpcs, http, https"]])
  }

  @Test("a condition has at most 1024 characters, is checked, and not every plugin may have one")
  func conditions() throws {
    #expect(
      refused(["name": "correlation-id", "condition": .string(String(repeating: "a", count: 1025))])
        == ["condition": "length must be at most 1024"])
    let config: JSONValue = ["access": ["return"]]
    #expect(refused(["name": "pre-function", "config": config, "condition": "true"])["condition"] != nil)
    var validator = validator
    validator.conditionCheck = { $0 == "good" ? nil : "at 1: unexpected text" }
    let plugin = try validator.validateInsert(["name": "correlation-id", "condition": "good"], of: .plugins)
    #expect(plugin["condition"] == "good")
    #expect(
      violations { () throws(SchemaViolations) in
        try validator.validateUpdate(["condition": "bad"], to: plugin, of: .plugins)
      } == ["condition": "at 1: unexpected text"])
    #expect(try validator.validateUpdate(["condition": nil], to: plugin, of: .plugins)["condition"] == .null)
  }

  @Test("streamed and cloned plugins have names of their own kind", arguments: ["a", "replace-me2", "x1"])
  func goodNames(name: String) throws {
    let plugin = try validator.validateInsert(
      ["name": .string(name), "schema": "return {}", "handler": "return {}"], of: .customPlugins)
    #expect(plugin["name"] == .string(name))
    let clone = try validator.validateInsert(["name": .string(name), "ref": "acl"], of: .clonedPlugins)
    #expect(clone["priority"] == .null && clone["ref"] == "acl")
  }

  @Test("other names are refused", arguments: ["", "A", "1a", "a-", "-a", "a_b", "a b", "acl", "openid-connect", "ä"])
  func badNames(name: String) {
    let found = refused(["name": .string(name), "schema": "x", "handler": "x"], .customPlugins)
    #expect(Array(found.keys) == ["name"])
  }

  @Test("only the sixteen plugins can be cloned, with a priority of 32 bits")
  func clones() {
    #expect(KongPlugins.cloneable.count == 16)
    #expect(KongPlugins.cloneable.allSatisfy { KongPlugins.priorities[$0] != nil })
    let found = refused(["name": "a", "ref": "cors", "priority": 2_147_483_648], .clonedPlugins)
    #expect(found["ref"]?.string?.hasPrefix("expected one of: acl, datakit") == true)
    #expect(found["priority"] == "value should be between -2147483648 and 2147483647")
    #expect(
      refused(["name": .string(String(repeating: "a", count: 4097)), "ref": "acl"], .clonedPlugins)
        == ["name": "length must be at most 4096"])
  }

  @Test("an instance must share a protocol with its route, or with one route of its service")
  func protocols() {
    let plugin: EntityFields = ["protocols": ["http"]]
    let http: EntityFields = ["protocols": ["http", "https"]]
    let tcp: EntityFields = ["protocols": ["tcp"]]
    #expect(PluginProtocols.violations(of: plugin, route: http, serviceRoutes: []) == nil)
    #expect(
      PluginProtocols.violations(of: plugin, route: tcp, serviceRoutes: [http])?.fields
        == ["protocols": "must match the associated route's protocols"])
    #expect(PluginProtocols.violations(of: plugin, route: nil, serviceRoutes: []) == nil)
    #expect(PluginProtocols.violations(of: plugin, route: nil, serviceRoutes: [tcp, http]) == nil)
    #expect(PluginProtocols.violations(of: plugin, route: nil, serviceRoutes: [tcp])?.isEmpty == false)
  }
}
