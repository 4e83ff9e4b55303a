import EntityModel
import GatewayTesting
import NIOCore
import PluginKit
import Synchronization
import Testing

@testable import Proxy

/// What plugins of a test did, in order.
final class Journal: Sendable {
  private let lines = Mutex<[String]>([])
  func note(_ line: String) { lines.withLock { $0.append(line) } }
  var entries: [String] { lines.withLock { $0 } }

  /// Waits until there are as many lines, letting other tasks run.
  func wait(for count: Int) async {
    while entries.count < count { await Task.yield() }
  }
}

@Suite("Plugins on the request's way") struct PluginPipelineTests {
  private static func tracer(
    _ name: String, priority: Int, _ journal: Journal, phases: [Phase] = [.access, .headerFilter, .bodyFilter, .log],
    condition: String? = nil
  ) -> TestPlugin {
    TestPlugin(name, priority: priority, phases: phases, condition: condition) { phase, context in
      if phase != .bodyFilter || context.response.isLastChunk { journal.note("\(name) \(phase.name)") }
      return .finished
    }
  }

  @Test("phases run in order, and within a phase by priority")
  func order() async throws {
    let journal = Journal()
    let upstream = try await ScriptedUpstream.start { _ in ok("body") }
    let proxy = try await ProxyFixture.start(
      upstream: upstream.port,
      plugins: [
        Self.tracer("low", priority: 1, journal), Self.tracer("high", priority: 9, journal),
        Self.tracer("first", priority: 5, journal, phases: [.rewrite]),
      ])
    #expect(try proxy.get("/").text == "body")
    await journal.wait(for: 9)
    #expect(
      journal.entries == [
        "first rewrite", "high access", "low access", "high header_filter", "low header_filter", "high body_filter",
        "low body_filter", "high log", "low log",
      ])
    await proxy.stop()
  }

  @Test("an early answer skips the access of later plugins but not their filters and log")
  func earlyExit() async throws {
    let journal = Journal()
    let exit = TestPlugin("exit", priority: 5, phases: [.access]) { _, context in
      context.earlyResponse = EarlyResponse(
        status: 201, body: ByteBuffer(string: "made"), headers: [("Content-Type", "text/plain"), ("X-Exit", "1")])
      return .finished
    }
    let proxy = try await ProxyFixture.start(
      upstream: 1, plugins: [exit, Self.tracer("late", priority: 1, journal)])
    let connection = try proxy.connect()
    let response = try connection.exchange("POST", "/", body: Array("unread".utf8))
    #expect(response.status == 201)
    #expect(response.text == "made")
    #expect(response.header("content-length") == "4")
    #expect(response.header("x-exit") == "1")
    #expect(response.header("via") == nil)
    await journal.wait(for: 3)
    #expect(journal.entries == ["late header_filter", "late body_filter", "late log"])
    #expect(try connection.exchange("HEAD", "/").status == 201)
    await proxy.stop()
  }

  @Test("a plugin that waits lets other requests through and goes on later")
  func suspension() async throws {
    let waiter = TestPlugin("waiter", priority: 5, phases: [.access, .rewrite]) { phase, context in
      guard context.requestHeaders.contains("x-wait") else { return .finished }
      context.driver.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(20)) {
        context.requestHeaders.add("X-Waited", phase.name)
        context.resume(.finished)
      }
      return .suspended
    }
    let upstream = try await ScriptedUpstream.start { ok($0.values("x-waited").joined(separator: ",")) }
    let proxy = try await ProxyFixture.start(upstream: upstream.port, plugins: [waiter])
    let slow = try proxy.connect()
    try slow.send("GET / HTTP/1.1\r\nHost: a\r\nX-Wait: 1\r\n\r\n")
    #expect(try proxy.get("/").text == "")
    #expect(try slow.receiveResponse().text == "rewrite,access")
    await proxy.stop()
  }

  @Test("a plugin reads the whole body and replaces it; later plugins and the upstream see the new one")
  func replaceBody() async throws {
    let replace = TestPlugin("replace", priority: 5, phases: [.access]) { _, context in
      var isDone = false
      var isInside = true
      context.driver.readRequestBody(context) { _ in
        let text = context.requestBody.bytes.map { String(buffer: $0) } ?? ""
        context.requestBody = .replaced(ByteBuffer(string: text.replacing("sea", with: "pelican")))
        isDone = true
        if !isInside { context.resume(.finished) }
      }
      isInside = false
      return isDone ? .finished : .suspended
    }
    let later = TestPlugin("later", priority: 1, phases: [.access]) { _, context in
      context.requestHeaders.add("X-Later", context.requestBody.bytes.map { String(buffer: $0) } ?? "none")
      return .finished
    }
    let upstream = try await ScriptedUpstream.start { ok($0.text, headers: "X-Saw: \($0.header("x-later") ?? "")\r\n") }
    let proxy = try await ProxyFixture.start(upstream: upstream.port, plugins: [replace, later])
    let connection = try proxy.connect()
    let whole = try connection.exchange("POST", "/", body: Array("the sea shore".utf8))
    #expect(whole.text == "the pelican shore")
    #expect(whole.header("x-saw") == "the pelican shore")
    #expect(upstream.requests.last?.values("content-length") == ["17"])
    // The body comes later than the head, and in chunks.
    try connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    try connection.send("4\r\na se\r\n")
    try connection.send("1\r\na\r\n0\r\n\r\n")
    #expect(try connection.receiveResponse().text == "a pelican")
    #expect(upstream.requests.last?.isChunked == false)
    #expect(try connection.exchange("GET", "/").text == "")
    await proxy.stop()
  }

  @Test("header_filter and body_filter change the response, whose length follows")
  func filters() async throws {
    let filter = TestPlugin("filter", phases: [.headerFilter, .bodyFilter]) { phase, context in
      if phase == .headerFilter {
        context.response.headers.set("X-Filtered", "yes")
        context.response.headers.remove("X-Up")
        context.response.status = 202
      } else if let chunk = context.response.chunk {
        context.response.chunk = ByteBuffer(string: String(buffer: chunk).uppercased())
        if context.response.isLastChunk { context.response.chunk?.writeString("!") }
      }
      return .finished
    }
    let upstream = try await ScriptedUpstream.start { request in
      request.requestLine.contains("slow")
        ? .sendPieces(["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", "abc", "def"].map { Array($0.utf8) })
        : ok("hello", headers: "X-Up: 1\r\n")
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port, plugins: [filter])
    let connection = try proxy.connect()
    let response = try connection.exchange("GET", "/")
    #expect(response.status == 202)
    #expect(response.text == "HELLO!")
    #expect(response.header("x-filtered") == "yes" && response.header("x-up") == nil)
    #expect(try connection.exchange("GET", "/slow").text == "ABCDEF!")
    #expect(try connection.exchange("HEAD", "/").status == 202)
    #expect(try connection.exchange("GET", "/").text == "HELLO!")
    await proxy.stop()
  }

  @Test("a plugin that ends the body in body_filter has the last word")
  func endedBody() async throws {
    let journal = Journal()
    let filter = TestPlugin("filter", phases: [.bodyFilter]) { _, context in
      journal.note("called")
      context.response.chunk = ByteBuffer(string: "cut")
      context.response.isLastChunk = true
      return .finished
    }
    let upstream = try await ScriptedUpstream.start { _ in
      .sendPieces(["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", "abc", "def"].map { Array($0.utf8) })
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port, plugins: [filter])
    let connection = try proxy.connect()
    #expect(try connection.exchange("GET", "/").text == "cut")
    #expect(journal.entries == ["called"])
    #expect(try connection.exchange("GET", "/").text == "cut")
    await proxy.stop()
  }

  @Test("a failing plugin is 500 in access and in header_filter", arguments: [Phase.access, .headerFilter, .rewrite])
  func failure(phase: Phase) async throws {
    let journal = Journal()
    let failing = TestPlugin("failing", priority: 5, phases: [phase]) { _, _ in .failed }
    let upstream = try await ScriptedUpstream.start { _ in ok("never") }
    let proxy = try await ProxyFixture.start(
      upstream: upstream.port, plugins: [failing, Self.tracer("log", priority: 1, journal, phases: [.log])])
    let connection = try proxy.connect()
    for _ in 0..<2 {
      let response = try connection.exchange("GET", "/")
      #expect(response.status == 500)
      #expect(response.json["message"]?.string == "An unexpected error occurred")
    }
    await journal.wait(for: 2)
    #expect(journal.entries == ["log log", "log log"])
    await proxy.stop()
  }

  @Test("a condition decides before access, and takes the later phases with it")
  func condition() async throws {
    let journal = Journal()
    let upstream = try await ScriptedUpstream.start { _ in ok("") }
    let proxy = try await ProxyFixture.start(
      upstream: upstream.port,
      plugins: [
        Self.tracer(
          "picky", priority: 5, journal, phases: [.rewrite, .access, .log],
          condition: "!http.path.contains(\"skip\")")
      ])
    _ = try proxy.get("/skip")
    _ = try proxy.get("/run")
    await journal.wait(for: 4)
    #expect(journal.entries == ["picky rewrite", "picky rewrite", "picky access", "picky log"])
    await proxy.stop()
  }

  @Test("a condition that cannot be evaluated is 500")
  func conditionError() async throws {
    let journal = Journal()
    let proxy = try await ProxyFixture.start(
      upstream: 1,
      plugins: [Self.tracer("broken", priority: 5, journal, condition: "kong.ctx.shared.nothing == \"x\"")])
    let response = try proxy.get("/")
    #expect(response.status == 500)
    #expect(response.json["message"]?.string == "An unexpected error occurred")
    #expect(journal.entries.isEmpty)
    await proxy.stop()
  }

  @Test("without a route the filters and log of global plugins run")
  func noRoute() async throws {
    let journal = Journal()
    let plugin = Self.tracer("global", priority: 5, journal)
    let proxy = try await ProxyFixture.start(
      ["plugins": [["id": "p", "name": "global", "config": [:]]]], plugins: [plugin.definition])
    #expect(try proxy.get("/").status == 404)
    await journal.wait(for: 3)
    #expect(journal.entries == ["global header_filter", "global body_filter", "global log"])
    await proxy.stop()
  }

  @Test("the response phase sees and changes the whole upstream response")
  func responsePhase() async throws {
    let buffered = TestPlugin("buffered", phases: [.response]) { _, context in
      let body = context.response.bufferedBody.map { String(buffer: $0) } ?? ""
      context.response.bufferedBody = ByteBuffer(string: "[\(body)]")
      context.response.headers.set("X-Length", "\(body.utf8.count)")
      return .finished
    }
    let upstream = try await ScriptedUpstream.start { _ in
      .sendPieces(
        ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "2\r\nde\r\n0\r\n\r\n"].map {
          Array($0.utf8)
        })
    }
    let proxy = try await ProxyFixture.start(upstream: upstream.port, plugins: [buffered])
    let connection = try proxy.connect()
    for _ in 0..<2 {
      let response = try connection.exchange("GET", "/")
      #expect(response.text == "[abcde]")
      #expect(response.header("x-length") == "5")
      #expect(response.header("content-length") == "7")
    }
    await proxy.stop()
  }

  @Test("log runs exactly once when the client leaves while a plugin waits or the upstream is silent")
  func clientAbort() async throws {
    let journal = Journal()
    let waiter = TestPlugin("waiter", priority: 5, phases: [.access, .log]) { phase, context in
      if phase == .log {
        journal.note("log \(context.response.status)")
        return .finished
      }
      guard context.requestHeaders.contains("x-wait") else {
        journal.note("access")
        return .finished
      }
      context.driver.readRequestBody(context) { result in
        if case .failure(.clientClosed) = result { journal.note("gone") }
        context.resume(.finished)
      }
      journal.note("access")
      return .suspended
    }
    let upstream = try await ScriptedUpstream.start { _ in .silence }
    let proxy = try await ProxyFixture.start(upstream: upstream.port, plugins: [waiter])
    var connection: SocketConnection? = try proxy.connect()
    try connection?.send("POST / HTTP/1.1\r\nHost: a\r\nX-Wait: 1\r\nContent-Length: 5\r\n\r\nab")
    await journal.wait(for: 1)
    connection = nil
    await journal.wait(for: 3)
    #expect(journal.entries == ["access", "gone", "log 499"])
    connection = try proxy.connect()
    try connection?.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    while upstream.requests.isEmpty { await Task.yield() }
    connection = nil
    await journal.wait(for: 5)
    #expect(journal.entries.suffix(2) == ["access", "log 499"])
    await proxy.stop()
    #expect(journal.entries.count == 5)
  }

  @Test("a snapshot that one loop cannot prepare is refused on all")
  func refusedSwap() async throws {
    struct Unready: PluginImplementation, PluginExecutor {
      var phases: PhaseSet { PhaseSet(.access) }
      func makeExecutor(for instance: PluginInstance) throws(PluginCompileError) -> any PluginExecutor { self }
      func prepare(on loop: LoopServices) throws(PluginCompileError) {
        throw PluginCompileError(plugin: "unready", reason: "no")
      }
      func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome { .failed }
    }
    let definition = PluginDefinition(
      description: PluginDescription(
        name: "unready", origin: .bundled, priority: 1, version: "1",
        schema: PluginSchema(name: "unready", fields: [])),
      phases: PhaseSet(.access), implementation: Unready())
    let upstream = try await ScriptedUpstream.start { _ in ok("still here") }
    let proxy = try await ProxyFixture.start(upstream: upstream.port)
    await #expect(throws: SnapshotCompileError.self) {
      try await proxy.load(["plugins": [["id": "p", "name": "unready", "config": [:]]]], plugins: [definition])
    }
    #expect(try proxy.get("/").text == "still here")
    await proxy.stop()
  }

  @Test("a swap changes the next request and leaves those at work with what they began with")
  func swap() async throws {
    let upstream = try await ScriptedUpstream.start(answersAtHead: { _ in nil }) { ok($0.requestLine) }
    let journal = Journal()
    let proxy = try await ProxyFixture.start(
      upstream: upstream.port, plugins: [Self.tracer("old", priority: 1, journal, phases: [.log])])
    let connection = try proxy.connect()
    try connection.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
    while proxy.server.statistics.map(\.requests).reduce(0, +) == 0 { await Task.yield() }
    try await proxy.load([:])
    try connection.send("ok")
    #expect(try connection.receiveResponse().status == 200)
    #expect(try connection.exchange("GET", "/a").status == 404)
    await journal.wait(for: 1)
    #expect(journal.entries == ["old log"])
    await proxy.stop()
  }
}
