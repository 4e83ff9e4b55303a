import NIOCore
import PluginKit
import Testing

@testable import Proxy

/// The cases that the suites of public HTTP/1 parsers (picohttpparser, llhttp) look at, in words of our own, with what
/// a gateway has to make of them.
@Suite("Vectors of public parser suites") struct HTTP1VectorTests {
  enum Outcome: Sendable, Equatable {
    /// Read, with so many fields.
    case accepted(fields: Int)
    case unfinished
    case refused
  }

  private static func request(_ text: [UInt8]) -> Outcome {
    var parser = HTTP1RequestParser()
    switch text.withUnsafeBytes({ parser.parse($0) }) {
    case .head: return .accepted(fields: parser.fields.count)
    case .needsMore: return .unfinished
    case .refused: return .refused
    }
  }

  private static func response(_ text: [UInt8]) -> Outcome {
    var parser = HTTP1ResponseParser()
    switch text.withUnsafeBytes({ parser.parse($0) }) {
    case .head: return .accepted(fields: parser.fields.count)
    case .needsMore: return .unfinished
    case .malformed: return .refused
    }
  }

  /// Latin-1 text as bytes, so that cases can have bytes above ASCII.
  private static func bytes(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
  }

  // MARK: Requests

  @Test(
    "requests that every parser reads",
    arguments: [
      ("GET / HTTP/1.0\r\n\r\n", 0),
      ("GET /hoge HTTP/1.1\r\nHost: example.com\r\nCookie: \r\n\r\n", 2),
      ("GET /hoge HTTP/1.1\r\nHost: example.com\r\nUser-Agent: \u{e3}\u{81}\u{b2}\u{e3}/1.0\r\n\r\n", 2),
      ("GET / HTTP/1.0\r\nfoo: a \t \r\n\r\n", 1),
      ("GET / HTTP/1.0\r\nfoo:\tb\r\n\r\n", 1),
      ("GET / HTTP/1.0\r\nfoo:b\r\n\r\n", 1),
      ("GET / HTTP/1.0\r\n|~: 1\r\n\r\n", 1),
      ("GET / HTTP/1.0\r\n!#$%&'*+-.^_`|~09azAZ: 1\r\n\r\n", 1),
      ("GET /\u{a0} HTTP/1.0\r\nh: c\u{a2}y\r\n\r\n", 1),
      (
        "GET /test HTTP/1.1\r\nUser-Agent: curl/7.18.0 (i486-pc-linux-gnu)\r\nHost: 0.0.0.0=5000\r\nAccept: */*\r\n\r\n",
        3
      ),
      ("GET /favicon.ico HTTP/1.1\r\nHost: 0.0.0.0=5000\r\nKeep-Alive: 300\r\nConnection: keep-alive\r\n\r\n", 3),
      ("GET /dumbpack HTTP/1.1\r\nHost: a\r\naaaaaaaaaaaaa:++++++++++\r\n\r\n", 2),
      ("GET /forums/1/topics/2375?page=1#posts-17408 HTTP/1.1\r\nHost: a\r\n\r\n", 1),
      ("GET /with_\"stupid\"_quotes?foo=\"bar\" HTTP/1.1\r\nHost: a\r\n\r\n", 1),
      ("GET /test.cgi?foo=bar?baz HTTP/1.1\r\nHost: a\r\n\r\n", 1),
      ("\r\nGET /test HTTP/1.1\r\nHost: a\r\n\r\n", 1),
      ("POST /post_identity_body_world?q=search HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nWorld", 2),
      ("POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\nall your base", 2),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:  42  \r\n\r\n", 2),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 2),
      ("PATCH /file.txt HTTP/1.1\r\nHost: www.example.com\r\nIf-Match: \"e0023aa4e\"\r\nContent-Length: 10\r\n\r\n", 3),
      ("M-SEARCH /x HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nST: \"ssdp:all\"\r\n\r\n", 3),
      ("PROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n", 1),
      ("MKCOL /x HTTP/1.1\r\nHost: a\r\n\r\n", 1),
      ("PURGE /file.txt HTTP/1.1\r\nHost: www.example.com\r\n\r\n", 1),
      ("GET http://hypnotoad.org/ HTTP/1.1\r\nHost: a\r\n\r\n", 1),
      ("GET http://hypnotoad.org:1234/x?y HTTP/1.1\r\nHost: a\r\n\r\n", 1),
      ("GET /demo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n", 3),
      ("GET /demo HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n\r\n", 3),
      ("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n", 3),
      ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 1),
    ])
  func accepted(_ text: String, _ fields: Int) {
    #expect(Self.request(Self.bytes(text)) == .accepted(fields: fields))
  }

  @Test("every beginning of a good request waits for the rest")
  func unfinishedRequests() {
    let text = Self.bytes("GET /hoge HTTP/1.1\r\nHost: example.com\r\nCookie: \r\n\r\n")
    for end in 0..<text.count { #expect(Self.request(Array(text[..<end])) == .unfinished, "\(end)") }
  }

  @Test(
    "requests that no gateway may read",
    arguments: [
      " / HTTP/1.0\r\n\r\n",
      "GET  HTTP/1.0\r\n\r\n",
      "GET / HTTP/1.0\r\n:a\r\n\r\n",
      "GET / HTTP/1.0\r\n :a\r\n\r\n",
      "GET / HTTP/1.0\r\nfoo : ab\r\n\r\n",
      "G\0T / HTTP/1.0\r\n\r\n",
      "G\tT / HTTP/1.0\r\n\r\n",
      ":GET / HTTP/1.0\r\n\r\n",
      "GET /\u{7f}hello HTTP/1.0\r\n\r\n",
      "GET / HTTP/1.0\r\na\0b: c\r\n\r\n",
      "GET / HTTP/1.0\r\nab: c\0d\r\n\r\n",
      "GET / HTTP/1.0\r\na\u{1b}b: c\r\n\r\n",
      "GET / HTTP/1.0\r\nab: c\u{1b}\r\n\r\n",
      "GET / HTTP/1.0\r\nab: c\u{7f}12345678\r\n\r\n",
      "GET / HTTP/1.0\r\nab: 1234567890123456\u{1}\r\n\r\n",
      "GET / HTTP/1.0\r\n/: 1\r\n\r\n",
      "GET / HTTP/1.0\r\n{: 1\r\n\r\n",
      "GET / HTTP/1.0\r\n\u{e9}: 1\r\n\r\n",
      "GET / HTTP/1.0\r\n\"x\": 1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nFoo\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nName\rVal: x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nName: x\rVal: y\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4 2\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 13 37\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1844674407370955161510\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, deflate\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: deflate, chunked\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\u{b}\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
      "GET / HTTP/01.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/11.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.01\r\nHost: a\r\n\r\n",
      "GET / HTTP/9.1\r\nHost: a\r\n\r\n",
      "GET / HTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\rHost: a\r\n\r\n",
      "GET / HTTP/1.1\n\r\n",
      "GET /\r\nHost: a\r\n\r\n",
      "hello world\r\n\r\n",
      "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
      "\u{16}\u{3}\u{1}\u{2}\0\u{1}\n\r\n",
    ])
  func refused(_ text: String) {
    #expect(Self.request(Self.bytes(text)) == .refused)
  }

  @Test(
    "requests that lenient parsers read and this one refuses on purpose",
    arguments: [
      // Folded lines (RFC 9112 §5.2 lets a server refuse them).
      "GET / HTTP/1.0\r\nfoo: \r\nfoo: b\r\n  \tc\r\n\r\n",
      // More than one blank in the request line.
      "GET   /   HTTP/1.0\r\n\r\n",
      // Lines that end in LF alone.
      "GET / HTTP/1.0\nfoo: b\n\n",
      "GET / HTTP/1.1\r\nHost: a\n\r\n",
      // A method in lower case.
      "get / HTTP/1.0\r\n\r\n",
      // HTTP/0.9.
      "GET /\r\n\r\n",
      // The forms of a target that lead to no route: authority and asterisk.
      "CONNECT 0-home0.netscape.com:443 HTTP/1.0\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      "M-SEARCH * HTTP/1.1\r\nHost: a\r\n\r\n",
      // Another protocol's methods.
      "SOURCE /x ICE/1.0\r\nHost: example.com\r\n\r\n",
      "OPTIONS /x RTSP/1.0\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ])
  func refusedOnPurpose(_ text: String) {
    #expect(Self.request(Self.bytes(text)) == .refused)
  }

  // MARK: Responses

  @Test(
    "responses that are read",
    arguments: [
      ("HTTP/1.0 200 OK\r\n\r\n", 0),
      ("HTTP/1.1 200 OK\r\nHost: example.com\r\nCookie: \r\n\r\n", 2),
      ("HTTP/1.1 200 OK\r\nfoo: a \t \r\n\r\n", 1),
      ("HTTP/1.1 500 Internal Server Error\r\n\r\n", 0),
      ("HTTP/1.1 200\r\n\r\n", 0),
      ("HTTP/1.1 200 \r\n\r\n", 0),
      ("HTTP/1.1 404 Not Found\r\n\r\n", 0),
      ("HTTP/1.1 301 MovedPermanently\r\nDate: Wed, 15 May 2013 17:06:33 GMT\r\nServer: Server\r\n\r\n", 2),
      ("HTTP/1.1 200 OK\r\nContent-Length: 11\r\nProxy-Connection: close\r\nDate: x\r\n\r\nhello world", 3),
      ("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nproto", 2),
      ("HTTP/1.1 200 OK\r\nX-Custom: \u{e9}\u{ff}\r\n\r\n", 1),
      ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", 1),
    ])
  func responses(_ text: String, _ fields: Int) {
    #expect(Self.response(Self.bytes(text)) == .accepted(fields: fields))
  }

  @Test("every beginning of a good response waits for the rest")
  func unfinishedResponses() {
    let text = Self.bytes("HTTP/1.1 200 OK\r\nHost: example.com\r\nCookie: \r\n\r\n")
    for end in 0..<text.count { #expect(Self.response(Array(text[..<end])) == .unfinished, "\(end)") }
  }

  @Test(
    "responses whose meaning is in doubt are not passed on",
    arguments: [
      "HTTP/1. 200 OK\r\n\r\n", "HTTP/1.2z 200 OK\r\n\r\n", "HTTP/1.1  OK\r\n\r\n", "HTTP/1.1 200X\r\n\r\n",
      "HTTP/1.1 200X \r\n\r\n", "HTTP/1.1 200X OK\r\n\r\n", "HTTP/1.1 2 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
      "HTTP/2.0 200 OK\r\n\r\n", "HTTPER/1.1 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "\r\n\r\n",
      "HTTP/1.1 200 OK\r\nFoo\r\n\r\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "HTTP/1.1 200 OK\r\nFoo : x\r\n\r\n",
      "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1 2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, deflate\r\n\r\n",
    ])
  func refusedResponses(_ text: String) {
    #expect(Self.response(Self.bytes(text)) == .refused)
  }

  // MARK: Chunks

  @Test(
    "chunked bodies of the suites",
    arguments: [
      ("b\r\nhello world\r\n0\r\n\r\n", "hello world"), ("6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n", "hello world"),
      ("6;comment=hi\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n", "hello world"),
      ("6 ; comment\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n", "hello world"),
      ("6\r\nhello \r\n5\r\nworld\r\n0\r\na: b\r\nc: d\r\n\r\n", "hello world"),
      ("1E\r\nall your base are belong to us\r\n0\r\n\r\n", "all your base are belong to us"),
      ("5;ilovew3;somuchlove=aretheseparametersfor\r\nhello\r\n000000\r\n\r\n", "hello"),
      ("5;name=\"quoted; \\\" \"\r\nhello\r\n0\r\n\r\n", "hello"), ("0\r\n\r\n", ""),
    ])
  func chunks(_ text: String, _ content: String) {
    let whole = Array(text.utf8)
    for cut in 0..<whole.count {
      var decoder = HTTP1BodyDecoder(.chunked)
      var decoded: [UInt8] = []
      var buffer = ByteBuffer(bytes: whole[..<cut])
      while let chunk = decoder.next(&buffer) { decoded += Array(buffer: chunk) }
      buffer.writeBytes(whole[cut...])
      while let chunk = decoder.next(&buffer) { decoded += Array(buffer: chunk) }
      #expect(decoded == Array(content.utf8) && decoder.isFinished && buffer.readableBytes == 0)
    }
  }

  @Test(
    "chunked bodies that no gateway may read",
    arguments: [
      "z\r\nabcdefg", "6\r\nhello \r\nffffffffffffffff\r\nabcdefg", "fffffffffffffffff\r\n", "6\r\nhello  5\r\n",
      " 6\r\nhello \r\n", "6\rhello \r\n", "6\nhello \n", "6\r\nhello \r5\r\n", "6;\r\r\nhello ", "6;a\nb\r\nhello ",
      "0\r\n\rX", "0\r\nbad name: x\r\n\u{1}: y\r\n\r\n", "0\r\n: x\r\n\r\n", "6_0\r\n", "0x6\r\nhello \r\n",
    ])
  func badChunks(_ text: String) {
    var decoder = HTTP1BodyDecoder(.chunked)
    var buffer = ByteBuffer(bytes: Self.bytes(text))
    while decoder.next(&buffer) != nil {}
    #expect(decoder.isMalformed)
  }
}
