import NIOCore
import NIOPosix
import Testing

@testable import LuaRuntime

/// `resty.redis` against a server that speaks its protocol.
@Suite struct RedisModuleTests {
  @Test("commands, errors, nulls, lists, pipelines and kept connections")
  func commands() async throws {
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(TinyRedis()) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(server.localAddress?.port)
    let answers = try await OutboundFunctionTests().run(
      """
      local redis = require "resty.redis"
      local red = redis:new()
      red:set_timeouts(1000, 1000, 1000)
      assert(red:connect("127.0.0.1", conf.port))
      local stored = red:set("a", 1)
      local got, missing = red:get("a"), red:get("b")
      local refused, why = red:nonsense()
      red:init_pipeline()
      red:incr("a")
      red:nonsense()
      red:keys("*")
      local results = red:commit_pipeline()
      local binary = red:set("c", "x\\r\\ny") and red:get("c")
      assert(red:set_keepalive(1000, 10))
      local again = redis:new()
      again:connect("127.0.0.1", conf.port)
      answer(stored, got, missing == ngx.null, refused, why, results[1], results[2][1], results[2][2], results[3][1],
        binary == "x\\r\\ny", again:get_reused_times(), again:array_to_hash({ "k", "v" }).k, again:close(),
        select(2, again:get("a")))
      """, ["port": port])
    #expect(
      answers == [
        "\"OK\"", "\"1\"", "true", "false", "\"ERR unknown command\"", "2", "false", "\"ERR unknown command\"", "\"a\"",
        "true", "1", "\"v\"", "1", "\"closed\"",
      ])
    try await server.close()
  }
}

/// A few commands over a dictionary.
private final class TinyRedis: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private var text = ""
  private var values: [String: String] = [:]

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    text += String(buffer: unwrapInboundIn(data))
    var reply = ""
    while let words = nextCommand() { reply += answer(words) }
    if !reply.isEmpty { context.writeAndFlush(NIOAny(ByteBuffer(string: reply)), promise: nil) }
  }

  private func nextCommand() -> [String]? {
    var rest = Substring(text)
    func line() -> Substring? {
      guard let end = rest.firstRange(of: "\r\n") else { return nil }
      defer { rest = rest[end.upperBound...] }
      return rest[..<end.lowerBound]
    }
    guard let head = line(), head.hasPrefix("*"), let count = Int(head.dropFirst()) else { return nil }
    var words: [String] = []
    for _ in 0..<count {
      guard let size = line().flatMap({ Int($0.dropFirst()) }), rest.utf8.count >= size + 2 else { return nil }
      words.append(String(decoding: rest.utf8.prefix(size), as: UTF8.self))
      rest = Substring(String(decoding: rest.utf8.dropFirst(size + 2), as: UTF8.self))
    }
    text = String(rest)
    return words
  }

  private func answer(_ words: [String]) -> String {
    switch words[0].lowercased() {
    case "set":
      values[words[1]] = words[2]
      return "+OK\r\n"
    case "get": return values[words[1]].map { "$\($0.utf8.count)\r\n\($0)\r\n" } ?? "$-1\r\n"
    case "incr":
      let value = (Int(values[words[1]] ?? "0") ?? 0) + 1
      values[words[1]] = String(value)
      return ":\(value)\r\n"
    case "keys": return "*\(values.count)\r\n" + values.keys.sorted().map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
    default: return "-ERR unknown command\r\n"
    }
  }
}
