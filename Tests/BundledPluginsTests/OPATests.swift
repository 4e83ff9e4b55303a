import EntityModel
import GatewayTesting
import NIOCore
import NIOPosix
import NIOSSL
import Outbound
import Testing

@testable import BundledPlugins
@testable import PluginKit

/// opa against a real policy server.
@Suite("opa")
struct OPATests {
  /// What is left of a request after the plugin.
  private struct Outcome: Sendable {
    var status: Int?
    var body: String?
    var headers: [String: String] = [:]
    var upstreamHeader: String?
  }

  private static func reply(_ body: String, status: String = "200 OK") -> UpstreamAct {
    .send("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
  }

  private func ask(
    _ server: ScriptedUpstream, _ further: [String: JSONValue] = [:], body: String = "",
    trusted: NIOSSLTrustRoots = .default, log: RecordingLog = RecordingLog(),
    _ prepare: @escaping @Sendable (RequestContext) -> Void = { _ in }
  ) async throws -> Outcome {
    let group = MultiThreadedEventLoopGroup.singleton
    let client = SharedHTTPClient(group: group, trustRoots: trusted)
    let config: [String: JSONValue] = [
      "opa_host": "127.0.0.1", "opa_port": .integer(Int64(server.port)), "opa_path": "/v1/data/policy/decide",
    ]
    let executor = try PluginTestBed.executor(
      OPA.definition, .object(config.merging(further) { $1 }), services: PluginServices(outbound: client),
      logger: log.logger)
    let loop = group.next()
    let outcome = try await loop.flatSubmit { () -> EventLoopFuture<Outcome> in
      let bed = PluginTestBed(
        method: .post, target: "/a%20b/c?x=1&x=2&flag",
        headers: [("Host", "Example.org:8000"), ("X-A", "1"), ("X-A", "2"), ("Content-Type", "application/json")],
        body: body, on: loop)
      bed.context.localPort = 8000
      prepare(bed.context)
      let promise = loop.makePromise(of: Outcome.self)
      let finish = {
        let answer = bed.context.earlyResponse
        promise.succeed(
          Outcome(
            status: answer?.status, body: bed.answer,
            headers: Dictionary(answer?.headers.map { ($0.name, $0.value) } ?? [], uniquingKeysWith: { $1 }),
            upstreamHeader: bed.header("x-from-policy")))
      }
      bed.onResume = finish
      if case .suspended = executor.run(.access, bed.context) {} else { finish() }
      return promise.futureResult
    }.get()
    await client.shutDown()
    return outcome
  }

  private func input(_ server: ScriptedUpstream) throws -> JSONValue {
    try JSONValue(parsing: try #require(server.requests.first).body)["input"] ?? .null
  }

  @Test("the policy learns the request, and more where the configuration says so")
  func document() async throws {
    let server = try await ScriptedUpstream.start { _ in Self.reply(#"{"result":true}"#) }
    let outcome = try await ask(server)
    #expect(outcome.status == nil)
    let request = try #require(server.requests.first)
    #expect(request.requestLine == "POST /v1/data/policy/decide HTTP/1.1")
    #expect(request.header("content-type") == "application/json")
    #expect(
      try input(server) == [
        "request": [
          "http": [
            "host": "example.org", "port": "8000", "method": "POST", "scheme": "http", "path": "/a%20b/c", "tls": [:],
            "querystring": ["x": ["1", "2"], "flag": true],
            "headers": ["host": "Example.org:8000", "x-a": ["1", "2"], "content-type": "application/json"],
          ]
        ], "client_ip": "127.0.0.1",
      ])
  }

  @Test("service, route, consumer, body and captures are part of the document when they are asked for")
  func wholeDocument() async throws {
    let server = try await ScriptedUpstream.start { _ in Self.reply(#"{"result":true}"#) }
    let names = ["service", "route", "consumer", "body", "parsed_json_body", "uri_captures"]
    _ = try await ask(
      server, Dictionary(uniqueKeysWithValues: names.map { ("include_\($0)_in_opa_input", true) }),
      body: #"{"k":[1]}"#
    ) { context in
      context.service = ServiceInfo(entity: ["id": "s"])
      context.route = RouteInfo(entity: ["id": "r"])
      context.consumer = ConsumerInfo(entity: ["id": "c"])
      context.uriCaptures = URICaptures(unnamed: ["/a", "a"], named: ["n": "a"])
    }
    let input = try input(server)
    #expect(input["service"] == ["id": "s"])
    #expect(input["route"] == ["id": "r"])
    #expect(input["consumer"] == ["id": "c"])
    let http = input["request"]?["http"]
    #expect(http?["body"] == #"{"k":[1]}"#)
    #expect(http?["body_size"] == 9)
    #expect(http?["parsed_body"] == ["k": [1]])
    #expect(http?["uri_captures"]?["named"] == ["n": "a"])
  }

  @Test("a decision lets the request pass or answers it", arguments: [
    (#"{"result":false}"#, 403, #"{"message":"unauthorized"}"#),
    (#"{"result":{"allow":false}}"#, 403, #"{"message":"unauthorized"}"#),
    (#"{"result":{"allow":false,"status":418,"message":"teapot"}}"#, 418, #"{"message":"teapot"}"#),
    (#"{"result":{"allow":false,"message":{"why":"no"}}}"#, 403, #"{"why":"no"}"#),
    (#"{"result":"yes"}"#, 500, #"{"message":"An unexpected error occurred"}"#),
    (#"{"result":{"allow":"yes"}}"#, 500, #"{"message":"An unexpected error occurred"}"#),
    (#"{"result":{"allow":false,"status":99}}"#, 500, #"{"message":"An unexpected error occurred"}"#),
    (#"{"result":{"allow":true,"headers":{"a b":"c"}}}"#, 500, #"{"message":"An unexpected error occurred"}"#),
    (#"{}"#, 500, #"{"message":"An unexpected error occurred"}"#),
    ("no json", 500, #"{"message":"An unexpected error occurred"}"#),
  ])
  func decisions(_ answer: String, _ status: Int, _ body: String) async throws {
    let server = try await ScriptedUpstream.start { _ in Self.reply(answer) }
    let log = RecordingLog()
    let outcome = try await ask(server, log: log)
    #expect(outcome.status == status)
    #expect(outcome.body == body)
    #expect(outcome.headers["Content-Type"] == "application/json; charset=utf-8")
    #expect(log.errors.isEmpty == (status != 500))
  }

  @Test("headers of a decision go to the upstream if the request passes, else to the client")
  func headers() async throws {
    let turn = Turn()
    let server = try await ScriptedUpstream.start { _ in
      Self.reply(#"{"result":{"allow":\#(turn.next() == 0),"headers":{"X-From-Policy":"seen","X-N":7}}}"#)
    }
    let passed = try await ask(server)
    #expect(passed.status == nil)
    #expect(passed.upstreamHeader == "seen")
    let refused = try await ask(server)
    #expect(refused.status == 403)
    #expect(refused.headers["X-From-Policy"] == "seen")
    #expect(refused.headers["X-N"] == "7")
    #expect(refused.upstreamHeader == nil)
  }

  @Test("a policy server that fails or is not there makes the answer 500")
  func failures() async throws {
    for act in [Self.reply(#"{"result":true}"#, status: "201 Created"), .close] {
      let server = try await ScriptedUpstream.start { _ in act }
      let outcome = try await ask(server)
      #expect(outcome.status == 500)
      #expect(outcome.body == #"{"message":"An unexpected error occurred"}"#)
    }
    let server = try await ScriptedUpstream.start { _ in .close }
    let outcome = try await ask(server, ["opa_port": .integer(Int64(try refusingPort()))])
    #expect(outcome.status == 500)
  }

  @Test("over https the policy server is verified unless ssl_verify is off")
  func https() async throws {
    let server = try await ScriptedUpstream.start(prepare: ServerCertificate.serve) { _ in
      Self.reply(#"{"result":true}"#)
    }
    let config: [String: JSONValue] = ["opa_protocol": "https", "opa_host": "localhost"]
    #expect(try await ask(server, config, trusted: try ServerCertificate.trusted()).status == nil)
    #expect(try await ask(server, config).status == 500)
    #expect(try await ask(server, config.merging(["ssl_verify": false]) { $1 }).status == nil)
    #expect(server.requests.count == 2)
  }

  @Test("what names no policy is refused", arguments: [
    [:], ["opa_path": "no/slash"], ["opa_path": "/a//b"], ["opa_path": "/a", "opa_protocol": "unix"],
    ["opa_path": "/a", "opa_port": 70000], ["opa_path": "/a", "opa_host": "a b"],
  ] as [JSONValue])
  func refusals(_ config: JSONValue) {
    #expect(throws: SchemaViolations.self) { try PluginTestBed.validated(OPA.definition, config) }
  }
}
