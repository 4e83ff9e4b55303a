import EpollTransport
import NIOCore
import NIOPosix
import PluginKit
import Synchronization
import Testing

@testable import LuaRuntime

/// Timers, sockets, shared dictionaries, caches and references.
struct ServiceFunctionTests {
  @Test("a timer runs after the request, outside of it, and may wait")
  func timer() throws {
    let fixture = LuaFixture(sandbox: .on)
    let context = fixture.request()
    #expect(
      try fixture.answers(
        """
        local id = ngx.timer.at(0.5, function(premature, word)
          kong.log.notice("timer ", word, " ", ngx.get_phase(), " ", tostring(premature))
          ngx.sleep(1)
          kong.log.notice((select(2, pcall(kong.response.exit, 200))))
          kong.log.notice((select(2, pcall(kong.request.get_method))))
          error("late")
        end, "said")
        answer(type(id), (pcall(ngx.timer.at, -1, print)))
        """, in: .log, context) == ["\"number\"", "false"])
    fixture.driver.loop.advanceTime(by: .milliseconds(600))
    #expect(fixture.log.all.map(\.line).last?.hasSuffix("[test] timer said timer false") == true)
    fixture.driver.loop.advanceTime(by: .seconds(1))
    let lines = fixture.log.all.map(\.line)
    #expect(lines.contains { $0.contains("function cannot be called in timer phase") })
    #expect(lines.last?.contains("failed in timer: ") == true)
    #expect(fixture.driver.outcomes.isEmpty)
  }

  @Test("a repeating timer keeps running")
  func repetition() throws {
    let fixture = LuaFixture(sandbox: .on)
    _ = try fixture.answers("ngx.timer.every(1, function() kong.log.notice('tick') end)")
    fixture.driver.loop.advanceTime(by: .milliseconds(3500))
    #expect(fixture.log.all.count { $0.line.contains("tick") } == 3)
  }

  @Test("a socket speaks with a server, line by line and to the end")
  func socket() async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let server = try await ServerBootstrap(group: group)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Greeter()) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(server.localAddress?.port)
    let loop = try TransportLoop.shared.get()
    let received: [String] = try await withCheckedThrowingContinuation { continuation in
      loop.execute {
        let socket = LuaSocket(loop)
        socket.connect(host: "127.0.0.1", port: port, timeout: .seconds(5)) { failure in
          if let failure { return continuation.resume(returning: [failure]) }
          socket.send(ByteBuffer(string: "hello"), timeout: .seconds(5)) { _ in
            socket.receive(.line, timeout: .seconds(5)) { line, _ in
              socket.receive(.bytes(3), timeout: .seconds(5)) { three, _ in
                socket.receive(.all, timeout: .seconds(5)) { rest, failure in
                  socket.receive(.line, timeout: .seconds(5)) { _, end in
                    socket.close()
                    continuation.resume(
                      returning: [
                        String(buffer: line), String(buffer: three), String(buffer: rest), failure ?? "", end ?? "",
                      ])
                  }
                }
              }
            }
          }
        }
      }
    }
    #expect(received == ["first", "abc", "def", "", "closed"])
    try await server.close()

    let refused: String? = await withCheckedContinuation { continuation in
      loop.execute {
        LuaSocket(loop).connect(host: "127.0.0.1", port: port, timeout: .seconds(5)) {
          continuation.resume(returning: $0)
        }
      }
    }
    #expect(refused == "connection refused")
  }

  @Test("shared dictionaries add, count, expire and refuse")
  func dictionary() throws {
    #expect(
      try LuaFixture(sandbox: .on).answers(
        """
        local d = ngx.shared.kong
        local key = "test" .. math.random()
        local ok, why, forced = d:set(key, 5)
        answer(ok, why, forced, (d:get(key)), (d:incr(key, 2)), (select(2, d:add(key, 1))), (select(2, d:incr(key .. "x", 1))),
          (d:incr(key .. "y", 1, 10)), (select(2, d:set(key .. "s", "x", 10, 7))), (select(2, d:get(key .. "s"))),
          d:ttl(key .. "s") > 8, (d:set(key, {})), (select(2, d:replace(key .. "none", 1))), d:delete(key), (d:get(key)),
          ngx.shared.unknown)
        """) == [
          "true", "nil", "false", "5", "7", "\"exists\"", "\"not found\"", "11", "nil", "7", "true", "nil",
          "\"not found\"", "true", "nil", "nil",
        ])
  }

  @Test("a full shared dictionary makes room and stays bounded")
  func bounded() {
    var dictionary = SharedDictionary()
    var wasForced = false
    for index in 0..<200 {
      let entry = SharedDictionary.Entry(value: .string([UInt8](repeating: 1, count: 100_000)), expires: nil, flags: 0)
      if dictionary.insert(entry, Array("\(index)".utf8)) == true { wasForced = true }
    }
    #expect(wasForced)
    #expect(dictionary.freeSpace < SharedDictionary.capacity)
    let huge = SharedDictionary.Entry(
      value: .string([UInt8](repeating: 1, count: SharedDictionary.capacity)), expires: nil, flags: 0)
    #expect(dictionary.insert(huge, [1]) == nil)
  }

  @Test("kong.cache asks its callback once and tells its failure")
  func cache() throws {
    #expect(
      try LuaFixture(sandbox: .lax).answers(
        """
        local calls = 0
        local function load(a, b) calls = calls + 1 return a .. b end
        local value, failure = kong.cache:get("k", nil, load, "x", "y")
        local again = kong.cache:get("k", nil, load, "x", "z")
        local none, why = kong.cache:get("f", nil, function() return nil, "no luck" end)
        answer(value, failure, again, calls, none, why, (kong.cache:get("n", nil, function() return nil end)))
        """) == ["\"xy\"", "nil", "\"xy\"", "1", "nil", "\"no luck\"", "nil"])
  }

  @Test("references to vaults are parsed; there is no vault to look into")
  func vault() throws {
    #expect(
      try LuaFixture(sandbox: .lax).answers(
        """
        local v = kong.vault
        answer(v.is_reference("{vault://env/my-secret}"), v.is_reference("plain"), v.is_reference(5),
          v.parse_reference("{vault://env/my-secret/key?ttl=5}"), (select(2, v.parse_reference("plain"))),
          (v.get("{vault://env/x}")))
        """) == [
          "true", "false", "false", "{config={ttl=\"5\"}, key=\"key\", name=\"env\", resource=\"my-secret\"}",
          "\"not a reference [plain]\"", "nil",
        ])
  }

  @Test("pl.stringx and pl.tablex have their everyday functions")
  func penlight() throws {
    #expect(
      try LuaFixture().answers(
        """
        local s, t = require("pl.stringx"), require("pl.tablex")
        answer(s.strip("  x "), s.split("a b c"), s.startswith("hello", "he"), s.endswith("a.b", {".c", ".b"}),
          s.replace("a.a", ".", "-"), s.strip("--x-", "-"), t.deepcompare({a = {1}}, {a = {1}}), t.deepcompare({1}, {2}),
          t.size({a = 1, b = 2}), t.map(function(v) return v * 2 end, {1, 2}), t.filter({1, 2, 3}, function(v) return v > 1 end))
        """) == [
          "\"x\"", "{1=\"a\", 2=\"b\", 3=\"c\"}", "true", "true", "\"a-a\"", "\"x\"", "true", "false", "2",
          "{1=2, 2=4}", "{1=2, 2=3}",
        ])
  }
}

/// Answers the first bytes and closes.
private final class Greeter: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "first\r\nabcdef")), promise: nil)
    context.close(promise: nil)
  }
}
