import EntityModel
import GatewayTesting
import NIOCore
import PluginKit
import Testing

@testable import BundledPlugins

/// http-log against real servers: slow ones, some that refuse or drop, and some that come back.
@Suite("http-log")
struct HTTPLogTests {
  private static let accepted = UpstreamAct.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

  private func uris(_ requests: [ReceivedRequest]) -> [String] {
    requests.flatMap { request -> [JSONValue] in
      let document = (try? JSONValue(parsing: request.body)) ?? .null
      return document.array ?? [document]
    }.map { $0["request"]?["uri"]?.string ?? "?" }
  }

  private func targets(_ range: Range<Int>) -> [String] { range.map { "/\($0)" } }

  @Test("an entry arrives as its own JSON object, with the method, headers and credentials of the configuration")
  func singleEntry() async throws {
    let server = try await ScriptedUpstream.start { _ in Self.accepted }
    let rig = LogRig()
    let executor = try rig.executor(
      HTTPLog.definition,
      [
        "http_endpoint": .string("http://user:pa%20ss@127.0.0.1:\(server.port)/p/q?not=sent"), "method": "PUT",
        "content_type": "application/json; charset=utf-8", "headers": ["X-A": "b"],
        "custom_fields_by_lua": ["extra.path": "return kong.request.get_method()", "client_ip": "return nil"],
      ])
    try await rig.log(executor, ["/a?b=c"])
    #expect(try await rig.isEmpty())
    let request = try #require(server.requests.first)
    #expect(request.requestLine == "PUT /p/q HTTP/1.1")
    #expect(request.header("content-type") == "application/json; charset=utf-8")
    #expect(request.header("authorization") == "Basic dXNlcjpwYSUyMHNz")
    #expect(request.header("x-a") == "b")
    let entry = try JSONValue(parsing: request.body)
    #expect(entry["request"]?["uri"] == "/a?b=c")
    #expect(entry["response"]?["status"] == 200)
    #expect(entry["extra"]?["path"] == "GET")
    #expect(entry["client_ip"] == nil)
    await rig.end()
  }

  @Test("batches are JSON arrays, also with a single entry, and connections are kept")
  func batches() async throws {
    let server = try await ScriptedUpstream.start { _ in Self.accepted }
    let rig = LogRig()
    let executor = try rig.executor(
      HTTPLog.definition,
      [
        "http_endpoint": .string("http://127.0.0.1:\(server.port)"),
        "queue": ["max_batch_size": 10, "max_coalescing_delay": 0.05],
      ])
    try await rig.log(executor, targets(0..<21))
    #expect(try await rig.isEmpty())
    let requests = server.requests
    #expect(requests.map { (try? JSONValue(parsing: $0.body))?.array?.count } == [10, 10, 1])
    #expect(uris(requests) == targets(0..<21))
    #expect(server.connectionCount == 1)
    #expect(requests.allSatisfy { $0.requestLine == "POST / HTTP/1.1" })
    await rig.end()
  }

  @Test("nothing is lost while the server refuses connections, and everything arrives in order when it is back")
  func refusing() async throws {
    let socket = try RefusingSocket()
    let rig = LogRig()
    let executor = try rig.executor(
      HTTPLog.definition,
      ["http_endpoint": .string("http://127.0.0.1:\(socket.port)/"), "queue": ["max_retry_delay": 0.02]])
    try await rig.log(executor, targets(0..<60))
    #expect(await eventually { rig.log.warnings.count > 2 })
    #expect(try await rig.waiting() == 60)
    let server = try await ScriptedUpstream.start(boundSocket: socket.descriptor) { _ in Self.accepted }
    #expect(try await rig.isEmpty())
    #expect(uris(server.requests) == targets(0..<60))
    #expect(rig.log.errors.isEmpty)
    await rig.end()
  }

  @Test("a server that drops connections or answers with 300 and above gets the same entry again")
  func failing() async throws {
    let acts: [UpstreamAct] = [
      .close, .sendAndClose("HTTP/1.1 2"), .send("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"),
      .send("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"),
    ]
    let turn = Turn()
    let server = try await ScriptedUpstream.start { _ in
      let number = turn.next()
      return number < acts.count ? acts[number] : Self.accepted
    }
    let rig = LogRig()
    let executor = try rig.executor(
      HTTPLog.definition,
      ["http_endpoint": .string("http://127.0.0.1:\(server.port)/l"), "queue": ["max_retry_delay": 0.02]])
    try await rig.log(executor, targets(0..<3))
    #expect(try await rig.isEmpty())
    #expect(uris(server.requests) == ["/0", "/0", "/0", "/0", "/0", "/1", "/2"])
    #expect(
      rig.log.warnings.last
        == "[http-log] http://127.0.0.1:\(server.port)/l: handler could not process entries: request to "
        + "http://127.0.0.1:\(server.port)/l returned status code 503 and body busy")
    await rig.end()
  }

  @Test("a server that says nothing holds nobody up: entries wait up to the bound, and the newest of them arrive")
  func silent() async throws {
    let turn = Turn()
    let server = try await ScriptedUpstream.start { _ in turn.next() < 2 ? .silence : Self.accepted }
    let rig = LogRig()
    let executor = try rig.executor(
      HTTPLog.definition,
      [
        "http_endpoint": .string("http://127.0.0.1:\(server.port)/"), "timeout": 100,
        "queue": ["max_entries": 50, "max_batch_size": 50, "max_coalescing_delay": 0.01],
      ])
    try await rig.log(executor, targets(0..<1))
    #expect(await eventually { server.requests.count == 1 })
    // All of them are taken in one turn of the loop, while the server is silent.
    try await rig.log(executor, targets(1..<500))
    #expect(try await rig.waiting() == 50)
    #expect(try await rig.isEmpty())
    let arrived = uris(server.requests)
    #expect(arrived.suffix(50) == targets(450..<500)[...])
    #expect(rig.log.errors.count == 1)
    await rig.end()
  }

  @Test("entries are given up when max_retry_time is over, and the log tells how many")
  func givingUp() async throws {
    let rig = LogRig()
    let executor = try rig.executor(
      HTTPLog.definition,
      [
        "http_endpoint": .string("http://127.0.0.1:\(try refusingPort())/"),
        "queue": ["max_retry_time": 0.05, "max_batch_size": 5, "max_coalescing_delay": 0],
      ])
    try await rig.log(executor, targets(0..<5))
    #expect(try await rig.isEmpty())
    #expect(rig.log.errors.count == 1)
    #expect(rig.log.errors.first?.hasSuffix("max_retry_time exceeded, 5 queue entries were lost") == true)
    await rig.end()
  }

  @Test("a later configuration takes over the entries of the one before, with its own queue and headers")
  func swap() async throws {
    let socket = try RefusingSocket()
    let rig = LogRig()
    func config(_ token: JSONValue, _ size: JSONValue) -> JSONValue {
      [
        "http_endpoint": .string("http://127.0.0.1:\(socket.port)/"), "headers": ["X-Token": token],
        "queue": ["max_batch_size": size, "max_coalescing_delay": 0, "max_retry_delay": 0.02],
      ]
    }
    var executor: (any PluginExecutor)? = try rig.executor(HTTPLog.definition, config("old", 2))
    try await rig.log(executor!, targets(0..<6))
    executor = try rig.executor(HTTPLog.definition, config("new", 3))
    try await rig.log(executor!, targets(6..<8))
    executor = nil
    let server = try await ScriptedUpstream.start(boundSocket: socket.descriptor) { _ in Self.accepted }
    #expect(try await rig.isEmpty())
    #expect(uris(server.requests) == targets(0..<8))
    #expect(server.requests.allSatisfy { $0.header("x-token") == "new" })
    await rig.end()
  }

  @Test("at the end of the gateway a batch goes out without waiting for more")
  func end() async throws {
    let server = try await ScriptedUpstream.start { _ in Self.accepted }
    let rig = LogRig()
    let executor = try rig.executor(
      HTTPLog.definition,
      [
        "http_endpoint": .string("http://127.0.0.1:\(server.port)/"), "queue_size": 100, "flush_timeout": 3600,
      ])
    try await rig.log(executor, targets(0..<3))
    #expect(server.requests.isEmpty)
    await rig.end()
    #expect(uris(server.requests) == targets(0..<3))
    #expect(rig.log.errors.isEmpty)
  }

  @Test("an https server is verified with the trusted authorities, unless ssl_verify is off")
  func https() async throws {
    let server = try await ScriptedUpstream.start(prepare: ServerCertificate.serve) { _ in Self.accepted }
    let endpoint: JSONValue = .string("https://localhost:\(server.port)/")
    let queue: JSONValue = ["max_retry_time": 0]
    let rig = LogRig(trusted: try ServerCertificate.trusted())
    try await rig.log(
      try rig.executor(HTTPLog.definition, ["http_endpoint": endpoint, "queue": queue]), ["/verified"])
    #expect(try await rig.isEmpty())
    await rig.end()
    let other = LogRig()
    try await other.log(try other.executor(HTTPLog.definition, ["http_endpoint": endpoint, "queue": queue]), ["/no"])
    #expect(try await other.isEmpty())
    #expect(other.log.errors.first?.contains("CERTIFICATE_VERIFY_FAILED") == true)
    try await other.log(
      try other.executor(
        HTTPLog.definition, ["http_endpoint": endpoint, "queue": queue, "ssl_verify": false, "keepalive": 1]), ["/off"])
    #expect(try await other.isEmpty())
    await other.end()
    #expect(uris(server.requests) == ["/verified", "/off"])
  }

  @Test("what cannot be honoured is refused", arguments: [
    ["http_endpoint": "no url"], ["http_endpoint": "ftp://a/"], ["http_endpoint": "http://a:70000/"], [:],
    ["http_endpoint": "http://a/", "method": "GET"], ["http_endpoint": "http://a/", "headers": ["hOst": "b"]],
    ["http_endpoint": "http://a/", "headers": ["content-Length": "1"]],
    ["http_endpoint": "http://a/", "headers": ["X-A": "b\r\nX-B: c"]],
    ["http_endpoint": "http://u:p@a/", "headers": ["authorization": "x"]],
    ["http_endpoint": "http://a/", "timeout": -1], ["http_endpoint": "http://a/", "queue": ["max_entries": 0]],
    ["http_endpoint": "http://a/", "custom_fields_by_lua": ["a": "return ("]],
  ] as [JSONValue])
  func refusals(_ config: JSONValue) {
    #expect(throws: SchemaViolations.self) { try PluginTestBed.validated(HTTPLog.definition, config) }
  }

  @Test("a client certificate that does not exist is refused when the configuration is made ready")
  func missingCertificate() {
    #expect(throws: PluginCompileError.self) {
      try PluginTestBed.executor(
        HTTPLog.definition,
        [
          "http_endpoint": "https://a/", "client_certificate": ["id": "11111111-1111-4111-8111-111111111111"],
        ])
    }
  }
}
