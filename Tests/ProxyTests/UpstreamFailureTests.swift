import EntityModel
import GatewayTesting
import NIOCore
import PluginKit
import Synchronization
import Testing

@testable import Proxy

@Suite("Upstreams that fail") struct UpstreamFailureTests {
  @Test("a refused connection is 502, plain text unless the request says otherwise")
  func refused() async throws {
    let proxy = try await ProxyFixture.start(upstream: try refusingPort())
    let plain = try proxy.get("/")
    #expect(plain.status == 502)
    #expect(plain.header("content-type") == "text/plain; charset=utf-8")
    #expect(plain.text.hasPrefix("An invalid response was received from the upstream server\nrequest_id: "))
    let json = try proxy.get("/", headers: [("Accept", "*/*")])
    #expect(json.json["message"]?.string == "An invalid response was received from the upstream server")
    let byType = try proxy.connect().exchange("POST", "/", headers: [("Content-Type", "application/grpc")], body: [])
    #expect(byType.header("content-type") == "application/json; charset=utf-8")
    await proxy.stop()
  }

  private static func balanced(_ ports: [Int]) -> [String: [EntityFields]] {
    [
      "upstreams": [["id": "up", "name": "balanced.up", "algorithm": "round-robin"]],
      "targets": ports.map { port in
        ["id": .string("t\(port)"), "upstream": ["id": "up"], "target": .string("127.0.0.1:\(port)"), "weight": 100]
      },
      "services": [Entities.service("s", host: "balanced.up", port: 80)],
      "routes": [Entities.route("r", service: "s", path: "/")],
    ]
  }

  @Test("a refused target is passed over for another, whatever the method")
  func nextPeer() async throws {
    let upstream = try await ScriptedUpstream.start { ok($0.text) }
    let proxy = try await ProxyFixture.start(Self.balanced([try refusingPort(), upstream.port]))
    for index in 0..<4 {
      let response = try proxy.connect().exchange("POST", "/", body: Array("b\(index)".utf8))
      #expect(response.status == 200)
      #expect(response.text == "b\(index)")
    }
    #expect(upstream.requests.allSatisfy { $0.values("host") == ["127.0.0.1:\(upstream.port)"] })
    await proxy.stop()
  }

  @Test("a plugin may choose an Upstream by its name, or any address")
  func chosenUpstream() async throws {
    let upstream = try await ScriptedUpstream.start { ok($0.header("host") ?? "") }
    let plugin = TestPlugin("choosing", phases: [.access]) { _, context in
      if let host = context.requestHeaders.first("x-to") { context.upstream.host = host }
      return .finished
    }
    var entities = Self.balanced([upstream.port])
    entities["services"] = [Entities.service("s", host: "127.0.0.1", port: upstream.port)]
    entities["plugins"] = [["id": "p", "name": "choosing", "config": [:]]]
    let proxy = try await ProxyFixture.start(entities, plugins: [plugin.definition])
    #expect(try proxy.get("/", headers: [("X-To", "balanced.up")]).text == "127.0.0.1:\(upstream.port)")
    #expect(try proxy.get("/", headers: [("X-To", "localhost")]).text == "localhost:\(upstream.port)")
    await proxy.stop()
  }

  @Test("an upstream without targets is 503")
  func noTargets() async throws {
    let proxy = try await ProxyFixture.start(Self.balanced([]))
    let response = try proxy.get("/")
    #expect(response.status == 503)
    #expect(response.json["message"]?.string == "failure to get a peer from the ring-balancer")
    await proxy.stop()
  }

  @Test("a name that does not resolve is 503")
  func unknownName() async throws {
    let proxy = try await ProxyFixture.start(upstream: 80, service: ["host": "no.such.name.invalid"])
    let response = try proxy.get("/")
    #expect(response.status == 503)
    #expect(response.json["message"]?.string == "name resolution failed")
    await proxy.stop()
  }

  @Test("an upstream that says nothing is 504 after read_timeout, once per attempt")
  func readTimeout() async throws {
    let upstream = try await ScriptedUpstream.start { _ in .silence }
    let proxy = try await ProxyFixture.start(upstream: upstream.port, service: ["read_timeout": 30, "retries": 1])
    let response = try proxy.get("/", headers: [("Accept", "application/json")])
    #expect(response.status == 504)
    #expect(response.json["message"]?.string == "The upstream server is timing out")
    #expect(upstream.requests.count == 2)
    await proxy.stop()
  }

  @Test("a request that may have had an effect is not sent twice")
  func noRetryOfPost() async throws {
    let upstream = try await ScriptedUpstream.start { _ in .close }
    let proxy = try await ProxyFixture.start(upstream: upstream.port, service: ["retries": 3])
    #expect(try proxy.connect().exchange("POST", "/", body: Array("x".utf8)).status == 502)
    #expect(upstream.requests.count == 1)
    #expect(try proxy.get("/").status == 502)
    #expect(upstream.requests.count == 5)
    await proxy.stop()
  }

  @Test("a kept connection that the upstream drops is replaced without costing an attempt")
  func staleConnection() async throws {
    let seen = Mutex<[Int: Int]>([:])
    let upstream = try await ScriptedUpstream.start { request in
      let count = seen.withLock { seen in
        seen[request.connection, default: 0] += 1
        return seen[request.connection, default: 0]
      }
      return count == 1 ? ok("first") : .close
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port, service: ["retries": 0])
    let connection = try proxy.connect()
    for _ in 0..<3 { #expect(try connection.exchange("GET", "/").text == "first") }
    #expect(upstream.connectionCount == 3)
    await proxy.stop()
  }

  @Test(
    "an answer that is no response is 502",
    arguments: [
      "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 101 Switching\r\n\r\n",
    ])
  func malformed(_ answer: String) async throws {
    let upstream = try await ScriptedUpstream.start { _ in .send(answer) }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    #expect(try proxy.get("/").status == 502)
    #expect(upstream.requests.count == 1)
    await proxy.stop()
  }

  @Test("a response that breaks off ends the client's connection instead of looking whole")
  func brokenOff() async throws {
    let upstream = try await ScriptedUpstream.start { request in
      request.requestLine.contains("chunked")
        ? .sendAndClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
        : .sendAndClose("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel")
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    for path in ["/fixed", "/chunked"] {
      let connection = try proxy.connect()
      try connection.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
      let text = try connection.receiveAll()
      #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
      #expect(!text.hasSuffix("0\r\n\r\n"))
    }
    await proxy.stop()
  }

  @Test("bytes after a response end the upstream's connection: they belong to nobody")
  func leftover() async throws {
    let upstream = try await ScriptedUpstream.start { _ in
      .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    #expect(try connection.exchange("GET", "/").text == "ok")
    #expect(try connection.exchange("GET", "/").text == "ok")
    #expect(upstream.connectionCount == 2)
    await proxy.stop()
  }
}
