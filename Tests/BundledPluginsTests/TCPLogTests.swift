import EntityModel
import GatewayTesting
import NIOCore
import NIOPosix
import Outbound
import PluginKit
import Testing

@testable import BundledPlugins

/// tcp-log against real servers.
@Suite("tcp-log")
struct TCPLogTests {
  private func uris(_ server: LineServer) -> [String] {
    server.lines.map { line in (try? JSONValue(parsing: line))?["request"]?["uri"]?.string ?? "? \(line)" }
  }

  private func targets(_ range: Range<Int>) -> [String] { range.map { "/\($0)" } }

  private func config(_ port: Int, _ further: [String: JSONValue] = [:]) -> JSONValue {
    .object(further.merging(["host": "127.0.0.1", "port": .integer(Int64(port))]) { given, _ in given })
  }

  @Test("each request is a line, over one connection that is kept")
  func lines() async throws {
    let server = try await LineServer.start()
    let rig = LogRig()
    let executor = try rig.executor(
      TCPLog.definition, config(server.port, ["custom_fields_by_lua": ["own": "return 1 + 1"]]))
    try await rig.log(executor, targets(0..<50))
    #expect(await eventually { server.lines.count == 50 })
    try await rig.log(executor, targets(50..<60))
    #expect(await eventually { server.lines.count == 60 })
    #expect(uris(server) == targets(0..<60))
    #expect(server.connectionCount == 1)
    #expect(try server.lines.first.map { try JSONValue(parsing: $0) }?["own"] == 2)
    await rig.end()
  }

  @Test("nothing is lost while connections are refused, and lines come in order when the server is there")
  func refusing() async throws {
    let socket = try RefusingSocket()
    let rig = LogRig()
    let executor = try rig.executor(TCPLog.definition, config(socket.port))
    try await rig.log(executor, targets(0..<100))
    #expect(await eventually { !rig.log.warnings.isEmpty })
    #expect(
      rig.log.warnings.first
        == "[tcp-log] 127.0.0.1:\(socket.port): handler could not process entries: cannot connect to "
        + "127.0.0.1:\(socket.port): Connection refused")
    let server = try await LineServer.start(boundSocket: socket.descriptor)
    #expect(await eventually { server.lines.count == 100 })
    #expect(uris(server) == targets(0..<100))
    await rig.end()
  }

  @Test("after the server has closed an idle connection the next line takes a new one")
  func dropping() async throws {
    let server = try await LineServer.start()
    let rig = LogRig()
    let executor = try rig.executor(TCPLog.definition, config(server.port))
    for round in 0..<5 {
      try await rig.log(executor, targets(round..<(round + 1)))
      #expect(await eventually { server.lines.count == round + 1 })
      await server.dropConnections()
      #expect(await eventually { !rig.hasIdleConnections })
    }
    #expect(uris(server) == targets(0..<5))
    #expect(server.connectionCount == 5)
    #expect(rig.log.warnings.isEmpty)
    await rig.end()
  }

  @Test("a server that reads nothing holds nobody up: lines wait up to the bound, the oldest give way")
  func slow() async throws {
    let server = try await LineServer.start(reads: false)
    let client = SharedTCPClient(group: MultiThreadedEventLoopGroup.singleton)
    let log = RecordingLog()
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let address = OutboundTCPServer(host: "127.0.0.1", port: server.port)
    let delivery = LogDelivery(label: "server") { entries, loop in client.send(entries[0], to: address, on: loop) }
    var parameters = LogQueueParameters()
    parameters.maxEntries = 100
    let bounds = parameters
    // More than the sockets' buffers hold, and then ten times the bound in one turn of the loop.
    let left = try await loop.flatSubmit { () -> EventLoopFuture<Int> in
      let queue = LogQueue(plugin: "tcp-log", delivery: delivery, logger: log.logger, on: loop) {}
      for _ in 0..<32 { queue.enqueue(ByteBuffer(repeating: 120, count: 1 << 20), bounds, delivery, log.logger) }
      let bound = NIOLoopBound(queue, eventLoop: loop)
      return loop.flatSubmit {
        let queue = bound.value
        for _ in 0..<1000 { queue.enqueue(ByteBuffer(string: "short"), bounds, delivery, log.logger) }
        let count = queue.count
        return queue.finish(by: .now()).map { count }
      }
    }.get()
    #expect(left == 100)
    #expect(log.errors == [
      "[tcp-log] server: queue full, dropping old entries until processing is successful again",
      "[tcp-log] server: the gateway ends, 100 queue entries were lost",
    ])
  }

  @Test("with tls the server is verified by its name, or by tls_sni")
  func tls() async throws {
    let server = try await LineServer.start(prepare: ServerCertificate.serve)
    let rig = LogRig(trusted: try ServerCertificate.trusted())
    for (number, further) in [
      ["host": "localhost"], ["host": "127.0.0.1", "tls_sni": "log.test"],
    ].enumerated() {
      let executor = try rig.executor(
        TCPLog.definition, config(server.port, further.mapValues { .string($0) }.merging(["tls": true]) { $1 }))
      try await rig.log(executor, ["/\(number)"])
      #expect(await eventually { server.lines.count == number + 1 })
    }
    #expect(uris(server) == targets(0..<2))
    let wrongName = try rig.executor(
      TCPLog.definition, config(server.port, ["tls": true, "tls_sni": "other.test"]))
    try await rig.log(wrongName, ["/no"])
    #expect(await eventually { rig.log.warnings.last?.contains("TLS handshake failed") == true })
    let distrusting = LogRig()
    try await distrusting.log(
      try distrusting.executor(TCPLog.definition, config(server.port, ["tls": true, "host": "localhost"])), ["/no"])
    #expect(await eventually { distrusting.log.warnings.last?.contains("CERTIFICATE_VERIFY_FAILED") == true })
    try await distrusting.log(
      try distrusting.executor(
        TCPLog.definition, config(server.port, ["tls": true, "host": "localhost", "ssl_verify": false])), ["/off"])
    #expect(await eventually { server.lines.count == 3 })
    #expect(uris(server).last == "/off")
    for rig in [rig, distrusting] { await rig.services.lifetime.end(by: .now()) }
  }

  @Test("a server that never answers the handshake is a timeout")
  func silentHandshake() async throws {
    let server = try await LineServer.start()
    let rig = LogRig()
    let executor = try rig.executor(TCPLog.definition, config(server.port, ["tls": true, "timeout": 50]))
    try await rig.log(executor, ["/"])
    #expect(await eventually { rig.log.warnings.first?.contains("timeout connecting to") == true })
    await rig.services.lifetime.end(by: .now())
  }

  @Test("what names no server is refused", arguments: [
    [:], ["host": "a"], ["host": "a b", "port": 1], ["host": "a", "port": 70000],
    ["host": "a", "port": 1, "timeout": "x"], ["host": "a", "port": 1, "keepalive": -1],
  ] as [JSONValue])
  func refusals(_ config: JSONValue) {
    #expect(throws: SchemaViolations.self) { try PluginTestBed.validated(TCPLog.definition, config) }
  }
}
