import EntityModel
import GatewayTesting
import NIOCore
import PluginKit
import Testing

@testable import Proxy

@Suite("Proxying") struct ProxyingTests {
  @Test("a request reaches the upstream with our own forwarding headers and the answer comes back with ours")
  func plainRequest() async throws {
    let upstream = try await ScriptedUpstream.start { _ in ok("hello", headers: "X-Up: 1\r\n") }
    let proxy = try await ProxyFixture.start(
      upstream: upstream.port, route: ["paths": ["/p"], "strip_path": true], plugins: [])
    let response = try proxy.get(
      "/p/x?a=1&b",
      headers: [
        ("Host", "NAME.Test:4321"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "1.2.3.4"),
        ("X-Forwarded-For", "5.6.7.8"), ("X-Real-IP", "9.9.9.9"), ("X-Kong-Request-Id", "mine"),
        ("Proxy", "evil"), ("TE", "deflate, trailers"), ("Via", "1.0 before"), ("Keep-Alive", "timeout=5"),
      ])
    #expect(response.status == 200)
    #expect(response.text == "hello")
    #expect(response.header("X-Up") == "1")
    #expect(response.header("Via") == "1.1 kong/3.15.0.0-enterprise-edition")
    #expect(response.header("Server") == "kong/3.15.0.0-enterprise-edition")
    #expect(response.header("X-Kong-Proxy-Latency").flatMap { Int($0) } != nil)
    #expect(response.header("X-Kong-Upstream-Latency").flatMap { Int($0) } != nil)
    let request = try #require(upstream.requests.first)
    #expect(request.requestLine == "GET /x?a=1&b HTTP/1.1")
    #expect(request.values("host") == ["127.0.0.1:\(upstream.port)"])
    #expect(request.values("x-forwarded-for") == ["1.2.3.4, 127.0.0.1"])
    #expect(request.values("x-forwarded-proto") == ["http"])
    #expect(request.values("x-forwarded-host") == ["name.test"])
    #expect(request.values("x-forwarded-port") == ["\(proxy.port)"])
    #expect(request.values("x-forwarded-path") == ["/p/x"])
    #expect(request.values("x-forwarded-prefix") == ["/p"])
    #expect(request.values("x-real-ip") == ["127.0.0.1"])
    #expect(request.values("te") == ["trailers"])
    #expect(request.values("via") == ["1.0 before, 1.1 kong/3.15.0.0-enterprise-edition"])
    #expect(request.values("connection") == ["keep-alive"])
    #expect(request.values("proxy").isEmpty && request.values("keep-alive").isEmpty)
    let identifier = try #require(request.header("x-kong-request-id"))
    #expect(identifier.count == 32)
    #expect(response.header("X-Kong-Request-Id") == identifier)
    await proxy.stop()
  }

  @Test("a route that preserves the host sends it as the client did")
  func preserveHost() async throws {
    let upstream = try await ScriptedUpstream.start { _ in ok("") }
    let proxy = try await ProxyFixture.start(upstream: upstream.port, route: ["preserve_host": true])
    _ = try proxy.get("/", headers: [("Host", "NAME.Test:4321")])
    #expect(upstream.requests.first?.values("host") == ["NAME.Test:4321"])
    await proxy.stop()
  }

  @Test("what trusted peers forward is kept, and the client's address is taken from them")
  func trustedPeer() async throws {
    let upstream = try await ScriptedUpstream.start { _ in ok("") }
    let node = NodeInfo(id: "n", hostname: "h", trustedIPs: [CIDRBlock("127.0.0.0/8")].compactMap { $0 })
    let proxy = try await ProxyFixture.start(upstream: upstream.port, node: node)
    _ = try proxy.get(
      "/",
      headers: [
        ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "out.test"), ("X-Forwarded-Port", "444"),
        ("X-Forwarded-Path", "/out"), ("X-Forwarded-Prefix", "/pre"), ("X-Real-IP", "10.1.2.3"),
      ])
    let request = try #require(upstream.requests.first)
    #expect(request.header("x-forwarded-proto") == "https")
    #expect(request.header("x-forwarded-host") == "out.test")
    #expect(request.header("x-forwarded-port") == "444")
    #expect(request.header("x-forwarded-path") == "/out")
    #expect(request.header("x-forwarded-prefix") == "/pre")
    #expect(request.header("x-real-ip") == "10.1.2.3")
    #expect(request.header("x-forwarded-for") == "10.1.2.3")
    await proxy.stop()
  }

  @Test("a Connection header cannot take away framing and routing, only what may be dropped")
  func connectionNamesFields() async throws {
    let upstream = try await ScriptedUpstream.start { _ in ok("") }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    let response = try connection.exchange(
      "POST", "/",
      headers: [("Connection", "Content-Length, Host, X-Forwarded-For, X-Drop, keep-alive"), ("X-Drop", "1")],
      body: Array("12345".utf8))
    #expect(response.status == 200)
    let request = try #require(upstream.requests.first)
    #expect(request.text == "12345")
    #expect(request.values("content-length") == ["5"])
    #expect(request.values("host") == ["127.0.0.1:\(upstream.port)"])
    #expect(request.values("x-forwarded-for") == ["127.0.0.1"])
    #expect(request.values("x-drop").isEmpty)
    await proxy.stop()
  }

  @Test("connections are kept on both sides")
  func keepAlive() async throws {
    let upstream = try await ScriptedUpstream.start { _ in ok("x") }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    for index in 0..<5 { #expect(try connection.exchange("GET", "/\(index)").text == "x") }
    #expect(upstream.connectionCount == 1)
    #expect(upstream.requests.count == 5)
    await proxy.stop()
  }

  @Test("requests sent in one go are answered in order")
  func pipelining() async throws {
    let upstream = try await ScriptedUpstream.start { ok($0.requestLine) }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    let head = "Host: a\r\n\r\n"
    try connection.send(
      "GET /1 HTTP/1.1\r\n\(head)POST /2 HTTP/1.1\r\nContent-Length: 3\r\n\(head)abcGET /3 HTTP/1.1\r\n\(head)")
    #expect(try connection.receiveResponse().text == "GET /1 HTTP/1.1")
    #expect(try connection.receiveResponse().text == "POST /2 HTTP/1.1")
    #expect(try connection.receiveResponse().text == "GET /3 HTTP/1.1")
    #expect(upstream.requests.map(\.text) == ["", "abc", ""])
    await proxy.stop()
  }

  @Test("a large body streams both ways unchanged")
  func largeBody() async throws {
    let upstream = try await ScriptedUpstream.start { request in
      .sendPieces([
        Array("HTTP/1.1 200 OK\r\nContent-Length: \(request.body.count)\r\n\r\n".utf8), request.body,
      ])
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    let response = try proxy.connect().exchange("PUT", "/", body: body)
    #expect(response.status == 200)
    #expect(response.body == body)
    await proxy.stop()
  }

  @Test("a chunked request arrives whole, its chunks made anew")
  func chunkedRequest() async throws {
    let upstream = try await ScriptedUpstream.start { ok($0.text) }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    try connection.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\nT: x\r\n\r\n"
    )
    #expect(try connection.receiveResponse().text == "hello, world")
    #expect(upstream.requests.first?.values("content-length") == ["12"])
    let piece = String(repeating: "0123456789abcdef", count: 4096)
    try connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in 0..<5 { try connection.send("10000\r\n\(piece)\r\n") }
    try connection.send("0\r\n\r\n")
    #expect(try connection.receiveResponse().text == String(repeating: piece, count: 5))
    #expect(upstream.requests.last?.isChunked == true)
    #expect(try connection.exchange("GET", "/again").status == 200)
    await proxy.stop()
  }

  @Test("a response without length ends for new clients with a chunk, for old ones with the connection")
  func closeDelimitedResponse() async throws {
    let upstream = try await ScriptedUpstream.start { _ in
      .sendAndClose("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nsome text")
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let new = try proxy.get("/")
    #expect(new.text == "some text")
    #expect(new.header("transfer-encoding") == "chunked")
    #expect(new.header("content-type") == "text/plain; charset=UTF-8")
    let old = try proxy.connect()
    try old.send("GET / HTTP/1.0\r\n\r\n")
    let text = try old.receiveAll()
    #expect(text.hasSuffix("\r\n\r\nsome text"))
    #expect(!text.lowercased().contains("transfer-encoding"))
    await proxy.stop()
  }

  @Test("a chunked response is passed on in chunks")
  func chunkedResponse() async throws {
    let upstream = try await ScriptedUpstream.start { _ in
      .sendPieces(
        ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "c\r\n", "2\r\nde\r\n0\r\n", "\r\n"].map {
          Array($0.utf8)
        })
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    #expect(try connection.exchange("GET", "/").text == "abcde")
    #expect(try connection.exchange("GET", "/").text == "abcde")
    #expect(upstream.connectionCount == 1)
    await proxy.stop()
  }

  @Test("HEAD, 204 and 304 have no body, and the connection goes on", arguments: [204, 304, 200])
  func bodyless(status: Int) async throws {
    let upstream = try await ScriptedUpstream.start { request in
      .send("HTTP/1.1 \(status) X\r\n\(status == 204 ? "" : "Content-Length: 5\r\n")ETag: \"e\"\r\n\r\n")
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    let method = status == 200 ? "HEAD" : "GET"
    for _ in 0..<2 {
      try connection.send("\(method) / HTTP/1.1\r\nHost: a\r\n\r\n")
      let response = try connection.receiveResponse(toHead: true)
      #expect(response.status == status)
      #expect(response.body.isEmpty)
      #expect(response.header("etag") == "\"e\"")
      if status == 200 { #expect(response.header("content-length") == "5") }
    }
    #expect(upstream.connectionCount == 1)
    await proxy.stop()
  }

  @Test("a client that waits for 100 Continue gets it")
  func expectContinue() async throws {
    let upstream = try await ScriptedUpstream.start { ok($0.text) }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    try connection.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    #expect(String(decoding: try connection.receive(), as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
    try connection.send("hello")
    #expect(try connection.receiveResponse().text == "hello")
    #expect(upstream.requests.first?.header("expect") == nil)
    await proxy.stop()
  }

  @Test("interim responses of the upstream are left out")
  func interimResponse() async throws {
    let upstream = try await ScriptedUpstream.start { _ in
      .send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    try connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(String(decoding: try connection.receive(), as: UTF8.self).hasPrefix("HTTP/1.1 200 OK\r\n"))
    await proxy.stop()
  }

  @Test("an upstream that answers before the upload ends is heard and not used again")
  func earlyAnswer() async throws {
    let upstream = try await ScriptedUpstream.start(answersAtHead: { head in
      head.hasPrefix("POST") ? .send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno") : nil
    }) { _ in ok("fine") }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    try connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
    let response = try connection.receiveResponse()
    #expect(response.status == 413)
    #expect(response.text == "no")
    try connection.send("67890")
    #expect(try connection.exchange("GET", "/").text == "fine")
    #expect(upstream.connectionCount == 2)
    await proxy.stop()
  }

  @Test("bytes pass both ways after an upgrade")
  func upgrade() async throws {
    let upstream = try await ScriptedUpstream.start { request in
      request.head.contains("Upgrade: websocket")
        ? .send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst")
        : .sendAndClose(request.requestLine)
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try proxy.connect()
    try connection.send(
      "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n")
    var text = ""
    while !text.contains("first") { text += String(decoding: try connection.receive(), as: UTF8.self) }
    #expect(text.hasPrefix("HTTP/1.1 101 "))
    #expect(text.lowercased().contains("upgrade: websocket"))
    #expect(upstream.requests.first?.header("sec-websocket-key") == "k")
    try connection.send("raw frame\r\n\r\n")
    #expect(try connection.receiveAll() == "raw frame")
    await proxy.stop()
  }

  @Test("draining lets the request at work end, says so in its answer, and closes")
  func gracefulDrain() async throws {
    let upstream = try await ScriptedUpstream.start { ok($0.text) }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    // Draining starts when a thread is free, which takes its time beside many other tests.
    let working = try SocketConnection(port: proxy.port, timeout: 60)
    try working.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
    while proxy.server.statistics.map(\.requests).reduce(0, +) == 0 { await Task.yield() }
    let idle = try SocketConnection(port: proxy.port, timeout: 60)
    async let drained: Void = proxy.server.drain(timeout: .seconds(10))
    #expect(try idle.receiveAll() == "")
    try working.send("cd")
    let response = try working.receiveResponse()
    #expect(response.text == "abcd")
    #expect(response.header("connection") == "close")
    #expect(try working.receiveAll() == "")
    await drained
  }

  @Test("a client that sends faster than the upstream reads is held back")
  func backPressure() async throws {
    let upstream = try await ScriptedUpstream.start(reads: false) { _ in .silence }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let connection = try SocketConnection(port: proxy.port, timeout: 1)
    let piece = [UInt8](repeating: 0x61, count: 1 << 20)
    try connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(piece.count * 256)\r\n\r\n")
    var sent = 0
    while sent < 256, (try? connection.send(piece)) != nil { sent += 1 }
    #expect(sent < 128, "what nobody takes fills the sockets' buffers and no more")
    await proxy.stop()
  }

  @Test("what plugins set cannot end a line of the request")
  func injection() async throws {
    let plugin = TestPlugin("injecting", phases: [.access, .headerFilter]) { phase, context in
      if phase == .headerFilter {
        context.response.headers.set("X-Out", "a\r\nX-Evil: 1")
      } else {
        context.requestHeaders.set("X-In", "a\r\nX-Evil: 1")
        context.upstream.path = Array("/a b\r\nX-Evil: 1".utf8)
      }
      return .finished
    }
    let upstream = try await ScriptedUpstream.start { _ in ok("") }
    let proxy = try await ProxyFixture.start(upstream: upstream.port, plugins: [plugin])
    let response = try proxy.get("/")
    #expect(response.header("x-evil") == nil)
    #expect(response.header("x-out") == "a%0D%0AX-Evil: 1")
    let request = try #require(upstream.requests.first)
    #expect(request.requestLine == "GET /a%20b%0D%0AX-Evil:%201 HTTP/1.1")
    #expect(request.header("x-evil") == nil)
    await proxy.stop()
  }

  @Test("draining gives up on what does not end in time")
  func drain() async throws {
    let upstream = try await ScriptedUpstream.start { _ in .silence }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    let idle = try proxy.connect()
    #expect(try idle.exchange("GET", "/../").status == 400)
    let working = try proxy.connect()
    try working.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    while upstream.requests.isEmpty { await Task.yield() }
    #expect(proxy.server.statistics.map(\.active).reduce(0, +) >= 1)
    await proxy.server.drain(timeout: .milliseconds(50))
    #expect(try working.receiveAll() == "")
    #expect(proxy.server.statistics.map(\.active).reduce(0, +) == 0)
    #expect(throws: SocketError.self) { try proxy.connect() }
  }
}
