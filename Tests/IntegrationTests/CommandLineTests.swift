import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  @Suite struct CommandLineTests {
    @Test("version names Sluice's own version and the Kong version it speaks")
    func version() throws {
      let program = try Program.run(["version"])
      #expect(program.status == 0)
      #expect(program.output.contains("Sluice 0.1.0"))
      #expect(program.output.contains("3.15.0.0"))
    }

    @Test("check accepts good settings and names every bad one with what is accepted")
    func check() throws {
      #expect(try Program.run(["check"]).output.contains("configuration is valid"))
      let bad = try Program.run(["check"], environment: ["KONG_ROLE": "boss", "KONG_PROXY_LISTEN": "nowhere"])
      #expect(bad.status == 1)
      #expect(bad.errors.contains("role") && bad.errors.contains("boss") && bad.errors.contains("data_plane"))
      #expect(bad.errors.contains("proxy_listen") && bad.errors.contains("nowhere"))
    }

    @Test("an unknown setting is a warning that names the nearest known one")
    func unknownSetting() throws {
      let program = try Program.run(["check"], environment: ["KONG_PROXY_LISTN": "0.0.0.0:8000"])
      #expect(program.status == 0)
      #expect(program.errors.contains("proxy_listn") && program.errors.contains("proxy_listen"))
    }

    @Test("gen_cert writes a pair once, with an owner-only key")
    func generateCertificate() throws {
      let folder = try LiveGateway.makePrefix()
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let arguments = ["hybrid", "gen_cert", folder + "/c.crt", folder + "/c.key"]
      #expect(try Program.run(arguments).status == 0)
      let mode = try FileManager.default.attributesOfItem(atPath: folder + "/c.key")[.posixPermissions] as? Int
      #expect(mode == 0o600)
      let second = try Program.run(arguments)
      #expect(second.status == 1)
      #expect(second.errors.contains("c.crt"))
    }

    @Test("config parse prints every error of a declarative file")
    func configParse() throws {
      let folder = try LiveGateway.makePrefix()
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let file = folder + "/kong.yml"
      try Data("_format_version: '3.0'\nservices:\n- name: a\n  host: example.com\n".utf8).write(
        to: URL(fileURLWithPath: file))
      let good = try Program.run(["config", "parse", file])
      #expect(good.status == 0 && good.output.contains("parse successful"))
      try Data(
        "_format_version: '3.0'\nservices:\n- name: a\n  port: 99999\n- name: b\n  host: h\n  retries: -1\n".utf8
      ).write(to: URL(fileURLWithPath: file))
      let bad = try Program.run(["config", "parse", file])
      #expect(bad.status == 1)
      #expect(bad.errors.contains("host") && bad.errors.contains("port") && bad.errors.contains("retries"))
    }

    @Test("health tells whether the gateway of a prefix runs")
    func health() throws {
      let gateway = try LiveGateway(["database": "off"])
      let environment = ["SLUICE_PREFIX": gateway.prefix]
      #expect(try Program.run(["health"], environment: environment).status == 0)
      gateway.stop()
      let stopped = try Program.run(["health"], environment: environment)
      #expect(stopped.status == 1)
      #expect(stopped.errors.contains("not running"))
    }

    @Test("a second gateway on the same prefix is refused")
    func samePrefix() throws {
      let gateway = try LiveGateway(["database": "off"])
      let second = try Program.run(
        ["start"],
        environment: ["SLUICE_PREFIX": gateway.prefix, "SLUICE_DATABASE": "off", "SLUICE_PROXY_LISTEN": "off"])
      #expect(second.status == 1)
      #expect(second.errors.contains("prefix"))
    }
  }
}
