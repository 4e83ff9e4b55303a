import EntityModel
import Testing

@testable import LuaRuntime

/// What is refused when a streamed plugin is saved, by message.
@Suite struct InspectionRefusalTests {
  static let goodSchema = """
    return { name = "probe", fields = { { config = { type = "record", fields = {} } } } }
    """
  static let goodHandler = """
    return { PRIORITY = 10, VERSION = "1.0.0", access = function() end }
    """

  static let inspector = LuaPluginInspector(limits: .init(time: .milliseconds(300)))

  static func violations(
    schema: String = goodSchema, handler: String = goodHandler, inspector: LuaPluginInspector = inspector
  ) -> [String: String] {
    do throws(SchemaViolations) {
      _ = try inspector.inspect(name: "probe", schema: schema, handler: handler)
      return [:]
    } catch {
      return error.fields.compactMapValues(\.string)
    }
  }

  @Test("a good pair has no violation") func good() { #expect(Self.violations() == [:]) }

  @Test(
    "a handler is refused with its line and what to do",
    arguments: [
      ("local x = = 1", "syntax error in line 1: unexpected symbol near '='"),
      ("\n\nreturn {", "syntax error in line 3: unexpected symbol near '<eof>'"),
      ("\u{1B}LJ\u{2}\u{A}", "the text is compiled bytecode; only Lua source is accepted"),
      ("\u{FEFF}\u{1B}LJ\u{2}\u{A}", "the text is compiled bytecode; only Lua source is accepted"),
      ("return 7", "the handler chunk must return a table, but it returned a number"),
      ("", "the handler chunk must return a table, but it returned nil"),
      ("\nerror('oops')", "error in line 2: oops"),
      ("error({})", "error: an error was raised whose value is no text"),
      (
        "return { VERSION = '1.0', access = function() end }",
        "PRIORITY is missing; set it to an integer, plugins run in descending order of it"
      ),
      (
        "return { PRIORITY = 1.5, VERSION = '1.0', access = function() end }",
        "PRIORITY must be an integer of 32 bits, but it is 1.5"
      ),
      (
        "return { PRIORITY = 0/0, VERSION = '1.0', access = function() end }",
        "PRIORITY must be an integer of 32 bits, but it is not a number"
      ),
      (
        "return { PRIORITY = '10', VERSION = '1.0', access = function() end }",
        "PRIORITY must be an integer, but it is a string"
      ),
      (
        "return { PRIORITY = 1, access = function() end }",
        "VERSION is missing; set it to a string such as \"1.0.0\""
      ),
      (
        "return { PRIORITY = 1, VERSION = 'beta', access = function() end }",
        "VERSION must contain a number such as \"1.0.0\", but it is \"beta\""
      ),
      (
        "return { PRIORITY = 1, VERSION = 1.0, access = function() end }",
        "VERSION must be a string such as \"1.0.0\", but it is a number"
      ),
      (
        "return { PRIORITY = 1, VERSION = '1.2.3.4', access = function() end }",
        "VERSION may have at most three numbers (major, minor, patch), but it is \"1.2.3.4\""
      ),
      (
        "return { PRIORITY = 1, VERSION = '1' }",
        "the handler has no function for any phase. "
          + "The phases are: certificate, rewrite, access, response, header_filter, body_filter, log"
      ),
      (
        "return { PRIORITY = 1, VERSION = '1', access = true }",
        "'access' must be a function, but it is a boolean"
      ),
      (
        "local p = { PRIORITY = 1, VERSION = '1' }\nfunction p:access() end\nfunction p:init_worker() end\nreturn p",
        "line 3: a streamed plugin cannot have the phase 'init_worker': a streamed plugin is loaded while the gateway "
          + "is serving; prepare what you need on first use. "
          + "The phases are: certificate, rewrite, access, response, header_filter, body_filter, log"
      ),
      (
        "return { PRIORITY = 1, VERSION = '1', preread = function() end }",
        "line 1: a streamed plugin cannot have the phase 'preread': it belongs to stream proxying. "
          + "The phases are: certificate, rewrite, access, response, header_filter, body_filter, log"
      ),
      (
        "return { PRIORITY = 1, VERSION = '1', log = print, acces = function() end }",
        "line 1: 'acces' is not a phase; did you mean 'access'? "
          + "The phases are: certificate, rewrite, access, response, header_filter, body_filter, log"
      ),
      (
        "return { PRIORITY = 1, VERSION = '1', response = function() end, body_filter = function() end }",
        "the handler implements both 'response' and 'body_filter'; 'response' gets the whole response, so do the work "
          + "of the filters there"
      ),
      ("\nlocal s = require 'socket'", "error in line 2: require 'socket' not allowed within sandbox"),
      ("local f = require('ffi')", "error in line 1: require 'ffi' not allowed within sandbox"),
      (
        "local b = require('package')", "error in line 1: require 'package' not allowed within sandbox"
      ),
      (
        "setmetatable({}, {})",
        "error in line 1: attempt to call global 'setmetatable' (a nil value); the sandbox does not offer "
          + "'setmetatable'"
      ),
      ("string.rep = 1", "error in line 1: Cannot modify string.rep. Protected by the sandbox."),
      ("kong.log = 1", "error in line 1: Cannot modify kong.log. Protected by the sandbox."),
      (
        "local path = kong.request.get_path()",
        "error in line 1: kong.request.get_path cannot be called while the plugin is loaded; call it in a phase"
      ),
    ])
  func handler(source: String, message: String) {
    #expect(Self.violations(handler: source) == ["handler": message])
  }

  @Test("an unsuitable name in a function is no phase")
  func helperFunctions() {
    let handler = """
      local probe = { PRIORITY = 0, VERSION = "v2-beta" }
      function probe:access() end
      function probe.respond() end
      function probe._log() end
      function probe.dog() end
      function probe.request() end
      return probe
      """
    #expect(Self.violations(handler: handler) == [:])
  }

  @Test(
    "a name that resembles a phase is a mistake",
    arguments: [
      ("acess", "access"), ("Access", "access"), ("headerFilter", "header_filter"), ("body-filter", "body_filter"),
      ("heder_filter", "header_filter"), ("rewirte", "rewrite"), ("logs", "log"), ("reponse", "response"),
    ])
  func misspelt(name: String, phase: String) {
    #expect(HandlerReader.phase(meantBy: name) == phase)
  }

  @Test(
    "the version is the first number with dots",
    arguments: [("1.0.0", "1.0.0"), ("1.0,0", "1.0"), ("v2-beta", "2"), ("1..2", "1"), ("x3.", "3"), ("", "")])
  func version(text: String, version: String) {
    #expect(HandlerReader.versionNumber(in: text) == version)
  }

  @Test(
    "a schema is refused with its line and what to do",
    arguments: [
      ("return { name = }", "syntax error in line 1: unexpected symbol near '}'"),
      ("return 'probe'", "the schema chunk must return a table, but it returned a string"),
      (
        "return { name = 'other', fields = {} }",
        "name: the schema is named 'other' but the plugin is named 'probe'; both must be equal"
      ),
      (
        """
        return { name = "probe", fields = { { config = { type = "record", fields = {
          { word = { type = "string",
                     custom_validator = function(value) return true end } },
        } } } } }
        """,
        "config.word.custom_validator: functions are not allowed in the schema of a streamed plugin (line 3); declare "
          + "the rule with the schema's own checks, or validate the value in the handler"
      ),
      (
        "return { name = 'probe', fields = {}, entity_checks = { { custom_entity_check = "
          + "{ field_sources = { 'config' }, fn = function() end } } } }",
        "entity_checks.1.custom_entity_check.fn: functions are not allowed in the schema of a streamed plugin "
          + "(line 1); declare the rule with the schema's own checks, or validate the value in the handler"
      ),
      (
        "return { name = 'probe', fields = { { config = { type = 'record', fields = { "
          + "{ a = { type = 'array' } } } } } } }",
        "config.a: field of type 'array' must declare 'elements'"
      ),
      (
        "local typedefs = require 'kong.db.schema.typedefs'\nlocal x = typedefs.nonsense",
        "error in line 2: schema typedef error: definition nonsense does not exist"
      ),
      ("local c = require 'cjson'", "error in line 1: require 'cjson' not allowed within sandbox"),
      (
        "kong.log.info('x')",
        "error in line 1: attempt to index global 'kong' (a nil value); the sandbox does not offer 'kong'"
      ),
      (
        "local t = { name = 'probe' }\nt.fields = t\nreturn t",
        "the returned table is nested too deeply or contains itself"
      ),
      ("return { name = 'probe', fields = { '\\255' } }", "the returned table holds text that is not UTF-8"),
    ])
  func schema(source: String, message: String) {
    #expect(Self.violations(schema: source) == ["schema": message])
  }

  @Test("both texts are judged at once")
  func both() {
    #expect(Set(Self.violations(schema: "return 1", handler: "return 2").keys) == ["schema", "handler"])
  }

  @Test("a text beyond the limit is not even compiled")
  func tooLong() {
    let inspector = LuaPluginInspector(limits: .init(sourceBytes: 100))
    let handler = "--" + String(repeating: "x", count: 99) + "\n" + Self.goodHandler
    #expect(
      Self.violations(schema: "return {}", handler: handler, inspector: inspector)["handler"]
        == "the text has \(handler.utf8.count) bytes, but at most 100 are accepted")
  }
}
