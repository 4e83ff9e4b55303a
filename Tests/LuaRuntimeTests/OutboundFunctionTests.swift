import EpollTransport
import NIOCore
import NIOPosix
import NIOSSL
import PluginKit
import Synchronization
import Testing

@testable import LuaRuntime

/// Caches, references, names, and sockets with TLS and pools over a real server.
struct OutboundFunctionTests {
  @Test("a cache calls back once, remembers what is missing, and forgets on demand")
  func cache() throws {
    #expect(
      try LuaFixture(sandbox: .lax).answers(
        """
        local calls = 0
        local function make(v) calls = calls + 1 return v end
        local a, e, level = kong.cache:get("k", nil, make, {x = 1})
        local b, _, again = kong.cache:get("k", nil, make, 2)
        local none = kong.cache:get("none", {neg_ttl = 10}, make)
        kong.cache:get("none", {neg_ttl = 10}, make)
        local ttl, _, probed = kong.cache:probe("k")
        kong.cache:invalidate("k")
        local c, _, third = kong.cache:get("k", {ttl = 5}, make, 3)
        answer(a, level, b, again, none, calls, ttl, probed, c, third, kong.cache:probe("absent"),
          (pcall(kong.cache.get, kong.cache, 1)), (pcall(kong.cache.get, kong.cache, "k", {ttl = -1}, make)))
        """) == [
          "{x=1}", "3", "{x=1}", "1", "nil", "3", "-1", "{x=1}", "3", "3", "nil", "false", "false",
        ])
  }

  @Test("a stale value comes back when it cannot be made anew, and errors are told")
  func resurrection() throws {
    #expect(
      try LuaFixture(sandbox: .lax).answers(
        """
        kong.cache:get("k", {ttl = 0.001, resurrect_ttl = 10}, function() return "old" end)
        local start = ngx.now() while ngx.now() - start < 0.01 do end
        local v, e, level = kong.cache:get("k", {ttl = 1, resurrect_ttl = 10}, function() return nil, "down" end)
        local n, e2 = kong.cache:get("other", nil, function() error("oh") end)
        answer(v, level, n, (e2:match("callback threw an error")))
        """) == ["\"old\"", "4", "nil", "\"callback threw an error\""])
  }

  @Test("references name variables of the environment, but no settings of the gateway")
  func vault() throws {
    #expect(
      try LuaFixture(sandbox: .lax).answers(
        """
        local parsed = kong.vault.parse_reference("{vault://env/a-b/c/key?prefix=X_#2}")
        answer(kong.vault.is_reference("{vault://env/x}"), parsed.resource, parsed.key, parsed.version, parsed.config,
          kong.vault.get("{vault://env/path}") == nil, (kong.vault.get("{vault://env/kong-pg-password}")),
          select(2, kong.vault.parse_reference("{vault://env}")), kong.vault.update({a = 1}).a)
        """) == [
          "true", "\"a-b/c\"", "\"key\"", "2", "{prefix=\"X_\"}", "false", "nil",
          "\"reference url is missing path [{vault://env}]\"", "1",
        ])
  }

  /// Runs the body of an access function on a real event loop, and gives what it answers.
  func run(_ code: String, _ config: [String: Int], tls: LuaSocketTLS = LuaSocketTLS()) async throws -> [String] {
    let loop = try TransportLoop.shared.get()
    return try await withCheckedThrowingContinuation { continuation in
      loop.execute {
        do {
          let fixture = LuaFixture(sandbox: .lax)
          fixture.settings.socketTLS = tls
          let driver = LiveDriver(loop)
          driver.done = { context in
            _ = driver
            let answers = LuaHost.sharedValue("answers", of: context)?.array?.compactMap(\.string) ?? []
            let lines = fixture.log.all.map(\.line)
            continuation.resume(returning: answers.isEmpty ? lines : answers)
          }
          let context = RequestContext(loop: fixture.loop, driver: driver)
          driver.context = context
          let plugin = try fixture.phase(
            "access", LuaFixture.helpers + code, .object(config.mapValues { .integer(Int64($0)) }))
          if case .suspended = plugin.run(.access, context) { return }
          driver.pluginResumed(.finished, context)
        } catch {
          continuation.resume(throwing: error)
        }
      }
    }
  }

  @Test("an HTTP client speaks with a server, keeps its connection, and verifies certificates")
  func http() async throws {
    let plain = try await TinyServer.start(tls: false)
    let secure = try await TinyServer.start(tls: true)
    let answers = try await run(
      """
      local http = require "resty.http"
      local c = http.new()
      c:set_timeout(5000)
      local res, e = c:request_uri("http://127.0.0.1:" .. conf.plain .. "/length?a=b", {method = "POST", body = "hello",
        headers = {["X-One"] = "1"}})
      if not res then return answer(e) end
      local chunked = c:request_uri("http://127.0.0.1:" .. conf.plain .. "/chunked")
      local reused = http.new()
      reused:connect {scheme = "http", host = "127.0.0.1", port = conf.plain}
      local times = reused:get_reused_times()
      reused:close()
      local refused, why = c:request_uri("https://127.0.0.1:" .. conf.secure .. "/length")
      local over = c:request_uri("https://127.0.0.1:" .. conf.secure .. "/length", {ssl_verify = false})
      answer(res.status, res.headers["content-type"], res.body, chunked.body, times > 0, refused, why, over.body,
        select(2, c:request_uri("ftp://x")), kong.dns.toip("127.0.0.1", 80))
      """, ["plain": plain.port, "secure": secure.port])
    #expect(
      answers == [
        "200", "\"text/plain\"", "\"POST /length?a=b 5\"", "\"first second\"", "true", "nil",
        "\"certificate verify failed\"", "\"GET /length 0\"", "\"bad uri: ftp://x\"", "\"127.0.0.1\"", "80",
      ])
    try await plain.stop()
    try await secure.stop()
  }

  @Test("sockets and clients trust the authorities of the settings, and speak their versions of TLS")
  func trust() async throws {
    let server = try await TinyServer.start(tls: true)
    let ask = """
      local c = require("resty.http").new()
      local connected, failure = c:connect {scheme = "https", host = "127.0.0.1", port = conf.port}
      local s = ngx.socket.tcp()
      s:connect("127.0.0.1", conf.port)
      local session, why = s:sslhandshake(nil, nil, true)
      answer(connected and "connected" or failure, session and "session" or why)
      """
    let authority = try NIOSSLCertificate.fromPEMBytes(Array(TestCertificate.pem.utf8))
    let unknown = try await run(ask, ["port": server.port], tls: LuaSocketTLS(trustRoots: .certificates([])))
    #expect(unknown == ["\"certificate verify failed\"", "\"certificate verify failed\""])
    let trusted = try await run(ask, ["port": server.port], tls: LuaSocketTLS(trustRoots: .certificates(authority)))
    #expect(trusted == ["\"connected\"", "\"session\""])
    // The server speaks 1.2 and later.
    let old = try await run(
      ask, ["port": server.port],
      tls: LuaSocketTLS(
        trustRoots: .certificates(authority), minimumVersion: .tlsv11, maximumVersion: .tlsv11))
    #expect(old.count == 2 && !old.contains("\"session\"") && !old.contains("\"connected\""))
    try await server.stop()
  }

  @Test("a datagram goes out and its answer comes back; a name is resolved; keys are derived meanwhile")
  func datagrams() async throws {
    let server = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Echo()) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let answers = try await run(
      """
      local u = ngx.socket.udp()
      u:settimeout(5000)
      u:setpeername("127.0.0.1", conf.port)
      u:send({"a", "b"})
      local kdf = require "resty.openssl.kdf"
      answer(u:receive(), u:close(), #kong.dns.resolve("localhost") > 0,
        #kdf.derive {type = kdf.PBKDF2, outlen = 20, pass = "p", salt = "s", pbkdf2_iter = 1000}, u:receive())
      """, ["port": try #require(server.localAddress?.port)])
    #expect(answers == ["\"ab\"", "1", "true", "20", "nil", "\"closed\""])
    try await server.close()
  }
}

/// A connection on a real event loop.
private final class LiveDriver: RequestDriver {
  let eventLoop: any EventLoop
  var context: RequestContext?
  var done: ((RequestContext) -> Void)?

  init(_ loop: any EventLoop) { eventLoop = loop }

  func readRequestBody(_ context: RequestContext, _ completion: @escaping (Result<Void, RequestBodyError>) -> Void) {
    context.requestBody = .complete(ByteBuffer())
    completion(.success(()))
  }

  func pluginResumed(_ outcome: PhaseOutcome, _ context: RequestContext) {
    let done = done
    self.done = nil
    self.context = nil
    // After everything that leads here: what the request holds ends with it. All on the one event loop.
    nonisolated(unsafe) let (end, ended) = (done, context)
    eventLoop.execute { end?(ended) }
  }
}

private final class Echo: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    context.writeAndFlush(data, promise: nil)
  }
}

/// Answers HTTP requests: `/length` with what it got, `/chunked` in two chunks.
private final class TinyServer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private var text = ""

  struct Running {
    let channel: any Channel
    var port: Int { channel.localAddress?.port ?? 0 }

    func stop() async throws { try await channel.close() }
  }

  static func start(tls: Bool) async throws -> Running {
    var context: NIOSSLContext?
    if tls {
      let certificate = try NIOSSLCertificate(bytes: Array(TestCertificate.pem.utf8), format: .pem)
      let key = try NIOSSLPrivateKey(bytes: Array(TestCertificate.key.utf8), format: .pem)
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: [.certificate(certificate)], privateKey: .privateKey(key))
      configuration.minimumTLSVersion = .tlsv12
      context = try NIOSSLContext(configuration: configuration)
    }
    let serverContext = context
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let serverContext {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: serverContext))
          }
          try channel.pipeline.syncOperations.addHandler(TinyServer())
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    return Running(channel: channel)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    text += String(buffer: unwrapInboundIn(data))
    guard let end = text.firstRange(of: "\r\n\r\n") else { return }
    let head = text[..<end.lowerBound]
    let length =
      head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
      .flatMap { Int($0.dropFirst(15).drop { $0 == " " }) } ?? 0
    guard text[end.upperBound...].utf8.count >= length else { return }
    let parts = head.split(separator: " ")
    let answer: String
    if parts[1] == "/chunked" {
      answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst \r\n6\r\nsecond\r\n0\r\n\r\n"
    } else {
      let body = "\(parts[0]) \(parts[1]) \(length)"
      answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }
    text = ""
    context.writeAndFlush(NIOAny(ByteBuffer(string: answer)), promise: nil)
  }
}
