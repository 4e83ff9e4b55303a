import NIOCore
import PluginKit
import Testing

@testable import Proxy

@Suite("Reading HTTP/1.1") struct HTTP1ParserTests {
  typealias Refusal = HTTP1RequestParser.Refusal

  private static func parse(_ text: String, pieces: [Int] = []) -> HTTP1RequestParser.Result {
    var parser = HTTP1RequestParser()
    let bytes = Array(text.utf8)
    for end in pieces.sorted() where end < bytes.count {
      let result = bytes[0..<end].withUnsafeBytes { parser.parse($0) }
      if result != .needsMore { return result }
    }
    return bytes.withUnsafeBytes { parser.parse($0) }
  }

  private static func body(_ text: String) -> HTTP1Fields.BodyLength? {
    if case .head(let head) = parse(text) { head.body } else { nil }
  }

  @Test(
    "requests that two readers could understand differently are refused",
    arguments: [
      "GET / HTTP/1.1\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n X: 1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX(: 1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a..b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost:\r\n\r\n",
      "GET /\r\n\r\n",
      "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
      "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /\u{7f} HTTP/1.1\r\nHost: a\r\n\r\n",
      "get / HTTP/1.1\r\nHost: a\r\n\r\n",
      "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / http/1.1\r\nHost: a\r\n\r\n",
      "GET /../x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /%2e%2E/x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /a/../../x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://a>b/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://a..b/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://{a}/ HTTP/1.1\r\nHost: a\r\n\r\n",
      String(repeating: "\r\n", count: 100),
    ])
  func refusals(_ text: String) {
    #expect(Self.parse(text) == .refused(.badRequest))
  }

  @Test("refusals carry the status that Kong sends")
  func statuses() {
    let long = String(repeating: "x", count: 9000)
    let host = "Host: a\r\n"
    #expect(Self.parse("GET /\(long) HTTP/1.1\r\n\(host)\r\n") == .refused(.lineTooLong))
    #expect(Self.parse("GET / HTTP/1.1\r\n\(host)X: \(long)\r\n\r\n") == .refused(.headTooLarge))
    let many = (0..<6).map { "X-\($0): \(long.prefix(7000))\r\n" }.joined()
    #expect(Self.parse("GET / HTTP/1.1\r\n\(host)\(many)\r\n") == .refused(.headTooLarge))
    #expect(Self.parse("TRACE / HTTP/1.1\r\n\(host)\r\n") == .refused(.methodNotAllowed))
    #expect(Self.parse("CONNECT / HTTP/1.1\r\n\(host)\r\n") == .refused(.methodNotAllowed))
    #expect(Self.parse("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip\r\n\r\n") == .refused(.unknownCoding))
    #expect(
      Self.parse("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip, chunked\r\n\r\n") == .refused(.unknownCoding))
    #expect(Self.parse("GET / HTTP/2.0\r\n\(host)\r\n") == .refused(.versionNotSupported))
    #expect(Refusal.headTooLarge.status == 400 && Refusal.headTooLarge.messageStatus == 494)
    #expect(Refusal.lineTooLong.status == 414)
    // Four lines of 7000 bytes are within the limits.
    let some = (0..<4).map { "X-\($0): \(long.prefix(7000))\r\n" }.joined()
    #expect(Self.parse("GET / HTTP/1.1\r\n\(host)\(some)\r\n").isHead)
  }

  @Test("the length of a body is what the head says of it")
  func bodies() {
    #expect(Self.body("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n") == .fixed(17))
    #expect(Self.body("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") == HTTP1Fields.BodyLength.none)
    #expect(Self.body("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n") == .chunked)
    #expect(Self.body("GET / HTTP/1.1\r\nHost: a\r\n\r\n") == HTTP1Fields.BodyLength.none)
  }

  @Test("the absolute form names host and path")
  func absoluteForm() throws {
    let text = "GET http://b.test:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n"
    guard case .head(let head) = Self.parse(text) else {
      Issue.record("refused")
      return
    }
    let bytes = Array(text.utf8)
    #expect(String(decoding: bytes[head.target], as: UTF8.self) == "/x?y")
    #expect(String(decoding: bytes[try #require(head.authority)], as: UTF8.self) == "b.test:81")
  }

  @Test("connections are kept as version and Connection say")
  func keepAlive() {
    func keeps(_ version: String, _ field: String) -> Bool? {
      if case .head(let head) = Self.parse("GET / HTTP/\(version)\r\nHost: a\r\n\(field)\r\n") {
        head.isKeepAlive
      } else {
        nil
      }
    }
    #expect(keeps("1.1", "") == true)
    #expect(keeps("1.1", "Connection: Close\r\n") == false)
    #expect(keeps("1.0", "") == false)
    #expect(keeps("1.0", "Connection: keep-alive\r\n") == true)
    #expect(keeps("1.1", "Connection: keep-alive\r\nConnection: x, close\r\n") == false)
  }

  @Test("any cut of the bytes gives the same result")
  func cuts() {
    let samples = [
      "GET /a/b?c=d HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nX-Empty:\r\nX:  padded \t\r\n\r\nrest",
      "\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close, x\r\n\r\nhello",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nBad\r\n\r\n",
      "GET /../ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\n\r\n",
    ]
    for sample in samples {
      let whole = Self.parse(sample)
      for cut in 1..<sample.utf8.count { #expect(Self.parse(sample, pieces: [cut]) == whole) }
      #expect(Self.parse(sample, pieces: Array(1..<sample.utf8.count)) == whole)
    }
  }

  @Test("random and mangled bytes are never read beyond and never crash")
  func noise() {
    var random = SeededGenerator(seed: 7)
    let seeds = [
      "GET /a%20b HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nConnection: x, y\r\n\r\n",
      "POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ].map { Array($0.utf8) }
    var results: Set<String> = []
    for round in 0..<4000 {
      var bytes: [UInt8]
      if round % 4 == 0 {
        bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      } else {
        bytes = seeds[round % seeds.count]
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
      }
      var whole = HTTP1RequestParser()
      let result = bytes.withUnsafeBytes { whole.parse($0) }
      var cut = HTTP1RequestParser()
      var last = HTTP1RequestParser.Result.needsMore
      for end in 1...max(bytes.count, 1) where end <= bytes.count {
        last = bytes[0..<end].withUnsafeBytes { cut.parse($0) }
        if last != .needsMore { break }
      }
      #expect(last == result)
      if case .head(let head) = result { #expect(head.length <= bytes.count && head.target.upperBound <= head.length) }
      results.insert("\(result)".prefix(8).description)
      var response = HTTP1ResponseParser()
      _ = bytes.withUnsafeBytes { response.parse($0) }
    }
    #expect(results.count >= 3, "heads, refusals and unfinished ones all occur")
  }

  @Test("responses are read as leniently as nginx does, but their length must be certain")
  func responses() {
    func parse(_ text: String) -> HTTP1ResponseParser.Result {
      var parser = HTTP1ResponseParser()
      return Array(text.utf8).withUnsafeBytes { parser.parse($0) }
    }
    func body(_ text: String) -> HTTP1Fields.BodyLength? {
      if case .head(let head) = parse(text) { head.body } else { nil }
    }
    #expect(body("HTTP/1.1 200\r\nContent-Length: 3\r\n\r\n") == .fixed(3))
    #expect(body("HTTP/1.1 200 OK\nContent-Length: 3\n\n") == .fixed(3))
    #expect(body("HTTP/1.0 200 OK\r\n\r\n") == .untilClose)
    #expect(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") == .chunked)
    for bad in [
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 099 X\r\n\r\n", "HTTP/2 200\r\n\r\n", "hello\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
    ] {
      #expect(parse(bad) == .malformed, "\(bad)")
    }
    #expect(parse("HTTP/1.1 200 OK\r\n" + String(repeating: "X: 1\r\n", count: 20000)) == .malformed)
  }
}

extension HTTP1RequestParser.Result {
  var isHead: Bool { if case .head = self { true } else { false } }
}

@Suite("Taking the framing off bodies") struct HTTP1BodyDecoderTests {
  /// The content and whether the body was whole, given in pieces that end at `cuts`.
  private static func decode(
    _ length: HTTP1Fields.BodyLength, _ bytes: [UInt8], cuts: [Int] = []
  ) -> (content: [UInt8], decoder: HTTP1BodyDecoder, left: Int) {
    var decoder = HTTP1BodyDecoder(length)
    var content: [UInt8] = []
    var start = 0
    var pending = ByteBuffer()
    for end in cuts.filter({ $0 < bytes.count }).sorted() + [bytes.count] {
      pending.writeBytes(bytes[start..<end])
      start = end
      while let chunk = decoder.next(&pending) { content += Array(buffer: chunk) }
    }
    return (content, decoder, pending.readableBytes)
  }

  @Test("chunks give their content however they are cut, and leave the next request alone")
  func chunks() {
    let text = "5\r\nhello\r\n00a;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: t\r\nOther: u\r\n\r\nGET"
    let bytes = Array(text.utf8)
    for cut in 0..<bytes.count {
      let result = Self.decode(.chunked, bytes, cuts: [cut])
      #expect(result.content == Array("hello0123456789".utf8))
      #expect(result.decoder.isFinished)
      #expect(result.left == 3)
    }
    let single = Self.decode(.chunked, bytes, cuts: Array(1..<bytes.count))
    #expect(single.content == Array("hello0123456789".utf8) && single.decoder.isFinished)
  }

  @Test(
    "chunks that are not exact are refused",
    arguments: [
      "zz\r\nhello\r\n0\r\n\r\n", "\r\n", "-1\r\n", "+5\r\nhello\r\n", "0x5\r\nhello\r\n", "5\nhello\n0\n\n",
      "5\r\nhelloX\r\n", "5\r\nhello\n0\r\n\r\n", "5\rXhello", "fffffffffffffffff\r\n", "1000000000000000\r\n",
      "0\r\nbad trailer\0\r\n\r\n", "0\r\n folded: x\r\n\r\n", "0\r\n\n", "5;\0\r\nhello\r\n",
    ])
  func badChunks(_ text: String) {
    #expect(Self.decode(.chunked, Array(text.utf8)).decoder.isMalformed)
  }

  @Test("random chunked bodies survive random cuts, and noise never crashes")
  func property() {
    var random = SeededGenerator(seed: 11)
    for round in 0..<300 {
      var content: [UInt8] = []
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0...5, using: &random) {
        let chunk = (0..<Int.random(in: 1...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        content += chunk
        bytes += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + [13, 10]
      }
      bytes += Array("0\r\n\r\n".utf8)
      let cuts = (0..<5).map { _ in Int.random(in: 0..<bytes.count, using: &random) }
      let result = Self.decode(.chunked, bytes, cuts: cuts)
      #expect(result.content == content && result.decoder.isFinished && result.left == 0)
      var noise = bytes
      noise[round % noise.count] = UInt8.random(in: 0...255, using: &random)
      let first = Self.decode(.chunked, noise)
      let second = Self.decode(.chunked, noise, cuts: Array(1..<noise.count))
      #expect(first.content == second.content)
      #expect(first.decoder.isFinished == second.decoder.isFinished)
      #expect(first.decoder.isMalformed == second.decoder.isMalformed)
    }
  }

  @Test("a fixed length takes no byte more, and a body until close ends with the connection")
  func otherFramings() {
    let fixed = Self.decode(.fixed(5), Array("hello and more".utf8))
    #expect(fixed.content == Array("hello".utf8) && fixed.left == 9 && fixed.decoder.isFinished)
    var open = Self.decode(.untilClose, Array("all of it".utf8)).decoder
    #expect(!open.isFinished)
    let openIsWhole = open.connectionEnded()
    #expect(openIsWhole)
    var short = Self.decode(.fixed(10), Array("hello".utf8)).decoder
    let shortIsWhole = short.connectionEnded()
    #expect(!shortIsWhole)
  }
}

/// A generator whose numbers are the same in every run.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }
}
