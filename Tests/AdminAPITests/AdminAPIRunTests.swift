import AdminAPI
import EntityModel
import HummingbirdTesting
import NIOCore
import Testing

@Suite("The Admin API as a service")
struct AdminAPIRunTests {
  @Test("it binds free ports, serves every address, and stops when it is cancelled", .timeLimit(.minutes(1)))
  func runAndCancel() async throws {
    var rig = AdminRig()
    rig.configuration.addresses = [.init(host: "127.0.0.1", port: 0), .init(host: "127.0.0.1", port: 0)]
    let configuration = rig.configuration
    try await rig.withRepository { repository in
      let (bound, continuation) = AsyncStream<AdminAPIConfiguration.ListenAddress>.makeStream()
      let api = AdminAPI(
        repository: repository, node: TestNode(), configuration: configuration, logger: AdminRig.silent
      ) { continuation.yield($0) }
      let running = Task { try await api.run() }
      var ports: Set<Int> = []
      for await address in bound {
        #expect(address.port > 0)
        ports.insert(address.port)
        let status = try await TestClient.withClient(host: "127.0.0.1", port: address.port) { client in
          let created = try await client.post(
            "/consumers", headers: [.contentType: "application/json"],
            body: ByteBuffer(string: "{\"username\":\"c\(address.port)\"}"))
          #expect(created.status == .created)
          return try await client.get("/consumers").status
        }
        #expect(status == .ok)
        if ports.count == 2 { break }
      }
      running.cancel()
      try await running.value
      for port in ports {
        await #expect(throws: (any Error).self) {
          try await TestClient.withClient(host: "127.0.0.1", port: port) { try await $0.get("/") }
        }
      }
    }
  }

  @Test("an address that cannot be bound ends the service with an error")
  func addressInUse() async throws {
    var rig = AdminRig()
    rig.configuration.addresses = [.init(host: "192.0.2.1", port: 0)]
    let configuration = rig.configuration
    try await rig.withRepository { repository in
      let api = AdminAPI(
        repository: repository, node: TestNode(), configuration: configuration, logger: AdminRig.silent)
      await #expect(throws: (any Error).self) { try await api.run() }
    }
  }
}
