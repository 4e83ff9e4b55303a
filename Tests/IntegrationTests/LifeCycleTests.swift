import EntityModel
import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  @Suite struct LifeCycleTests {
    @Test("SIGTERM lets a request under way finish, then the process exits with status 0")
    func drain() async throws {
      let gateway = try LiveGateway(["custom_plugin_streaming_enabled": "on"])
      let handler = """
        local Handler = { PRIORITY = 10, VERSION = "1.0" }
        function Handler:access(conf) return kong.response.exit(200, kong.request.get_raw_body()) end
        return Handler
        """
      try #require(
        try gateway.admin.send(
          "POST", "/custom-plugins",
          json: [
            "name": "mirror", "handler": .string(handler),
            "schema": "return { name = 'mirror', fields = { { config = { type = 'record', fields = {} } } } }",
          ]
        ).status == 201)
      try #require(
        try gateway.admin.send("POST", "/routes", json: ["paths": ["/"], "protocols": ["http"]]).status == 201)
      try #require(try gateway.admin.send("POST", "/plugins", json: ["name": "mirror"]).status == 201)
      #expect(await eventually { try gateway.proxy.send("POST", "/", body: "x").text == "x" })

      // The request is under way: its head is sent, its body is not yet complete.
      let connection = try SocketConnection(port: gateway.port("proxy"))
      try connection.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello")
      #expect(
        await eventually {
          (try gateway.status.get("/status").json["server"]?["connections_active"]?.integer ?? 0) > 0
        })
      kill(gateway.processID, SIGTERM)
      #expect(await eventually { gateway.log.contains("draining") })
      try connection.send("world")
      let answer = try connection.receiveResponse()
      #expect(answer.status == 200)
      #expect(answer.text == "helloworld")
      #expect(gateway.stop() == 0)
    }

    @Test("a second start on the same prefix finds its data again")
    func dataSurvives() async throws {
      let prefix = try LiveGateway.makePrefix()
      defer { try? FileManager.default.removeItem(atPath: prefix) }
      let first = try LiveGateway([:], prefix: prefix)
      try #require(try first.admin.send("POST", "/routes", json: ["name": "kept", "paths": ["/kept"]]).status == 201)
      let id = try first.admin.get("/").json["node_id"]
      #expect(first.stop() == 0)
      let second = try LiveGateway([:], prefix: prefix)
      #expect(try second.admin.get("/routes/kept").status == 200)
      #expect(try second.admin.get("/").json["node_id"] == id)
    }

    @Test("the proxy answers over TLS with a certificate of its own")
    func tls() async throws {
      let gateway = try LiveGateway(["proxy_listen": "127.0.0.1:0 ssl"])
      try #require(try gateway.admin.send("POST", "/routes", json: ["name": "r", "paths": ["/r"]]).status == 201)
      #expect(
        await eventually {
          let curl = try Program.run(
            "/usr/bin/curl", ["-sk", "https://127.0.0.1:\(gateway.port("proxy_ssl"))/r"], environment: [:])
          return curl.output.contains("no Service found with those values")
        })
    }
  }
}
