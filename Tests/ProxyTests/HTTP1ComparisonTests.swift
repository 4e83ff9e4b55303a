import NIOCore
import NIOEmbedded
import NIOHTTP1
import PluginKit
import Testing

@testable import Proxy

/// The request parser beside NIO's own codec, on requests that are made from a grammar and then spoilt.
///
/// What NIO reads, the parser reads in the same way, unless the request has one of the marks that a gateway is stricter
/// about; `Strictness` is the list of them. What NIO refuses, the parser refuses, but for the two things in `Leniency`.
@Suite("Beside NIO's codec") struct HTTP1ComparisonTests {
  private struct Reading: Equatable {
    var method: String
    var target: String
    var fields: [String]
  }

  // MARK: NIO

  /// Nil when it refuses the request or does not find a whole head.
  private static func readByNIO(_ bytes: [UInt8]) throws -> Reading? {
    let channel = EmbeddedChannel(
      handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
    defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
    // What follows the head may be no body; the head has been read then nevertheless.
    _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
    guard case .head(let head)? = try channel.readInbound(as: HTTPServerRequestPart.self) else { return nil }
    return Reading(
      method: head.method.rawValue, target: head.uri,
      // Blanks after a value are none of it (RFC 9112 §5.1), though NIO leaves them.
      fields: head.headers.map { "\($0.name.lowercased()): \($0.value.trimmed)" })
  }

  // MARK: Ours

  private static func readByProxy(_ bytes: [UInt8]) -> Reading? {
    var parser = HTTP1RequestParser()
    guard case .head(let head) = bytes.withUnsafeBytes({ parser.parse($0) }) else { return nil }
    var block = HeaderBlock()
    bytes.withUnsafeBytes { block.reset(copying: $0, fields: parser.fields) }
    var target = String(decoding: bytes[head.target], as: UTF8.self)
    if let authority = head.authority {
      target = "http://" + String(decoding: bytes[authority], as: UTF8.self) + target
    }
    return Reading(
      method: head.method.name, target: target,
      fields: (0..<block.count).map { "\(block.name(at: $0).lowercased()): \(block.value(at: $0))" })
  }

  // MARK: What is stricter

  /// Marks of a request that the parser refuses though NIO's codec reads it.
  private enum Strictness: CaseIterable {
    /// Not exactly one Host in HTTP/1.1, or one that is empty or has bytes that belong to no host.
    case host
    /// A target that is neither a path nor an http URL, climbs above the root or has a broken escape.
    case target
    /// Methods in lower case, TRACE, CONNECT.
    case method
    /// A transfer coding that is not just `chunked`, is repeated or comes with HTTP/1.0 or a length.
    case coding
    /// Two lengths, even equal ones; no or too large a number.
    case length
    /// A line that ends in LF alone, a folded line, empty lines before the request.
    case line
    /// Versions other than 1.0 and 1.1.
    case version

    func marks(_ bytes: [UInt8]) -> Bool {
      let text = String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
      let head = text.components(endingAt: "\r\n\r\n")
      let lines = head.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
      let requestLine = lines.first { !$0.isEmpty } ?? ""
      let words = requestLine.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      func values(_ name: String) -> [String] {
        lines.dropFirst().compactMap { line in
          guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name else { return nil }
          return String(line[line.index(after: colon)...]).trimmed
        }
      }
      switch self {
      case .host:
        let hosts = values("host")
        return hosts.count != 1 || hosts[0].isEmpty || hosts[0].contains("..")
          || hosts[0].unicodeScalars.contains { $0.value <= 0x20 || "/\\?#@,<>\"\u{7f}".unicodeScalars.contains($0) }
      case .target:
        guard words.count == 3, words[1].hasPrefix("/") || words[1].lowercased().hasPrefix("http") else { return true }
        return words[1].contains("%") || words[1].contains("..") || words[1].contains("@") || words[1].contains("\\")
          || words[1].contains("#") || words[1].unicodeScalars.contains { $0.value > 0x7E || $0.value < 0x21 }
          || !words[1].hasPrefix("/")
      case .method:
        let method = words.first ?? ""
        return method != method.uppercased() || ["TRACE", "CONNECT"].contains(method)
      case .coding: return !values("transfer-encoding").isEmpty
      case .length:
        let lengths = values("content-length")
        return lengths.count > 1 || lengths.contains { $0.count > 18 || Int($0) == nil }
      case .line:
        return text.hasPrefix("\r") || text.hasPrefix("\n") || head.replacing("\r\n", with: "").contains("\n")
          || lines.contains { $0.hasPrefix(" ") || $0.hasPrefix("\t") }
      case .version: return !(requestLine.hasSuffix("HTTP/1.1") || requestLine.hasSuffix("HTTP/1.0"))
      }
    }
  }

  /// Marks of a request that the parser reads, as nginx does, though NIO's codec refuses it.
  private enum Leniency: CaseIterable {
    /// Methods are an open set (RFC 9110 §9.1); NIO's codec knows a list of names.
    case method
    /// Bytes above ASCII in a target, which clients send unescaped.
    case target

    func marks(_ bytes: [UInt8]) -> Bool {
      let line = bytes.drop { $0 == 0x0D || $0 == 0x0A }.prefix { $0 != 0x0D }
      switch self {
      case .method:
        let method = String(decoding: line.prefix { $0 != 0x20 }, as: UTF8.self)
        return !HTTP1ComparisonTests.methods.contains(method)
      case .target: return line.contains { $0 >= 0x80 }
      }
    }
  }

  private static let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "REPORT", "PROPFIND"]

  // MARK: Requests

  private static func makeRequest(_ random: inout SeededGenerator) -> [UInt8] {
    func one(of choices: [String]) -> String { choices.randomElement(using: &random) ?? "" }
    var text = one(of: methods) + " "
    text += one(of: ["/", "/a/b", "/a?b=c&d", "/%41", "/a//b", "/~x;y=1", "http://b.test/x", "http://b.test", "/a..b"])
    text += one(of: [" HTTP/1.1\r\n", " HTTP/1.1\r\n", " HTTP/1.0\r\n"])
    var fields = ["Host: a.test"]
    for _ in 0..<Int.random(in: 0...4, using: &random) {
      fields.append(
        one(of: [
          "Accept: */*", "X-Empty:", "x_y:  padded \t", "Cookie: a=b; c=\"d\"", "User-Agent: \u{e9}\u{ff}",
          "Connection: close", "Connection: keep-alive, X-Y", "Upgrade: websocket", "Expect: 100-continue",
          "Via: 1.1 x", "Content-Length: 5", "Content-Length: 0", "Transfer-Encoding: chunked", "If-Match: \"x\"",
        ]))
    }
    text += fields.shuffled(using: &random).map { $0 + "\r\n" }.joined() + "\r\n"
    return text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
  }

  /// Changes, drops, doubles or puts in bytes, those above all that mean something.
  private static func spoil(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
    let signs = Array("\r\n\t :,;/?#@%.\\\"()[]{}<>=-_ \0\u{1}\u{b}\u{7f}0aZ".utf8) + [0x80, 0xFF]
    switch Int.random(in: 0..<24, using: &random) {
    case 0: bytes = Array(String(decoding: bytes, as: UTF8.self).replacing("GET", with: "TRACE").utf8)
    case 1: bytes = Array(String(decoding: bytes, as: UTF8.self).replacing("Host: a", with: "Content-Length: 5").utf8)
    case 2: bytes = [0x0D, 0x0A] + bytes
    default: break
    }
    for _ in 0..<Int.random(in: 0...2, using: &random) {
      let place = Int.random(in: 0..<bytes.count, using: &random)
      let sign = signs.randomElement(using: &random) ?? 0
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes[place] = sign
      case 1: bytes.insert(sign, at: place)
      case 2: bytes.remove(at: place)
      default: bytes.insert(bytes[place], at: place)
      }
    }
  }

  @Test("10,000 generated requests are read alike, or refused for a listed reason")
  func generated() throws {
    var random = SeededGenerator(seed: 2026)
    var alike = 0
    var bothRefuse = 0
    var moreRead = 0
    var reasons: [Strictness: Int] = [:]
    for _ in 0..<10_000 {
      var bytes = Self.makeRequest(&random)
      Self.spoil(&bytes, &random)
      let theirs = try Self.readByNIO(bytes)
      let ours = Self.readByProxy(bytes)
      let shown = String(decoding: bytes, as: UTF8.self).debugDescription
      switch (theirs, ours) {
      case (nil, nil): bothRefuse += 1
      case (let theirs?, let ours?):
        alike += 1
        #expect(theirs == ours, "\(shown)")
      case (nil, _?):
        let found = Leniency.allCases.filter { $0.marks(bytes) }
        #expect(!found.isEmpty, "NIO refuses what is read here: \(shown)")
        moreRead += 1
      case (_?, nil):
        let found = Strictness.allCases.filter { $0.marks(bytes) }
        #expect(!found.isEmpty, "refused without a listed reason: \(shown)")
        for reason in found { reasons[reason, default: 0] += 1 }
      }
    }
    #expect(
      alike > 3000 && bothRefuse > 1000 && moreRead < 500,
      "\(alike) read alike, \(bothRefuse) refused by both, \(moreRead) read here alone, \(reasons)")
    #expect(reasons.count >= 4, "listed reasons occur: \(reasons)")
  }
}

extension String {
  fileprivate var trimmed: String {
    var scalars = Substring(self).unicodeScalars
    while let first = scalars.first, first == " " || first == "\t" { scalars.removeFirst() }
    while let last = scalars.last, last == " " || last == "\t" { scalars.removeLast() }
    return String(scalars)
  }

  /// What comes before the first `end`; everything if there is none.
  fileprivate func components(endingAt end: String) -> String {
    guard let range = firstRange(of: end) else { return self }
    return String(self[..<range.lowerBound])
  }
}
