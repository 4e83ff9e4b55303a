import EntityModel
import Foundation
import Testing

@testable import Storage

@Suite struct DeclarativeLoaderTests {
  let loader = DeclarativeLoader(rules: testRules)

  private func failure(_ text: String) -> DeclarativeError? {
    do {
      _ = try loader.load(text)
      return nil
    } catch {
      return error
    }
  }

  @Test("nested children, references by name or id, and definitions in the same file become one snapshot")
  func goodFile() throws {
    let text = """
      _format_version: "3.0"
      _comment: all kinds of nesting
      plugins:
      - name: mine
        config: {word: w}
        service: one
        consumer: {username: bob}
      - name: log-2
      consumers:
      - username: bob
        acls: [{group: g}]
      custom_plugins:
      - name: mine
        schema: word
        handler: "800"
      cloned_plugins:
      - {name: log-2, ref: file-log}
      services:
      - name: one
        url: http://example.com:81/x
        _comment: ignored
        routes:
        - name: r
          paths: [/a]
          plugins: [{name: key-auth}]
      routes:
      - paths: [/b]
        service: {name: one}
      upstreams:
      - name: up
        targets: [{target: "10.0.0.1:80"}]
      """
    let snapshot = try loader.load(text)
    #expect(snapshot.hash == ConfigHash.md5(ofText: text.utf8))
    let service = try #require(snapshot["services"].first)
    #expect(service["port"] == 81)
    #expect(service.id == DeterministicID.id(of: "services", key: "one"))
    #expect(snapshot["routes"].count == 2)
    #expect(snapshot["routes"].allSatisfy { $0["service"] == service.reference })
    let plugins = Dictionary(uniqueKeysWithValues: snapshot["plugins"].map { ($0["name"]?.string ?? "", $0) })
    #expect(plugins["mine"]?["service"] == service.reference)
    #expect(plugins["mine"]?["consumer"] == snapshot["consumers"].first?.reference)
    #expect(plugins["mine"]?["protocols"] == ["grpc", "grpcs", "http", "https"])
    #expect(plugins["key-auth"]?["route"]?["id"] != nil)
    #expect(plugins["log-2"]?["config"] == ["word": "x"])
    #expect(snapshot["targets"].first?["upstream"] == snapshot["upstreams"].first?.reference)
    #expect(snapshot["acls"].count == 1)
    let ids = try loader.load(text)["plugins"].map(\.id)
    #expect(ids == snapshot["plugins"].map(\.id))
    #expect(ids == ids.sorted())
  }

  @Test("all errors are told at once: mirrored, flattened, and as indented lines")
  func errors() throws {
    let error = try #require(
      failure(
        """
        _format_version: "3.0"
        nothing: []
        services:
        - name: good
          host: h
        - name: bad
          tags: [t]
          port: x
          routes:
          - name: r
            protocols: [ftp]
            paths: [/a]
        plugins:
        - name: none
        - name: key-auth
          config: {word: 5}
        """))
    #expect(error.fields["nothing"] == "unknown field")
    let services = try #require(error.fields["services"]?.array)
    #expect(services[0] == .null)
    #expect(services[1]["host"] == "required field missing")
    #expect(services[1]["port"] == "expected an integer")
    #expect(services[1]["routes"]?.array?.first?["protocols"] != nil)
    let plugins = try #require(error.fields["plugins"]?.array)
    #expect(plugins[1]["config"] == ["word": "expected a string"])
    #expect(error.entityError.code == .declarativeConfiguration)
    #expect(error.entityError.message.hasPrefix("declarative config is invalid: {"))

    let document = error.document(flattened: true)
    #expect(document["fields"] == ["nothing": "unknown field"])
    let flattened = try #require(document["flattened_errors"]?.array)
    #expect(flattened.count == 4)
    let service = try #require(flattened.first { $0["entity_type"] == "service" })
    #expect(service["entity_name"] == "bad")
    #expect(service["entity_tags"] == ["t"])
    #expect(service["entity"]?["routes"] == nil)
    #expect(
      service["errors"] == [
        ["type": "field", "field": "host", "message": "required field missing"],
        ["type": "field", "field": "port", "message": "expected an integer"],
      ])
    let plugin = try #require(flattened.first { $0["entity_name"] == "key-auth" })
    #expect(plugin["errors"]?.array?.first?["field"] == "config.word")

    #expect(error.description.contains("in 'services':\n  - in entry 2 of 'services':\n    in 'host': required field"))
  }

  @Test("broken references and double declarations are told by name")
  func references() throws {
    let dangling = try #require(
      failure(#"{"_format_version":"3.0","routes":[{"name":"r","paths":["/"],"service":"foo"}]}"#))
    #expect(
      dangling.fields == ["routes": ["r": ["invalid reference 'service: foo' (no such entry in 'services')"]]])
    let twice = try #require(
      failure(#"{"_format_version":"3.0","services":[{"name":"x","host":"h"},{"name":"x","host":"h"}]}"#))
    #expect(
      twice.fields == [
        "services": [nil, "uniqueness violation: 'services' entity with name set to 'x' already declared"]
      ])
    #expect(failure("{_format_version: '3.0', plugins: [{name: key-auth}, {name: key-auth}]}") != nil)
    let own = try #require(
      failure(
        "{_format_version: '3.0', services: [{name: a, host: h, routes: [{paths: [/], service: a}]}]}"))
    #expect(own.fields["services"]?.array?.first?["routes"]?.array?.first?["service"] == "value must be null")
  }

  @Test("bad definitions are refused with their field, and so are more than five clones")
  func definitions() throws {
    let bad = try #require(
      failure(
        """
        _format_version: "3.0"
        custom_plugins: [{name: mine, schema: word, handler: x}]
        plugins: [{name: mine, config: {word: w}}]
        """))
    #expect(bad.fields["custom_plugins"]?.array?.first?["handler"] == "1: no PRIORITY")
    #expect(bad.fields["plugins"]?.array?.first?["name"] != nil)
    let clones = (1...6).map { "{name: c\($0), ref: key-auth}" }.joined(separator: ", ")
    let many = try #require(failure("{_format_version: '3.0', cloned_plugins: [\(clones)]}"))
    #expect(many.fields["cloned_plugins"]?.array?.count == 6)
    var rules = testRules
    rules.isStreamingEnabled = false
    #expect(throws: DeclarativeError.self) {
      try DeclarativeLoader(rules: rules).load(
        "{_format_version: '3.0', custom_plugins: [{name: mine, schema: word, handler: '1'}]}")
    }
  }

  @Test(
    "a bad head is refused",
    arguments: [
      ("services: []", "_format_version", "required field missing"),
      ("_format_version: 3.0", "_format_version", "expected a string"),
      ("_format_version: '9'", "_format_version", "expected one of: 1.1, 2.1, 3.0"),
      ("{_format_version: '3.0', _transform: 5}", "_transform", "expected a boolean"),
      ("{_format_version: '3.0', _info: {}}", "_info", "unknown field"),
      ("{_format_version: '3.0', services: 5}", "services", "expected an array"),
      ("text", "error", "expected an object"),
      ("", "error", "expected an object"),
    ])
  func head(text: String, field: String, reason: String) {
    #expect(failure(text)?.fields == [field: .string(reason)])
  }

  @Test("older formats mark regular expressions")
  func oldFormats() throws {
    let snapshot = try loader.load(#"{_format_version: "1.1", routes: [{paths: ["/a", "/b(c|d)$"]}]}"#)
    #expect(snapshot["routes"].first?["paths"] == ["/a", "~/b(c|d)$"])
  }

  @Test("hostile texts end in an error, soon")
  func hostile() {
    var bomb = "_format_version: '3.0'\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...30 {
      bomb += "a\(level): &a\(level) [\((0..<10).map { _ in "*a\(level - 1)" }.joined(separator: ", "))]\n"
    }
    #expect(failure(bomb)?.description.contains("aliases stand for more than") == true)
    let keys = bomb + "? *a30\n: x\n"
    #expect(failure(keys) != nil)
    for text in [
      String(repeating: "[", count: 200_000), String(repeating: "{a: ", count: 200_000),
      String(repeating: "- ", count: 200_000), "a: &a [*a]", "a: *b", "\u{0}", "a: [", "? [a]\n: b",
      "--- a\n--- b\n", "a: 1\na: 2", "%YAML 9.9\n---\na: b", "!!int x",
    ] {
      #expect(failure(text) != nil)
    }
    let nested = String(repeating: "{services: [", count: 60) + String(repeating: "]}", count: 60)
    #expect(failure(nested) != nil)
  }

  @Test("files are read by their extension")
  func files() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("kong.yaml")
    try Data("_format_version: '3.0'\nservices: [{host: h}]".utf8).write(to: URL(fileURLWithPath: path))
    #expect(try loader.load(path: path).snapshot["services"].count == 1)
    let other = #expect(throws: DeclarativeError.self) { try loader.load(path: directory.file("kong.txt")) }
    #expect(other?.description.hasPrefix("unknown file type: ") == true)
    #expect(throws: DeclarativeError.self) { try loader.load(path: directory.file("none.yml")) }
  }

  @Test(
    "scalars mean what YAML says",
    arguments: [
      ("5", 5), ("-7", -7), ("0x1F", 31), ("017", 15), ("1_000", 1000), ("1.5", 1.5), ("1e3", 1000.0), ("~", nil),
      ("", nil), ("yes", true), ("Off", false), ("'5'", "5"), ("1.2.3", "1.2.3"), ("10.0.0.0/8", "10.0.0.0/8"),
      ("-", [nil]), ("2001-01-01", "2001-01-01"), (".inf", ".inf"), ("!!str 5", "5"), ("+", "+"), ("12:30", "12:30"),
    ] as [(String, JSONValue)])
  func scalars(text: String, value: JSONValue) throws {
    #expect(try YAMLReader.value(of: "k: " + (text == "-" ? "\n- " : text)) == ["k": value])
  }

  @Test("merge keys and aliases are followed")
  func merging() throws {
    let value = try YAMLReader.value(of: "b: &b {x: 1, y: 2}\nc: {<<: *b, y: 3}\nd: *b")
    #expect(value["c"] == ["x": 1, "y": 3])
    #expect(value["d"] == ["x": 1, "y": 2])
  }
}
