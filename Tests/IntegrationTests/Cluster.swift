import EntityModel
import Foundation
import GatewayTesting
import Testing

/// A control plane and a data plane of one cluster certificate, both with streaming on unless a test says otherwise.
final class Cluster {
  let folder: String
  private(set) var controlPlane: LiveGateway
  private(set) var dataPlane: LiveGateway
  private let controlPlaneSettings: [String: String]
  private let dataPlaneSettings: [String: String]

  init(
    controlPlaneSettings: [String: String] = [:], dataPlaneSettings: [String: String] = [:]
  ) throws {
    folder = try LiveGateway.makePrefix()
    try Program.run(["hybrid", "gen_cert", folder + "/cluster.crt", folder + "/cluster.key"]).requireSuccess()
    let shared = [
      "cluster_cert": folder + "/cluster.crt", "cluster_cert_key": folder + "/cluster.key",
      "custom_plugin_streaming_enabled": "on",
    ]
    self.controlPlaneSettings = shared.merging(
      ["role": "control_plane", "database": "sqlite", "proxy_listen": "off", "status_listen": "off"]
    ) { $1 }.merging(controlPlaneSettings) { $1 }
    controlPlane = try LiveGateway(self.controlPlaneSettings, prefix: folder + "/cp")
    self.dataPlaneSettings = shared.merging(
      ["role": "data_plane", "database": "off", "admin_listen": "off", "cluster_listen": "off"]
    ) { $1 }.merging(dataPlaneSettings) { $1 }
    dataPlane = try LiveGateway(
      self.dataPlaneSettings.merging(["cluster_control_plane": "127.0.0.1:\(controlPlane.port("cluster"))"]) { $1 },
      prefix: folder + "/dp")
  }

  deinit {
    dataPlane.kill()
    controlPlane.kill()
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// Starts the data plane again on the same prefix.
  func restartDataPlane() throws {
    dataPlane.stop()
    dataPlane = try LiveGateway(
      dataPlaneSettings.merging(["cluster_control_plane": "127.0.0.1:\(controlPlane.port("cluster"))"]) { $1 },
      prefix: folder + "/dp")
  }

  /// Starts the control plane again, on the port that the data plane knows.
  func restartControlPlane() throws {
    let port = controlPlane.port("cluster")
    controlPlane.stop()
    controlPlane = try LiveGateway(
      controlPlaneSettings.merging(["cluster_listen": "127.0.0.1:\(port)"]) { $1 }, prefix: folder + "/cp")
  }

  // MARK: The guide

  func makeExampleRoute(upstreamPort: Int) throws {
    let service = try controlPlane.admin.send(
      "POST", "/services",
      json: ["name": "example-service", "url": .string("http://127.0.0.1:\(upstreamPort)/anything")])
    try #require(service.status == 201, "\(service.text)")
    let route = try controlPlane.admin.send(
      "POST", "/services/example-service/routes",
      json: ["name": "example-route", "paths": ["/anything"], "protocols": ["http", "https"]])
    try #require(route.status == 201, "\(route.text)")
  }

  /// Creates the definition of one of the example plugins.
  func stream(_ name: String) throws {
    let answer = try controlPlane.admin.send("POST", "/custom-plugins", json: try ExamplePlugin(name).definition)
    try #require(answer.status == 201, "\(answer.text)")
  }

  /// Configures both example plugins globally; the id of the instance of `replaceme`.
  @discardableResult
  func configureGuide() throws -> String {
    let replaceme = try controlPlane.admin.send(
      "POST", "/plugins",
      json: [
        "name": "replaceme", "config": ["target_word": "sea", "replacement_word": "pelican"],
        "condition": "!http.path.contains(\"skip\")",
      ])
    try #require(replaceme.status == 201, "\(replaceme.text)")
    let reflector = try controlPlane.admin.send("POST", "/plugins", json: ["name": "reflector"])
    try #require(reflector.status == 201, "\(reflector.text)")
    return replaceme.json["id"]?.string ?? ""
  }

  func reflected(_ path: String) throws -> String {
    try dataPlane.proxy.send("POST", path, body: LiveProcessTests.StreamedPluginGuideTests.sentence).text
  }
}

/// A plugin of `examples/plugins`.
struct ExamplePlugin {
  let definition: JSONValue

  init(_ name: String) throws {
    let folder = Program.packageFolder + "/examples/plugins/\(name)"
    definition = [
      "name": .string(name),
      "schema": .string(try String(contentsOfFile: folder + "/schema.lua", encoding: .utf8)),
      "handler": .string(try String(contentsOfFile: folder + "/handler.lua", encoding: .utf8)),
    ]
  }
}
