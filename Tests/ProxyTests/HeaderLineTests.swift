import PluginKit
import Testing

@testable import Proxy

/// The quick way through header lines against the slow one, and the memory that they end in.
@Suite struct HeaderLineTests {
  private static let names = [
    "Host", "hOST", "X-Real-IP", "x-real\rip", "Content-Length", "content_length", "TE", "Te:", "V ia", "", "X",
    "User-Agent",
    "X-Forwarded-Prefix", "X-Kong-Request-Id", "X-Kong-Request-Ie", "@ost",
    "a-name-longer-than-any-word-of-the-machine",
  ]
  private static let values = [
    "", "a", " a", "a ", "\ta", "a\tb", "a\u{7F}", "a\u{0}b", "12345678", "1234567890abcdef", "keep-alive", "a: b",
    "é€",
    "Mon, 23 Nov 2026 04:00:00 GMT", "ends with a tab\t", "a\rb",
  ]

  @Test("the quick way takes a line only where the slow way takes it, with the same result")
  func sameAsSlow() {
    let tokens = HTTPCharacters.tokenTable
    var taken = 0
    for name in Self.names {
      for value in Self.values {
        for separator in [":", ": ", ":  ", " : "] {
          for end in ["\r\n", "\n", "\r\n\r\nmore", "\r"] {
            let line = Array((name + separator + value).utf8)
            let bytes = Array("GET / HTTP/1.1\r\n".utf8) + line + Array(end.utf8)
            bytes.withUnsafeBytes { bytes in
              guard let quick = HTTP1FieldLine(usual: bytes, from: 16, tokens) else { return }
              taken += 1
              #expect(quick.end == 16 + line.count + 2 && end.hasPrefix("\r\n"))
              let slow = line.withUnsafeBytes { HTTP1FieldLine.entry($0, at: 16, tokens) }
              #expect(slow?.name(bytes).elementsEqual(quick.entry.name(bytes)) == true)
              #expect(slow?.value(bytes).elementsEqual(quick.entry.value(bytes)) == true)
              #expect(slow?.known == quick.entry.known)
              let shown = quick.entry.name(bytes).count
              let hasSpace = Array(bytes[(16 + shown)..<(16 + shown + 2)]) == Array(": ".utf8)
              #expect(quick.entry.isWholeLine == hasSpace)
            }
          }
        }
      }
    }
    #expect(taken > 200)
  }

  @Test("a head gives the same fields however it is cut")
  func cuts() {
    let head = Array(
      "GET /a?b HTTP/1.1\r\nHost: h\r\nX-A:  two \r\nAccept: */*\r\nConnection: keep-alive, x-a\r\n\r\nbody".utf8)
    for cut in 0..<head.count {
      var parser = HTTP1RequestParser()
      let first = head[..<cut].withUnsafeBytes { parser.parse($0) }
      let result = first == .needsMore ? head.withUnsafeBytes { parser.parse($0) } : first
      guard case .head(let found) = result else {
        Issue.record("cut at \(cut): \(result)")
        continue
      }
      #expect(found.length == head.count - 4 && found.connection == [.keepAlive, .namesFields])
      #expect(parser.fields.map(\.known) == [.host, .other, .accept, .connection])
      let values = head.withUnsafeBytes { bytes in
        parser.fields.map { String(decoding: $0.value(bytes), as: UTF8.self) }
      }
      #expect(values == ["h", "two", "*/*", "keep-alive, x-a"])
    }
  }

  @Test("a copy of a block keeps what it had when the other is changed")
  func copies() {
    var first = HeaderBlock()
    first.add("Host", "a")
    first.add("X-One", "1")
    var second = first
    second.set("host", "b\r\nEvil: 1")
    second.remove("x-one")
    for number in 0..<100 { second.add("X-\(number)", String(repeating: "v", count: number)) }
    #expect(first.count == 2 && first.first("HOST") == "a" && first.first("x-one") == "1")
    #expect(second.count == 101 && second.first("HOST") == "b%0D%0AEvil: 1" && second.first("x-one") == nil)
    #expect(second.first("x-99")?.count == 99)
    second.removeAll()
    #expect(second.isEmpty && !second.contains(.host) && first.contains(.host))
  }
}
