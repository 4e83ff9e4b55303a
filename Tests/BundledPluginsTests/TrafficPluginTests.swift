import EntityModel
import NIOCore
import Testing

@testable import BundledPlugins
@testable import PluginKit

@Suite("cors, bot-detection and request-size-limiting")
struct TrafficPluginTests {
  // MARK: cors

  private func preflight(_ config: JSONValue, _ headers: [(String, String)] = []) throws -> EarlyResponse? {
    let bed = PluginTestBed(
      method: .options,
      headers: [("Origin", "https://shop.example"), ("Access-Control-Request-Method", "PUT")] + headers)
    try bed.access(CORS.definition, config)
    return bed.context.earlyResponse
  }

  private func marked(_ config: JSONValue, origin: String?, upstream: [(String, String)] = []) throws -> HeaderBlock {
    let bed = PluginTestBed(headers: origin.map { [("Origin", $0)] } ?? [])
    let executor = try PluginTestBed.executor(CORS.definition, config)
    _ = executor.run(.access, bed.context)
    for (name, value) in upstream { bed.context.response.headers.add(name, value) }
    _ = executor.run(.headerFilter, bed.context)
    return bed.context.response.headers
  }

  @Test("a preflight request is answered with what is allowed")
  func preflightAnswer() throws {
    let answer = try #require(
      try preflight(
        [
          "origins": ["https://shop.example", "https://other.example"], "methods": ["GET", "PUT"], "max_age": 600,
          "credentials": true, "private_network": true,
        ],
        [("Access-Control-Request-Headers", "x-a, x-b"), ("Access-Control-Request-Private-Network", "true")]))
    #expect(answer.status == 200 && answer.body == nil)
    let headers = Dictionary(answer.headers.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    #expect(
      headers == [
        "Vary": "Origin", "Access-Control-Allow-Origin": "https://shop.example",
        "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Headers": "x-a, x-b",
        "Access-Control-Allow-Methods": "GET,PUT", "Access-Control-Max-Age": "600",
        "Access-Control-Allow-Private-Network": "true",
      ])
    let foreign = try #require(try preflight(["origins": ["https://a.example", "https://b.example"]]))
    #expect(foreign.status == 200 && !foreign.headers.contains { $0.name == "Access-Control-Allow-Origin" })
    #expect(try preflight(["preflight_continue": true]) == nil)
  }

  @Test("other requests pass, and their responses are marked")
  func marking() throws {
    let plain = try marked(["exposed_headers": ["X-A", "X-B"]], origin: "https://shop.example")
    #expect(plain.first("Access-Control-Allow-Origin") == "*" && plain.first("Vary") == nil)
    #expect(plain.first("Access-Control-Expose-Headers") == "X-A,X-B")
    let secret = try marked(["credentials": true], origin: "https://shop.example")
    #expect(secret.first("Access-Control-Allow-Origin") == "https://shop.example")
    #expect(secret.first("Access-Control-Allow-Credentials") == "true" && secret.first("Vary") == "Origin")
    let fixed = try marked(["origins": ["https://a.example"]], origin: "https://shop.example")
    #expect(fixed.first("Access-Control-Allow-Origin") == "https://a.example")
    let refused = try marked(
      ["origins": ["https://a.example", "https://b.example"]], origin: "https://shop.example",
      upstream: [("Access-Control-Allow-Origin", "*"), ("Vary", "Accept, origin")])
    #expect(refused.first("Access-Control-Allow-Origin") == nil)
    #expect(refused.values(of: "Vary") == ["Accept, origin"])
    #expect(try marked([:], origin: nil).first("Access-Control-Allow-Origin") == "*")
    #expect(try marked(["allow_origin_absent": false], origin: nil).first("Access-Control-Allow-Origin") == nil)
    #expect(try marked(["allow_origin_absent": false], origin: "").first("Access-Control-Allow-Origin") == nil)
  }

  @Test(
    "entries are hosts, origins or regular expressions of whole origins",
    arguments: [
      ("shop.example", "https://shop.example", true), ("shop.example", "https://shop.example:8443", true),
      ("shop.example:8443", "https://shop.example", false), ("https://shop.example", "http://shop.example", false),
      ("https://shop.example:443", "https://SHOP.example", true), ("shop.example", "https://evil-shop.example", false),
      (#"https://.*\.example"#, "https://a.b.example", true),
      (#"https://.*\.example"#, "https://a.b.example.evil", false), ("*", "null", true),
    ])
  func origins(_ entry: String, _ origin: String, _ expected: Bool) {
    let answer = CORSOrigins([entry, "https://unrelated.invalid"]).answer(to: origin)
    #expect((answer != .nobody) == expected)
  }

  @Test("an origin that is no regular expression is refused")
  func badOrigin() {
    #expect(throws: SchemaViolations.self) {
      try PluginTestBed.validated(CORS.definition, ["origins": ["https://(.example"]])
    }
  }

  // MARK: bot-detection

  @Test(
    "crawlers are refused, allowed ones and browsers pass",
    arguments: [
      ("Mozilla/5.0 (compatible; Googlebot/2.1)", 403), ("Baiduspider/2.0", 403), ("my crawler", 403),
      ("friendlybot/1", nil), ("evil/1.0", 403), ("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", nil),
      ("curl/8.0", nil), ("", nil),
    ] as [(String, Int?)])
  func bots(_ agent: String, _ expected: Int?) throws {
    let bed = PluginTestBed(headers: [("User-Agent", agent)])
    try bed.access(BotDetection.definition, ["allow": ["friendlybot"], "deny": ["^evil/"]])
    #expect(bed.context.earlyResponse?.status == expected)
  }

  @Test("a request without user agent passes, one with two is bad, and a bad regex is refused")
  func oddAgents() throws {
    let none = PluginTestBed()
    try none.access(BotDetection.definition, [:])
    #expect(none.context.earlyResponse == nil)
    let two = PluginTestBed(headers: [("User-Agent", "a"), ("User-Agent", "b")])
    try two.access(BotDetection.definition, [:])
    #expect(two.context.earlyResponse?.status == 400)
    #expect(throws: SchemaViolations.self) {
      try PluginTestBed.validated(BotDetection.definition, ["deny": ["("]])
    }
  }

  // MARK: request-size-limiting

  @Test("a body that is too large is refused by the length it says, or by the one it has")
  func sizes() throws {
    let config: JSONValue = ["allowed_payload_size": 1, "size_unit": "kilobytes"]
    func status(_ headers: [(String, String)], body: String = "", _ config: JSONValue) throws -> Int? {
      let bed = PluginTestBed(method: .post, headers: headers, body: body)
      try bed.access(RequestSizeLimiting.definition, config)
      return bed.context.earlyResponse?.status
    }
    #expect(try status([("Content-Length", "1000")], config) == nil)
    #expect(try status([("Content-Length", "1001")], config) == 413)
    #expect(try status([("Content-Length", "1001"), ("Expect", "100-continue")], config) == 417)
    let chunked = [("Transfer-Encoding", "chunked")]
    #expect(try status(chunked, body: String(repeating: "x", count: 1000), config) == nil)
    #expect(try status(chunked, body: String(repeating: "x", count: 1001), config) == 413)
    #expect(try status([], config) == nil)
    #expect(try status([], ["require_content_length": true]) == 411)
    #expect(try status([("Content-Length", "128000001")], [:]) == 413)
    #expect(
      try status([("Content-Length", "999999999999")], ["allowed_payload_size": 9_223_372_036_854_775_807]) == nil)
  }
}
