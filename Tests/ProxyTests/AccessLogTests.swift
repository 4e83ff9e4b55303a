import Foundation
import GatewayTesting
import NIOCore
import PluginKit
import Testing

@testable import Proxy

@Suite("The access log") struct AccessLogTests {
  @Test("each request leaves one line, and a request cannot write lines of its own")
  func lines() async throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("access-\(UUID().uuidString).log").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let upstream = try await ScriptedUpstream.start { _ in ok("hello") }
    let proxy = try await ProxyFixture.start(upstream: upstream.port) { $0.accessLog = .file(path) }
    _ = try proxy.get("/x?y=\"z", headers: [("User-Agent", "a\"b\\c"), ("Referer", "http://r/")])
    _ = try? proxy.get("/../")
    await proxy.stop()
    let text = try String(contentsOfFile: path, encoding: .utf8)
    // The loops write on their own: whose line comes first is open.
    let lines = text.split(separator: "\n").map(String.init).sorted { left, _ in left.contains("GET") }
    #expect(lines.count == 2)
    #expect(lines[0].hasPrefix("127.0.0.1 - - ["))
    #expect(
      lines[0].contains("] \"GET /x?y=\\x22z HTTP/1.1\" 200 5 \"http://r/\" \"a\\x22b\\x5Cc\" kong_request_id: \""))
    #expect(lines[1].contains("\"-\" 400 "))
  }

  @Test("dates have the forms of HTTP and of logs")
  func dates() {
    #expect(LoopClock.httpDate(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(LoopClock.logDate(784_111_777) == "06/Nov/1994:08:49:37 +0000")
  }

  @Test("request ids are 32 hexadecimal digits and differ")
  func identifiers() {
    var identifiers = RequestIdentifiers()
    let made = (0..<1000).map { _ in identifiers.next() }
    #expect(Set(made).count == 1000)
    #expect(made.allSatisfy { $0.text.count == 32 && $0.text.allSatisfy { "0123456789abcdef".contains($0) } })
    #expect(RequestIdentifier(high: 0x0123_4567_89AB_CDEF, low: 0xF0).text == "0123456789abcdef00000000000000f0")
  }
}
