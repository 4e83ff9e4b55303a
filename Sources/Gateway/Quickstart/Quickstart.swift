import EntityModel
import Foundation
import NIOPosix

/// A control plane and a data plane on this machine with an example route, for trying the product.
public struct Quickstart: Sendable {
  /// Folder of all data; a second start finds it again.
  public var directory: String
  public var ports: QuickstartPorts
  /// Path of the program that is started twice.
  public var program: String

  public init(directory: String, ports: QuickstartPorts, program: String) {
    self.directory = directory
    self.ports = ports
    self.program = program
  }

  /// Starts both, waits until the data plane is in sync, prints the guide and stays until `stop` ends.
  ///
  /// - Parameters:
  ///   - announce: receives the text for the person.
  ///   - stop: returns when the pair shall stop.
  public func run(announce: (String) -> Void, stop: @escaping @Sendable () async -> Void) async throws {
    try ports.requireFree()
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let certificate = directory + "/cluster.crt"
    let key = directory + "/cluster.key"
    if !FileManager.default.fileExists(atPath: certificate) {
      try ClusterCertificateFiles.generate(days: 1095, certificate: certificate, key: key)
    }

    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let echo = try await EchoUpstream.start(port: ports.echo, group: group)
    let controlPlane = try GatewayChild(
      role: "control plane", program: program, prefix: directory + "/control-plane",
      settings: [
        "role": "control_plane", "database": "sqlite", "admin_listen": "127.0.0.1:\(ports.admin)",
        "cluster_listen": "127.0.0.1:\(ports.cluster)", "proxy_listen": "off", "status_listen": "off",
        "cluster_cert": certificate, "cluster_cert_key": key, "custom_plugin_streaming_enabled": "on",
      ])
    let dataPlane = try GatewayChild(
      role: "data plane", program: program, prefix: directory + "/data-plane",
      settings: [
        "role": "data_plane", "database": "off", "admin_listen": "off",
        "proxy_listen": "0.0.0.0:\(ports.proxy), 0.0.0.0:\(ports.proxyTLS) ssl",
        "status_listen": "127.0.0.1:\(ports.status)", "cluster_control_plane": "127.0.0.1:\(ports.cluster)",
        "cluster_cert": certificate, "cluster_cert_key": key, "custom_plugin_streaming_enabled": "on",
      ])
    let children = [controlPlane, dataPlane]
    do {
      for child in children { try child.start() }
      try await prepare(children)
      announce(QuickstartGuide(ports: ports, directory: directory).text)
      try writeEnvironmentFile()
      try await stay(children, stop: stop)
    } catch {
      await finish(children, echo, group)
      throw error
    }
    await finish(children, echo, group)
  }

  private func finish(_ children: [GatewayChild], _ echo: EchoUpstream, _ group: MultiThreadedEventLoopGroup) async {
    // The data plane first, so that it is not told of a lost control plane.
    for child in children.reversed() { child.stop() }
    await echo.stop()
    try? await group.shutdownGracefully()
    try? FileManager.default.removeItem(atPath: environmentFile)
  }

  /// Returns when `stop` does; throws when a child ends by itself.
  private func stay(_ children: [GatewayChild], stop: @escaping @Sendable () async -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await stop() }
      group.addTask {
        while true {
          try requireRunning(children)
          try await Task.sleep(for: .milliseconds(200))
        }
      }
      try await group.next()
      group.cancelAll()
    }
  }

  private func requireRunning(_ children: [GatewayChild]) throws(QuickstartError) {
    for (child, folder) in zip(children, ["control-plane", "data-plane"]) where !child.isRunning {
      throw QuickstartError(
        "the \(child.role) has stopped; its last words:\n\(child.lastWords(prefix: "\(directory)/\(folder)"))")
    }
  }

  // MARK: The example

  private var admin: AdminClient { AdminClient(baseURL: "http://127.0.0.1:\(ports.admin)") }

  private func prepare(_ children: [GatewayChild]) async throws {
    try await wait(children, for: "the Admin API") {
      try await admin.send("GET", "/status").status == 200
    }
    try await makeExample()
    let status = AdminClient(baseURL: "http://127.0.0.1:\(ports.status)")
    try await wait(children, for: "the data plane to be in sync") {
      guard try await status.send("GET", "/status/ready").status == 200 else { return false }
      let rows = try await admin.send("GET", "/clustering/data-planes").body["data"]?.array ?? []
      let hash = try await admin.send("GET", "/status").body["configuration_hash"]?.string
      return rows.contains { $0["config_hash"]?.string == hash && $0["sync_status"]?.string == "normal" }
    }
  }

  private func makeExample() async throws {
    let serviceURL = "http://127.0.0.1:\(ports.echo)/anything"
    if try await admin.send("GET", "/services/example-service").status == 404 {
      try await require(admin.send("POST", "/services", ["name": "example-service", "url": .string(serviceURL)]))
    }
    if try await admin.send("GET", "/routes/example-route").status == 404 {
      try await require(
        admin.send(
          "POST", "/services/example-service/routes",
          ["name": "example-route", "paths": ["/anything"], "protocols": ["http", "https"]]))
    }
  }

  private func require(_ answer: (status: Int, body: JSONValue)) throws(QuickstartError) {
    guard (200..<300).contains(answer.status) else {
      throw QuickstartError("the Admin API refused the example: \(answer.status) \(answer.body.serializedString)")
    }
  }

  private func wait(
    _ children: [GatewayChild], for what: String, until isReady: () async throws -> Bool
  ) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      try requireRunning(children)
      if (try? await isReady()) == true { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw QuickstartError("waited 30 seconds for \(what) in vain; see the logs under \(directory)")
  }

  // MARK: For scripts

  private var environmentFile: String { directory + "/quickstart.env" }

  /// Where the pair listens, for scripts to read; it exists while the pair is ready.
  private func writeEnvironmentFile() throws {
    let text = """
      ADMIN_URL=http://127.0.0.1:\(ports.admin)
      PROXY_URL=http://127.0.0.1:\(ports.proxy)
      PROXY_TLS_URL=https://127.0.0.1:\(ports.proxyTLS)
      STATUS_URL=http://127.0.0.1:\(ports.status)

      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: environmentFile), options: .atomic)
  }
}
