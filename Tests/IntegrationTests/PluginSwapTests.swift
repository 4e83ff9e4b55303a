import EntityModel
import Foundation
import GatewayTesting
import Synchronization
import Testing

extension LiveProcessTests {
  /// Plugins change under traffic without a failed request.
  @Suite struct PluginSwapTests {
    @Test("two hundred swaps of a streamed plugin under load fail no request")
    func swapsUnderLoad() async throws {
      let gateway = try LiveGateway(["custom_plugin_streaming_enabled": "on", "nginx_worker_processes": "2"])
      let admin = gateway.admin
      let route = try admin.send("POST", "/routes", json: ["name": "r", "paths": ["/"], "protocols": ["http"]])
      try #require(route.status == 201, "\(route.text)")

      /// One version of the plugin: it answers with its own number.
      func create(_ number: Int) throws -> String {
        let name = "answer-\(number)"
        let definition = try admin.send(
          "POST", "/custom-plugins",
          json: [
            "name": .string(name),
            "schema": .string(
              "return { name = '\(name)', fields = { { config = { type = 'record', fields = {} } } } }"),
            "handler": .string(
              """
              local Handler = { PRIORITY = \(1000 + number), VERSION = "1.0.\(number)" }
              function Handler:access(conf)
                return kong.response.exit(200, "version \(number)")
              end
              return Handler
              """),
          ])
        try #require(definition.status == 201, "\(definition.text)")
        let instance = try admin.send("POST", "/plugins", json: ["name": .string(name)])
        try #require(instance.status == 201, "\(instance.text)")
        return instance.json["id"]?.string ?? ""
      }
      var instance = try create(0)
      #expect(await eventually { try gateway.proxy.get("/").text == "version 0" })

      let load = Load(port: gateway.port("proxy"), connections: 4)
      let running = Task.detached { await load.run() }
      // The new version takes over because its priority is higher, then the old one goes.
      for number in 1...200 {
        let next = try create(number)
        try #require(try admin.send("DELETE", "/plugins/\(instance)").status == 204)
        try #require(try admin.send("DELETE", "/custom-plugins/answer-\(number - 1)").status == 204)
        instance = next
      }
      #expect(await eventually { try gateway.proxy.get("/").text == "version 200" })
      load.stop()
      await running.value
      let result = load.result
      #expect(result.failures.isEmpty, "\(result.failures.prefix(3))")
      #expect(result.answers > 1000)
      #expect(result.versions > 20)
    }
  }
}

/// Requests over kept connections, one after another, until it is stopped.
final class Load: Sendable {
  struct Result {
    var answers = 0
    var failures: [String] = []
    var seen: Set<String> = []
    var versions: Int { seen.count }
  }

  private let port: Int
  private let connections: Int
  private let stopped = Atomic(false)
  private let state = Mutex(Result())

  init(port: Int, connections: Int) {
    self.port = port
    self.connections = connections
  }

  var result: Result { state.withLock { $0 } }

  func stop() { stopped.store(true, ordering: .relaxed) }

  /// Each connection has a thread of its own, so that the waiting of one does not hold up the others.
  func run() async {
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<connections {
        group.addTask {
          await onThread { self.drive() }
        }
      }
    }
  }

  private func drive() {
    do {
      var connection = try SocketConnection(port: port)
      while !stopped.load(ordering: .relaxed) {
        let answer = try connection.exchange("GET", "/")
        // After 10,000 requests (nginx's keepalive_requests) the gateway says that it closes.
        if answer.header("connection") == "close" { connection = try SocketConnection(port: port) }
        state.withLock { state in
          state.answers += 1
          state.seen.insert(answer.text)
          if answer.status != 200 { state.failures.append("\(answer.status) \(answer.text)") }
        }
      }
    } catch {
      state.withLock { $0.failures.append("\(error)") }
    }
  }
}
