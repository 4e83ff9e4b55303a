import EntityModel
import GatewayTesting
import Testing

@testable import BundledPlugins

/// Graphs at work, against real servers.
@Suite struct DatakitTests {
  private typealias Bed = DatakitTestBed

  private static func json(_ text: String, status: String = "200 OK", type: String = "application/json") -> UpstreamAct {
    .send("HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nX-From: server\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
  }

  private static func server(_ answer: @escaping @Sendable (ReceivedRequest) -> UpstreamAct) async throws
    -> ScriptedUpstream
  { try await ScriptedUpstream.start(answer: answer) }

  private func jq(_ name: String, _ program: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
    .object(["type": "jq", "name": .string(name), "jq": .string(program)].merging(more) { $1 })
  }

  private func exit(_ input: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
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
        ["type": "call", "name": "C", "url": .string("http://127.0.0.1:\(server.port)/p?x=y"), "method": "POST", "input": "IN"],
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
        ["type": "call", "name": "C", "url": .string("http://127.0.0.1:\(server.port)/"), "method": "POST", "input": "IN"],
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
        jq("ALL", "{s: .s, h: .h[\"X-From\"], r: .r, b: .b}",
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
      ["nodes": [["type": "call", "name": "API", "url": .string("http://127.0.0.1:\(server.port)/")], exit("API.body")]],
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
      ("exit", "\"no map\"", ["headers": "J"] as JSONValue, "invalid input 'headers': expected a value of the type map, got string"),
      ("exit", "{\"a b\": \"c\"}", ["headers": "J"], "invalid header name 'a b'"),
      ("exit", "{\"a\": \"x\\r\\ny: z\"}", ["headers": "J"], "invalid value of the header 'a': control characters are not allowed"),
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
      ("[range(1e9)]", "the program took"), ("reduce range(50000) as $i (0; [.])", "nested deeper"),
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
          jq("ALL", "{b: .body.x, h: .headers[\"X-Case\"], q: .query, p: .path, m: .method, s: .scheme, v: .version, port: .port}",
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
        ["type": "call", "name": "C", "url": .string("http://127.0.0.1:\(server.port)/"), "outputs": ["body": "service_request.body"]]
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
          jq("BODY", "{from: .c.seen.v, status: .s}", ["inputs": ["c": "C.body", "s": "service_response.status"],
            "output": "response.body"]),
          ["type": "static", "name": "H", "values": ["headers": ["X-Added": "yes", "X-Gone": nil]], "output": "response"],
        ]
      ],
      .init(response: (203, [("Content-Type", "application/json"), ("X-Gone", "1"), ("Content-Length", "9")], #"{"v":"b"}"#)))
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
          jq("LATE", "[.early, .status]", ["inputs": ["early": "EARLY", "status": "STATUS"], "output": "response.body"]),
          ["type": "property", "name": "STATUS", "property": "kong.service.response.status"],
        ]
      ], .init(target: "/?a=1", response: (200, [], "x")))
    #expect(outcome.responseBody == #"["1",200]"#)
  }

  // MARK: Branches

  @Test("only the chosen side of a branch runs, nested branches included", arguments: ["yes", "no", "maybe"])
  func branches(choice: String) async throws {
    let outcome = try await Bed.run(
      [
        "nodes": [
          jq("IS_YES", ".c == \"yes\"", ["input": "request.query"]),
          ["type": "branch", "name": "B1", "input": "IS_YES", "then": ["YES"], "else": ["IS_NO", "B2"]],
          jq("IS_NO", ".c == \"no\"", ["input": "request.query"]),
          ["type": "branch", "name": "B2", "input": "IS_NO", "then": ["NO"]],
          ["type": "exit", "name": "YES", "status": 201], ["type": "exit", "name": "NO", "status": 202],
          jq("SEEN", "{isNo: .}", ["input": "IS_NO", "output": "service_request.body"]),
        ]
      ], .init(target: "/?c=\(choice)"))
    switch choice {
    case "yes": #expect(outcome.status == 201)
    case "no": #expect(outcome.status == 202)
    default:
      #expect(outcome.status == nil)
      #expect(outcome.body == #"{"isNo":false}"#)
    }
  }

  @Test("a node behind a skipped one runs without its value")
  func skipped() async throws {
    let outcome = try await Bed.run([
      "nodes": [
        jq("IF", "false"), ["type": "branch", "name": "B", "input": "IF", "then": ["VALUE"]], jq("VALUE", "1"),
        jq("AFTER", "[.v]", ["inputs": ["v": "VALUE"]]), exit("AFTER"),
      ]
    ])
    #expect(outcome.answer == "[null]")
  }

  @Test("a condition that is no boolean fails")
  func badCondition() async throws {
    let outcome = try await Bed.run([
      "debug": true,
      "nodes": [jq("IF", "1"), ["type": "branch", "name": "B", "input": "IF", "then": ["E"]], ["type": "exit", "name": "E"]],
    ])
    #expect(outcome.json["error"] == "invalid input: expected a value of the type boolean, got number")
  }

  // MARK: Cache

  @Test("a cache is missed, filled and hit")
  func cache() async throws {
    let server = try await Self.server { _ in Self.json(#"{"n":1}"#) }
    let config: JSONValue = [
      "resources": ["cache": ["strategy": "memory"]],
      "nodes": [
        ["type": "static", "name": "KEY", "values": ["key": "k"]],
        ["type": "cache", "name": "GET", "input": "KEY", "ttl": 200],
        ["type": "branch", "name": "B", "input": "GET.miss", "then": ["CALL", "SET", "MISS"], "else": ["HIT"]],
        ["type": "call", "name": "CALL", "url": .string("http://127.0.0.1:\(server.port)/")],
        ["type": "cache", "name": "SET", "ttl": 200, "inputs": ["key": "KEY.key", "data": "CALL.body"]],
        ["type": "exit", "name": "MISS", "status": 201, "inputs": ["body": "SET.data"]],
        ["type": "exit", "name": "HIT", "status": 200, "inputs": ["body": "GET.data"]],
      ],
    ]
    let id = "22222222-2222-4222-8222-\(String(UInt64.random(in: 0..<1 << 48) + 1 << 48, radix: 16).suffix(12))"
    let first = try await Bed.run(config, id: id)
    #expect(first.status == 201 && first.json == ["n": 1])
    let second = try await Bed.run(config, id: id)
    #expect(second.status == 200 && second.json == ["n": 1])
    #expect(server.requests.count == 1)
    // Another instance has its own data.
    #expect(try await Bed.run(config, id: "other").status == 201)
  }

  @Test("cached data expires, and what was not used for longest makes room")
  func cacheBounds() throws {
    let cache = DatakitCache(capacity: 8000)
    let now = ContinuousClock.now
    try cache.store(.json("a"), forKey: "short", seconds: 1, at: now)
    #expect(cache.value(forKey: "short", at: now) == .json("a"))
    #expect(cache.value(forKey: "short", at: now + .seconds(2)) == nil)
    for number in 0..<100 {
      try cache.store(.json(.string(String(repeating: "x", count: 100))), forKey: "\(number)", seconds: nil, at: now)
      #expect(cache.value(forKey: "0", at: now) != nil)
    }
    #expect(cache.value(forKey: "1", at: now) == nil)
    #expect(cache.value(forKey: "99", at: now) != nil)
    #expect(throws: DatakitFailure.self) {
      try cache.store(.json(.string(String(repeating: "x", count: 5000))), forKey: "big", seconds: nil, at: now)
    }
  }

  // MARK: Properties

  @Test("properties of client, request, node and settings can be read")
  func reading() async throws {
    let names: [(String, JSONValue)] = [
      ("kong.client.ip", "10.0.0.2"), ("kong.client.forwarded_ip", "10.0.0.1"), ("kong.request.port", 8000),
      ("kong.request.forwarded_scheme", "http"), ("kong.version", "3.15.0.0"), ("kong.node.id", "node-id"),
      ("kong.nginx.subsystem", "http"), ("kong.configuration.log_level", "info"), ("kong.client.consumer", nil),
      ("kong.route_id", nil),
    ]
    for (name, expected) in names {
      let outcome = try await Bed.run(
        [
          "nodes": [
            ["type": "property", "name": "P", "property": .string(name)], jq("J", "{v: .}", ["input": "P"]), exit("J"),
          ]
        ], .init(settings: ["log_level": "info"]))
      #expect(outcome.json == ["v": expected], "\(name)")
    }
  }

  @Test("properties of the service's request and the consumer can be written")
  func writing() async throws {
    let outcome = try await Bed.run(
      [
        "nodes": [
          ["type": "static", "name": "S", "values": ["target": "10.1.1.1:8443", "scheme": "https", "who": ["username": "bob"]]],
          ["type": "property", "property": "kong.service.target", "input": "S.target"],
          ["type": "property", "property": "kong.service.request.scheme", "input": "S.scheme"],
          ["type": "property", "property": "kong.client.consumer", "input": "S.who"],
        ]
      ], .init(consumers: ["id-of-bob": "bob"]))
    #expect(outcome.upstream.host == "10.1.1.1" && outcome.upstream.port == 8443 && outcome.upstream.scheme == "https")
    #expect(outcome.consumer == "bob")
  }

  @Test("values that a property cannot take, and missing ones that must be there, fail")
  func badProperties() async throws {
    for (property, program, words) in [
      ("kong.service.target", "\"nowhere\"", "host:port"), ("kong.service.request.scheme", "\"ftp\"", "http or https"),
      ("kong.client.consumer", "\"nobody\"", "there is no such consumer"),
      ("kong.client.consumer", "{\"x\":1}", "named by its 'id'"),
    ] {
      let outcome = try await Bed.run([
        "debug": true,
        "nodes": [jq("J", program), ["type": "property", "property": .string(property), "input": "J"]],
      ])
      #expect(outcome.json["error"]?.string?.contains(words) == true, "\(outcome.json.serializedString)")
    }
    let missing = try await Bed.run([
      "debug": true, "nodes": [["type": "property", "property": "kong.client.consumer", "non_nil": true]],
    ])
    #expect(missing.json["error"] == "the value is nil")
  }

  @Test("shared values go from node to node, and JSON texts are read and written by content type")
  func shared() async throws {
    let outcome = try await Bed.run([
      "nodes": [
        jq("J", "{a: [1]}"),
        ["type": "property", "name": "SET", "property": "kong.ctx.shared.x", "content_type": "application/json", "input": "J"],
        jq("AFTER", "1", ["input": "SET"]),
        jq("IF", "true", ["input": "AFTER"]),
        ["type": "branch", "name": "B", "input": "IF", "then": ["TEXT", "VALUE", "BOTH", "EXIT"]],
        ["type": "property", "name": "TEXT", "property": "kong.ctx.shared.x"],
        ["type": "property", "name": "VALUE", "property": "kong.ctx.shared.x", "content_type": "application/json"],
        jq("BOTH", ".", ["inputs": ["text": "TEXT", "value": "VALUE"]]), exit("BOTH"),
      ]
    ])
    #expect(outcome.json == ["text": #"{"a":[1]}"#, "value": ["a": [1]]])
  }

  // MARK: Others

  @Test("a token is taken apart without a look at its signature")
  func token() async throws {
    let outcome = try await Bed.run([
      "nodes": [
        ["type": "static", "name": "S", "values": ["t": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln"]],
        ["type": "jwt_decode", "name": "D", "input": "S.t"], jq("J", ".", ["input": "D"]), exit("J"),
      ]
    ])
    #expect(outcome.json == ["header": ["alg": "none"], "payload": ["sub": "a"], "signature": "c2ln"])
  }

  @Test("a trace is given in debug mode to those who ask for it, in place of any answer")
  func trace() async throws {
    let config: JSONValue = ["debug": true, "nodes": [jq("J", "{a: 1}"), exit("J", ["status": 202])]]
    let outcome = try await Bed.run(config, .init(headers: [("X-DataKit-Debug-Trace", "Yes")]))
    #expect(outcome.status == 200)
    #expect(outcome.json["status"] == "PLAN_COMPLETE")
    #expect(outcome.json["nodes"]?.array?.compactMap { $0["status"]?.string } == ["NODE_COMPLETE", "NODE_COMPLETE"])
    #expect(outcome.json["events"]?.array?.compactMap { $0["action"]?.string } == ["run", "complete", "run", "complete"])
    #expect(try await Bed.run(config, .init(headers: [("X-DataKit-Debug-Trace", "off")])).status == 202)
    #expect(
      try await Bed.run(["nodes": config["nodes"] ?? .null], .init(headers: [("X-DataKit-Debug-Trace", "on")])).status
        == 202)
    let failed = try await Bed.run(
      ["debug": true, "nodes": [jq("J", "error(\"x\")"), exit("J")]], .init(headers: [("X-DataKit-Debug-Trace", "1")]))
    #expect(failed.status == 500)
    #expect(failed.json["status"] == "PLAN_ERROR")
    #expect(failed.json["nodes"]?.array?.compactMap { $0["status"]?.string } == ["NODE_ERROR", "NODE_CANCELED"])
    #expect(failed.json["nodes"]?.array?.first?["error"] == "x")
    let proxied = try await Bed.run(
      ["debug": true, "nodes": [jq("J", "1", ["output": "response.body"])]],
      .init(headers: [("X-DataKit-Debug-Trace", "true")], response: (200, [], "service")))
    let skipped = proxied.json["nodes"]?.array?.first { $0["name"] == "response" }
    #expect(skipped?["status"] == "NODE_SKIPPED")
  }

  @Test("secrets of the environment are values of the vault")
  func vault() async throws {
    let outcome = try await Bed.run([
      "resources": ["vault": ["home": "{vault://env/path}", "none": "{vault://env/sluice-test-no-such-variable}"]],
      "nodes": [jq("J", "{known: (.p | length > 0), none: .n}", ["inputs": ["p": "vault.home", "n": "vault.none"]]), exit("J")],
    ])
    #expect(outcome.json == ["known": true, "none": nil])
  }

  @Test("64 programs in a chain run one after another")
  func chain() async throws {
    var nodes: [JSONValue] = [jq("N0", "0")]
    for number in 1..<63 { nodes.append(jq("N\(number)", ". + 1", ["input": .string("N\(number - 1)")])) }
    nodes.append(exit("N62"))
    #expect(try await Bed.run(["nodes": .array(nodes)]).answer == "62")
  }
}
