import EntityModel
import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  /// The worked example of the datakit plugin.
  @Suite struct DatakitExampleTests {
    private static func json(_ text: String) -> UpstreamAct {
      .send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
    }

    @Test("the example of examples/datakit joins two answers, and rewrites a request and its response")
    func example() async throws {
      let servers = try await ScriptedUpstream.start { request in
        switch request.requestLine.split(separator: " ")[1] {
        case "/items": Self.json(#"[{"id":"a"},{"id":"b"}]"#)
        case "/levels": Self.json(#"{"a":3}"#)
        case "/me":
          request.header("authorization") == "Bearer t"
            ? Self.json(#"{"name":"Ada"}"#) : .send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        default: Self.json(#"{"id":7,"internal":true}"#)
        }
      }
      var text = try String(contentsOfFile: Program.packageFolder + "/examples/datakit/kong.yml", encoding: .utf8)
      for name in ["orders", "identity", "catalogue", "stock"] {
        text = text.replacingOccurrences(of: "\(name).example:8080", with: "127.0.0.1:\(servers.port)")
      }
      let prefix = try LiveGateway.makePrefix()
      defer { try? FileManager.default.removeItem(atPath: prefix) }
      try Data(text.utf8).write(to: URL(fileURLWithPath: prefix + "/kong.yml"))
      let gateway = try LiveGateway(
        ["database": "off", "declarative_config": prefix + "/kong.yml"], prefix: prefix)

      let overview = try gateway.proxy.get("/overview")
      #expect(overview.status == 200)
      #expect(overview.json == [["id": "a", "left": 3], ["id": "b", "left": 0]])

      let order = try gateway.proxy.send(
        "POST", "/orders", headers: [("Content-Type", "application/json"), ("Authorization", "Bearer t")],
        body: #"{"item":"a"}"#)
      #expect(order.status == 200)
      #expect(order.json == ["id": 7, "for": "Ada"])
      #expect(order.header("content-length") == String(order.body.count))
      let received = servers.requests.first { $0.requestLine.hasPrefix("POST") }
      #expect(received.flatMap { try? JSONValue(parsing: $0.text) } == ["item": "a", "customer": "Ada"])

      let stranger = try gateway.proxy.send(
        "POST", "/orders", headers: [("Content-Type", "application/json")], body: "{}")
      #expect(stranger.status == 500)
      #expect(stranger.json["message"] == "An unexpected error occurred")
      #expect(gateway.log.contains("node #1 (WHO) failed with error: \"non-2XX response code: 401\""))
    }

    @Test("a graph that makes no sense is refused when it is saved")
    func refused() throws {
      let gateway = try LiveGateway()
      let answer = try gateway.admin.send(
        "POST", "/plugins",
        json: [
          "name": "datakit",
          "config": ["nodes": [["type": "jq", "name": "A", "jq": ".", "input": "B"], ["type": "exit", "name": "B"]]],
        ])
      #expect(answer.status == 400)
      #expect(
        answer.json["fields"]?["config"]?["nodes"]
          == [["input": "invalid connection (\"B\" -> \"A\"): node \"B\" has no outputs"]])
    }
  }
}
