import EntityModel
import GatewayTesting
import NIOCore
import PluginKit
import Testing

@testable import Proxy

@Suite("Requests that are refused") struct RefusalTests {
  @Test(
    "what is no request gets its status as plain text and the connection closes",
    arguments: [
      ("GET /../x HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n", 400, "Bad request"),
      ("GET / HTTP/1.1\r\n\r\n", 400, "Bad request"),
      ("GET / HTTP/1.1\nHost: a\n\n", 400, "Bad request"),
      ("GET /\r\n", 400, "Bad request"),
      ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "Bad request"),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, "Bad request"),
      (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
        "Bad request"
      ),
      ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "Method not allowed"),
    ])
  func refused(_ request: String, status: Int, message: String) async throws {
    let proxy = try await ProxyFixture.start()
    let connection = try proxy.connect()
    try connection.send(request)
    let response = try connection.receiveResponse()
    #expect(response.status == status)
    #expect(response.header("content-type") == "text/plain; charset=utf-8")
    #expect(response.header("connection") == "close")
    #expect(response.text.hasPrefix("\(message)\nrequest_id: "))
    #expect(try connection.receiveAll() == "")
    await proxy.stop()
  }

  @Test("heads beyond the limits are refused while they are still coming")
  func oversize() async throws {
    let proxy = try await ProxyFixture.start()
    let line = try proxy.connect()
    try line.send("GET /" + String(repeating: "x", count: 9000))
    #expect(try line.receiveResponse().status == 414)
    let head = try proxy.connect()
    let long = String(repeating: "x", count: 7000)
    try head.send("GET / HTTP/1.1\r\nHost: a\r\n" + (0..<6).map { "X-\($0): \(long)\r\n" }.joined() + "\r\n")
    let response = try head.receiveResponse()
    #expect(response.status == 400)
    #expect(response.text.hasPrefix("Request header or cookie too large\n"))
    await proxy.stop()
  }

  @Test("an unknown transfer coding gets nginx's page with 501")
  func unknownCoding() async throws {
    let proxy = try await ProxyFixture.start()
    let response = try proxy.connect().exchange("POST", "/", headers: [("Transfer-Encoding", "gzip")])
    #expect(response.status == 501)
    #expect(response.header("content-type") == "text/html; charset=UTF-8")
    #expect(response.text.contains("<center><h1>501 Not Implemented</h1></center>"))
    await proxy.stop()
  }

  @Test("a chunked body with bad digits gets 400, and the upstream never a whole request")
  func badChunk() async throws {
    let upstream = try await ScriptedUpstream.start { _ in ok("") }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    try connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n")
    let response = try connection.receiveResponse()
    #expect(response.status == 400)
    #expect(response.text.hasPrefix("Bad request\n"))
    #expect(try connection.receiveAll() == "")
    #expect(upstream.requests.isEmpty)
    await proxy.stop()
  }

  @Test(
    "errors come in the form that Accept asks for, JSON without",
    arguments: [
      (nil, "application/json; charset=utf-8"), ("*/*", "application/json; charset=utf-8"),
      ("", "application/json; charset=utf-8"), ("image/png", "application/json; charset=utf-8"),
      ("text/plain", "text/plain; charset=utf-8"), ("application/xml", "application/xml; charset=utf-8"),
      ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
      ("text/plain;q=0.5, text/html", "text/html; charset=utf-8"),
    ] as [(String?, String)])
  func noRoute(accept: String?, contentType: String) async throws {
    let proxy = try await ProxyFixture.start()
    let response = try proxy.get("/none", headers: accept.map { [("Accept", $0)] } ?? [])
    #expect(response.status == 404)
    #expect(response.header("content-type") == contentType)
    #expect(response.text.contains("no Route matched with those values"))
    #expect(response.header("X-Kong-Response-Latency").flatMap { Int($0) } != nil)
    #expect(response.header("Via") == nil)
    if accept == nil {
      #expect(response.json["message"]?.string == "no Route matched with those values")
      #expect(response.json["request_id"]?.string == response.header("X-Kong-Request-Id"))
    }
    await proxy.stop()
  }

  @Test("a route for https sends other clients there")
  func httpsOnly() async throws {
    let proxy = try await ProxyFixture.start(upstream: 1, route: ["protocols": ["https"]])
    let demand = try proxy.get("/x")
    #expect(demand.status == 426)
    #expect(demand.json["message"]?.string == "Please use HTTPS protocol")
    #expect(demand.header("upgrade") == "TLS/1.2, HTTP/1.1")
    #expect(demand.header("connection")?.contains("Upgrade") == true)
    await proxy.stop()
    let redirecting = try await ProxyFixture.start(
      upstream: 1, route: ["protocols": ["https"], "https_redirect_status_code": 307])
    let redirect = try redirecting.get("/x?a=1&b=%20", headers: [("Host", "name.test:8000")])
    #expect(redirect.status == 307)
    #expect(redirect.header("location") == "https://name.test/x?a=1&b=%20")
    #expect(redirect.header("content-type") == "text/html; charset=UTF-8")
    #expect(redirect.text.contains("<title>307 Temporary Redirect</title>"))
    await redirecting.stop()
  }

  @Test("a route without service gets 503")
  func noService() async throws {
    let proxy = try await ProxyFixture.start(["routes": [Entities.route("r", service: nil, path: "/")]])
    let response = try proxy.get("/")
    #expect(response.status == 503)
    #expect(response.json["message"]?.string == "no Service found with those values")
    await proxy.stop()
  }

  @Test("a body that nobody reads is drained, so that the client gets its answer and the connection goes on")
  func unreadBody() async throws {
    let proxy = try await ProxyFixture.start()
    let connection = try proxy.connect()
    let body = [UInt8](repeating: 0x61, count: 300_000)
    #expect(try connection.exchange("POST", "/none", body: body).status == 404)
    #expect(try connection.exchange("GET", "/none").status == 404)
    await proxy.stop()
  }

  @Test("bodies beyond client_max_body_size get 413, announced or not")
  func bodyLimit() async throws {
    let upstream = try await ScriptedUpstream.start { _ in ok("") }
    let proxy = try await ProxyFixture.start(upstream: upstream.port) { $0.maximumBodySize = 10 }
    #expect(try proxy.connect().exchange("POST", "/", body: Array("0123456789".utf8)).status == 200)
    let announced = try proxy.connect().exchange("POST", "/", body: Array("0123456789a".utf8))
    #expect(announced.status == 413)
    #expect(announced.text.hasPrefix("Payload too large\n"))
    let chunked = try proxy.connect()
    try chunked.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n")
    #expect(try chunked.receiveResponse().status == 413)
    #expect(upstream.requests.count == 1)
    await proxy.stop()
  }
}
