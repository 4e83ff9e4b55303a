import EntityModel
import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  /// `database=off`.
  @Suite struct DeclarativeTests {
    static let file = """
      _format_version: "3.0"
      custom_plugins:
      - name: hello
        schema: |
          return { name = "hello", fields = { { config = { type = "record", fields = {
            { text = { type = "string", default = "hello" } } } } } } }
        handler: |
          local Handler = { PRIORITY = 10, VERSION = "1.0" }
          function Handler:access(conf) return kong.response.exit(200, conf.text) end
          return Handler
      routes:
      - name: hello
        paths: [/hello]
        protocols: [http]
        plugins:
        - name: hello
      """

    @Test("a declarative file runs from the start, streamed plugins included")
    func atStart() throws {
      let prefix = try LiveGateway.makePrefix()
      defer { try? FileManager.default.removeItem(atPath: prefix) }
      try Data(Self.file.utf8).write(to: URL(fileURLWithPath: prefix + "/kong.yml"))
      let gateway = try LiveGateway(
        [
          "database": "off", "declarative_config": prefix + "/kong.yml", "custom_plugin_streaming_enabled": "on",
        ], prefix: prefix)
      #expect(try gateway.proxy.get("/hello").text == "hello")
    }

    @Test("a bad file at the start is refused with every error in it")
    func badFileAtStart() throws {
      let prefix = try LiveGateway.makePrefix()
      defer { try? FileManager.default.removeItem(atPath: prefix) }
      try Data("_format_version: \"3.0\"\nservices:\n- port: 99999\n- host: h\n  retries: -1\n".utf8).write(
        to: URL(fileURLWithPath: prefix + "/kong.yml"))
      let program = try Program.run(
        ["start"],
        environment: [
          "SLUICE_PREFIX": prefix, "SLUICE_DATABASE": "off", "SLUICE_DECLARATIVE_CONFIG": prefix + "/kong.yml",
          "SLUICE_PROXY_LISTEN": "off", "SLUICE_ADMIN_LISTEN": "off", "SLUICE_STATUS_LISTEN": "off",
        ])
      #expect(program.status == 1)
      #expect(program.errors.contains("kong.yml"))
      #expect(program.errors.contains("host") && program.errors.contains("port") && program.errors.contains("retries"))
    }

    @Test("POST /config replaces everything, and a bad document changes nothing and names every error")
    func config() throws {
      let gateway = try LiveGateway(["database": "off", "custom_plugin_streaming_enabled": "on"])
      func load(_ text: String, _ query: String = "") throws -> TestResponse {
        try gateway.admin.send("POST", "/config" + query, headers: [("Content-Type", "text/yaml")], body: text)
      }
      let loaded = try load(Self.file)
      #expect(loaded.status == 201, "\(loaded.text)")
      #expect(try gateway.proxy.get("/hello").text == "hello")
      #expect(try load(Self.file, "?check_hash=1").status == 304)

      let bad = try load(
        "_format_version: \"3.0\"\nservices:\n- port: 99999\n- host: h\n  retries: -1\n", "?flatten_errors=1")
      #expect(bad.status == 400)
      #expect(bad.json["code"] == 14)
      #expect(bad.json["flattened_errors"]?.array?.count == 2)
      #expect(try gateway.proxy.get("/hello").text == "hello")

      #expect(try load(Self.file.replacing("default = \"hello\"", with: "default = \"goodbye\"")).status == 201)
      #expect(try gateway.proxy.get("/hello").text == "goodbye")
      #expect(try gateway.admin.send("POST", "/services", json: ["host": "h"]).status == 405)
    }
  }
}
