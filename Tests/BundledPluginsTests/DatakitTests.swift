import EntityModel
import GatewayTesting
import Testing

@testable import BundledPlugins

/// Graphs at work, against real servers.
@Suite struct DatakitTests {
  typealias Bed = DatakitTestBed

  static func json(_ text: String, status: String = "200 OK", type: String = "application/json") -> UpstreamAct {
    .send(
      "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nX-From: server\r\n"
        + "Content-Length: \(text.utf8.count)\r\n\r\n\(text)"
    )
  }

  static func server(_ answer: @escaping @Sendable (ReceivedRequest) -> UpstreamAct) async throws
    -> ScriptedUpstream
  { try await ScriptedUpstream.start(answer: answer) }

  func jq(_ name: String, _ program: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
    .object(["type": "jq", "name": .string(name), "jq": .string(program)].merging(more) { $1 })
  }

  func exit(_ input: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
    .object(["type": "exit", "name": "EXIT", "inputs": ["body": .string(input)]].merging(more) { $1 })
  }

  // MARK: Calls

  @Test("two calls are joined by a program and answered")
  func joined() async throws {
    let server = try await Self.server { request in
      request.requestLine.contains("/cats") ? Self.json(#"{"fact":"cat"}"#) : Self.json(#"{"fact":"dog"}"#)
    }
    let outcome = try await Bed.run([
      "nodes": [
        ["type": "call", "name": "CATS", "url": .string("http://127.0.0.1:\(server.port)/cats")],
        ["type": "call", "name": "DOGS", "url": .string("http://127.0.0.1:\(server.port)/dogs")],
        jq("JOIN", "{cat: .cat.fact, dog: .dog.fact}", ["inputs": ["cat": "CATS.body", "dog": "DOGS.body"]]),
        exit("JOIN", ["status": 201]),
      ]
    ])
    #expect(outcome.status == 201)
    #expect(outcome.json == ["cat": "cat", "dog": "dog"])
    #expect(outcome.header("content-type", \.headers) == "application/json")
    #expect(server.requests.count == 2)
  }

  @Test("calls are under way side by side, and an exit waits for none but its own")
  func concurrent() async throws {
    let silent = try await Self.server { _ in .silence }
    let quick = try await Self.server { _ in Self.json("{}") }
    let clock = ContinuousClock()
    let began = clock.now
    let outcome = try await Bed.run([
      "nodes": [
        ["type": "call", "name": "SLOW", "url": .string("http://127.0.0.1:\(silent.port)/"), "timeout": 20_000],
        ["type": "call", "name": "QUICK", "url": .string("http://127.0.0.1:\(quick.port)/")],
        exit("QUICK.body"),
      ]
    ])
    #expect(outcome.status == 200)
    #expect(clock.now - began < .seconds(15))
  }

  @Test("a call sends method, headers, query and body as its inputs say")
  func callInputs() async throws {
    let server = try await Self.server { _ in Self.json("{}") }
    _ = try await Bed.run([
      "nodes": [
        [
          "type": "static", "name": "IN",
          "values": [
            "headers": ["X-One": "1", "X-Many": ["a", "b"], "X-None": nil, "X-Number": 7, "Content-Length": "99"],
            "query": ["q": "a b", "list": [1, 2], "flag": true], "body": ["n": 1],
          ],
        ],
        [
          "type": "call", "name": "C", "url": .string("http://127.0.0.1:\(server.port)/p?x=y"), "method": "POST",
          "input": "IN",
        ],
      ]
    ])
    let request = try #require(server.requests.first)
    #expect(request.requestLine == "POST /p?x=y&flag&list=1&list=2&q=a%20b HTTP/1.1")
    #expect(request.text == #"{"n":1}"#)
    #expect(request.header("content-type") == "application/json")
    #expect(request.header("content-length") == "7")
    #expect(request.values("x-many") == ["a", "b"])
    #expect(request.header("x-one") == "1" && request.header("x-number") == "7" && request.header("x-none") == nil)
  }

  @Test("an object goes as a form if the headers say so")
  func form() async throws {
    let server = try await Self.server { _ in Self.json("{}") }
    _ = try await Bed.run([
      "nodes": [
        [
          "type": "static", "name": "IN",
          "values": [
            "headers": ["content-type": "application/x-www-form-urlencoded"],
            "body": ["grant_type": "client_credentials", "scope": "a&b"],
          ],
        ],
        [
          "type": "call", "name": "C", "url": .string("http://127.0.0.1:\(server.port)/"), "method": "POST",
          "input": "IN",
        ],
      ]
    ])
    #expect(server.requests.first?.text == "grant_type=client_credentials&scope=a%26b")
    #expect(server.requests.first?.header("content-type") == "application/x-www-form-urlencoded")
  }

  @Test("the url may come from a node; without a value the configured one counts")
  func dynamicURL() async throws {
    let server = try await Self.server { request in Self.json("\"\(request.requestLine.split(separator: " ")[1])\"") }
    let base = "http://127.0.0.1:\(server.port)"
    for (program, path) in [("\"\(base)/dynamic\"", "/dynamic"), ("null", "/fixed")] {
      let outcome = try await Bed.run([
        "nodes": [
          jq("URL", program),
          ["type": "call", "name": "C", "url": .string(base + "/fixed"), "inputs": ["url": "URL"]], exit("C.body"),
        ]
      ])
      #expect(outcome.answer == path)
    }
  }

  @Test("status, headers and raw body of a call can be used; headers keep their case")
  func callOutputs() async throws {
    let server = try await Self.server { _ in Self.json("[1,  2]", status: "202 Accepted") }
    let outcome = try await Bed.run([
      "nodes": [
        ["type": "call", "name": "C", "url": .string("http://127.0.0.1:\(server.port)/")],
        jq(
          "ALL", "{s: .s, h: .h[\"X-From\"], r: .r, b: .b}",
          ["inputs": ["s": "C.status", "h": "C.headers", "r": "C.raw_body", "b": "C.body"]]),
        exit("ALL"),
      ]
    ])
    #expect(outcome.json == ["s": 202, "h": "server", "r": "[1,  2]", "b": [1, 2]])
  }

  @Test("an exit fed by a call passes its body and headers on")
  func exitOfCall() async throws {
    let server = try await Self.server { _ in Self.json("plain text", type: "text/plain") }
    let outcome = try await Bed.run([
      "nodes": [
        ["type": "call", "name": "C", "url": .string("http://127.0.0.1:\(server.port)/")],
        ["type": "exit", "input": "C"],
      ]
    ])
    #expect(outcome.answer == "plain text")
    #expect(outcome.header("content-type", \.headers) == "text/plain")
    #expect(outcome.header("x-from", \.headers) == "server")
    #expect(outcome.header("content-length", \.headers) == nil)
  }

  // MARK: Failures

  @Test("a status beyond 2xx fails the node: 500 for the client, the reason for the log")
  func badStatus() async throws {
    let server = try await Self.server { _ in Self.json("{}", status: "403 Forbidden") }
    let outcome = try await Bed.run(
      [
        "nodes": [
          ["type": "call", "name": "API", "url": .string("http://127.0.0.1:\(server.port)/")], exit("API.body"),
        ]
      ],
      .init(headers: [("Accept", "application/json")]))
    #expect(outcome.status == 500)
    #expect(outcome.json["message"] == "An unexpected error occurred")
    #expect(outcome.json["request_id"] == .string(String(repeating: "a", count: 32)))
    #expect(outcome.log.contains { $0.hasPrefix("node #1 (API) failed with error: \"non-2XX response code: 403\"") })
  }

  @Test("in debug mode the client learns which node failed and why")
  func debug() async throws {
    let server = try await Self.server { _ in Self.json("{}", status: "403 Forbidden") }
    let outcome = try await Bed.run([
      "debug": true,
      "nodes": [["type": "call", "name": "API", "url": .string("http://127.0.0.1:\(server.port)/")]],
    ])
    #expect(outcome.status == 500)
    #expect(
      outcome.json == [
        "message": "node execution error", "request_id": .string(String(repeating: "a", count: 32)),
        "error": "non-2XX response code: 403", "node": ["index": 1, "name": "API", "type": "call"],
      ])
  }

  @Test("servers that are slow, lie about JSON, or are not there fail the node")
  func badServers() async throws {
    let silent = try await Self.server { _ in .silence }
    let liar = try await Self.server { _ in Self.json("{not json") }
    let deep = try await Self.server { _ in Self.json(String(repeating: "[", count: 100_000)) }
    let closing = try await Self.server { _ in .close }
    let refusing = try refusingPort()
    for (port, words) in [
      (silent.port, "timeout"), (liar.port, "the response body is not valid JSON"), (deep.port, "nested deeper"),
      (closing.port, "closed"), (refusing, "cannot connect"),
    ] {
      let outcome = try await Bed.run([
        "debug": true,
        "nodes": [["type": "call", "url": .string("http://127.0.0.1:\(port)/"), "timeout": 300]],
      ])
      #expect(outcome.status == 500)
      #expect(outcome.json["error"]?.string?.contains(words) == true, "\(outcome.json.serializedString)")
    }
  }

  private static let badInputs: [(String, String, JSONValue, String)] = [
    (
      "exit", "\"no map\"", ["headers": "J"] as JSONValue,
      "invalid input 'headers': expected a value of the type map, got string"
    ),
    ("exit", "{\"a b\": \"c\"}", ["headers": "J"], "invalid header name 'a b'"),
    (
      "exit", "{\"a\": \"x\\r\\ny: z\"}", ["headers": "J"],
      "invalid value of the header 'a': control characters are not allowed"
    ),
    ("exit", "{\"a\": {\"b\": 1}}", ["headers": "J"], "invalid value of the header 'a': expected a string, got object"),
    ("call", "7", ["url": "J"], "invalid url: '7'"), ("call", "\"ftp://a/\"", ["url": "J"], "invalid url: 'ftp://a/'"),
  ]

  @Test("values that do not fit an input fail the node when they come", arguments: badInputs)
  func badValues(type: String, program: String, inputs: JSONValue, message: String) async throws {
    let outcome = try await Bed.run([
      "debug": true, "nodes": [jq("J", program), ["type": .string(type), "inputs": inputs]],
    ])
    #expect(outcome.status == 500)
    #expect(outcome.json["error"] == .string(message))
  }

  @Test("programs that raise, never end or make too much fail the node")
  func badPrograms() async throws {
    for (program, words) in [
      ("error(\"no way\")", "no way"), ("def f: f; f", "the program took too long"),
      ("[range(1e9)]", "the program took"), ("reduce range(50000) as $i (0; [.])", "the result cannot be used"),
      ("[limit(3000000; repeat(\"12345678\"))]", "the"),
    ] {
      let outcome = try await Bed.run(["debug": true, "nodes": [jq("J", program), exit("J")]])
      #expect(outcome.status == 500)
      #expect(outcome.json["error"]?.string?.contains(words) == true, "\(program): \(outcome.json.serializedString)")
    }
  }

  @Test("servers must be verified while tls_certificate_verify is on")
  func verification() async throws {
    let outcome = try await Bed.run(
      ["debug": true, "nodes": [["type": "call", "url": "https://127.0.0.1:1/", "ssl_verify": false]]],
      .init(settings: ["tls_certificate_verify": true]))
    #expect(outcome.json["error"] == "ssl_verify cannot be false while tls_certificate_verify is on")
  }

  // MARK: Request

  @Test("the request can be read: body by content type, headers, query and the line")
  func request() async throws {
    let outcome = try await Bed.run(
      [
        "nodes": [
          jq(
            "ALL",
            """
            {b: .body.x, h: .headers["X-Case"], q: .query, p: .path, m: .method, s: .scheme, v: .version, port: .port}
            """,
            ["input": "request"]),
          exit("ALL"),
        ]
      ],
      .init(
        method: .post, target: "/a/b?one=1&two=2&two=3&flag",
        headers: [("Content-Type", "application/json; charset=utf-8"), ("X-Case", "kept")], body: #"{"x":[true]}"#))
    #expect(
      outcome.json == [
        "b": [true], "h": "kept", "q": ["one": "1", "two": ["2", "3"], "flag": true], "p": "/a/b", "m": "POST",
        "s": "http", "v": "1.1", "port": 8000,
      ])
  }

  @Test("a body that is no JSON is a text, and a broken JSON body fails")
  func requestBodies() async throws {
    let nodes: JSONValue = [jq("T", "type", ["input": "request.body"]), exit("T")]
    #expect(try await Bed.run(["nodes": nodes], .init(method: .post, body: "text")).answer == "string")
    #expect(try await Bed.run(["nodes": nodes], .init(method: .post)).answer == "null")
    let broken = try await Bed.run(
      ["nodes": nodes, "debug": true], .init(method: .post, headers: [("Content-Type", "application/json")], body: "{"))
    #expect(broken.json["error"]?.string?.hasPrefix("the request body is not valid JSON") == true)
    #expect(broken.json["node"] == ["name": "request", "type": "request"])
  }

  @Test("bytes that are no text pass unchanged from request to service")
  func binary() async throws {
    let server = try await Self.server { _ in
      .sendPieces([Array("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n".utf8) + [0xFF, 0x00, 0xFE]])
    }
    let outcome = try await Bed.run([
      "nodes": [
        [
          "type": "call", "name": "C", "url": .string("http://127.0.0.1:\(server.port)/"),
          "outputs": ["body": "service_request.body"],
        ]
      ]
    ])
    #expect(outcome.header("content-length", \.requestHeaders) == "3")
  }

  @Test("the service's request gets body, headers and query")
  func serviceRequest() async throws {
    let outcome = try await Bed.run(
      [
        "nodes": [
          ["type": "static", "name": "HEADERS", "values": ["X-New": "1", "X-Old": nil, "X-List": ["a", "b"]]],
          jq("BODY", "{wrapped: .}", ["input": "request.body", "output": "service_request.body"]),
          jq("QUERY", "{only: \"this\"}", ["output": "service_request.query"]),
          jq("PASS", ".", ["input": "HEADERS", "output": "service_request.headers"]),
        ]
      ], .init(method: .post, target: "/?a=b", headers: [("X-Old", "2"), ("Content-Type", "text/plain")], body: "hi"))
    #expect(outcome.status == nil)
    #expect(outcome.body == #"{"wrapped":"hi"}"#)
    #expect(outcome.query == "only=this")
    #expect(outcome.header("x-new", \.requestHeaders) == "1")
    #expect(outcome.header("x-old", \.requestHeaders) == nil)
    #expect(outcome.requestHeaders.filter { $0.name == "X-List" }.map(\.value) == ["a", "b"])
    #expect(outcome.header("content-type", \.requestHeaders) == "application/json")
    #expect(outcome.header("content-length", \.requestHeaders) == "16")
  }

  // MARK: Response

  @Test("the service's response is transformed, with a call in between")
  func response() async throws {
    let server = try await Self.server { request in Self.json("{\"seen\":\(request.text)}") }
    let outcome = try await Bed.run(
      [
        "nodes": [
          [
            "type": "call", "name": "C", "url": .string("http://127.0.0.1:\(server.port)/"), "method": "POST",
            "inputs": ["body": "service_response.body"],
          ],
          jq(
            "BODY", "{from: .c.seen.v, status: .s}",
            [
              "inputs": ["c": "C.body", "s": "service_response.status"],
              "output": "response.body",
            ]),
          [
            "type": "static", "name": "H", "values": ["headers": ["X-Added": "yes", "X-Gone": nil]],
            "output": "response",
          ],
        ]
      ],
      .init(
        response: (
          203, [("Content-Type", "application/json"), ("X-Gone", "1"), ("Content-Length", "9")], #"{"v":"b"}"#
        )))
    #expect(outcome.status == nil)
    #expect(outcome.responseBody == #"{"from":"b","status":203}"#)
    #expect(outcome.header("x-added", \.responseHeaders) == "yes")
    #expect(outcome.header("x-gone", \.responseHeaders) == nil)
    #expect(outcome.header("content-length", \.responseHeaders) == nil)
  }

  @Test("an exit may take the place of the service's response")
  func lateExit() async throws {
    let outcome = try await Bed.run(
      ["nodes": [jq("J", "{late: .}", ["input": "service_response.status"]), exit("J", ["status": 418])]],
      .init(response: (500, [("X-Secret", "1")], "oops")))
    #expect(outcome.status == 418)
    #expect(outcome.json == ["late": 500])
    #expect(outcome.header("x-secret", \.headers) == nil)
  }

  @Test("values of access are still there in response")
  func acrossPhases() async throws {
    let outcome = try await Bed.run(
      [
        "nodes": [
          jq("EARLY", ".a", ["input": "request.query"]),
          ["type": "property", "name": "KEEP", "property": "kong.ctx.plugin.x", "input": "EARLY"],
          jq(
            "LATE", "[.early, .status]", ["inputs": ["early": "EARLY", "status": "STATUS"], "output": "response.body"]),
          ["type": "property", "name": "STATUS", "property": "kong.service.response.status"],
        ]
      ], .init(target: "/?a=1", response: (200, [], "x")))
    #expect(outcome.responseBody == #"["1",200]"#)
  }
}
