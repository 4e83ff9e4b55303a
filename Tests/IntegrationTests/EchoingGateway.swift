import EntityModel
import GatewayTesting
import Testing

/// A gateway with a store in front of an upstream that answers with the head of the request it got.
struct EchoingGateway {
  let gateway: LiveGateway
  let upstream: ScriptedUpstream

  init(_ settings: [String: String] = [:]) async throws {
    upstream = try await Self.echo()
    gateway = try LiveGateway(settings)
    try make("/services", ["name": "echo", "url": .string("http://127.0.0.1:\(upstream.port)")])
  }

  static func echo() async throws -> ScriptedUpstream {
    try await ScriptedUpstream.start { request in
      .send("HTTP/1.1 200 OK\r\nContent-Length: \(request.head.utf8.count)\r\n\r\n\(request.head)")
    }
  }

  var admin: TestClient { gateway.admin }

  /// Creates an entity; the entity as the Admin API answers it.
  @discardableResult
  func make(_ path: String, _ entity: JSONValue) throws -> JSONValue { try admin.make(path, entity) }

  func delete(_ path: String) throws {
    let answer = try admin.send("DELETE", path)
    try #require(answer.status == 204, "\(answer.text)")
  }

  /// A consumer with a key of the same name.
  func makeConsumer(_ name: String) throws {
    try make("/consumers", ["username": .string(name)])
    try make("/consumers/\(name)/key-auth", ["key": .string(name)])
  }

  func get(_ path: String, _ headers: [(String, String)] = []) throws -> TestResponse {
    try gateway.proxy.send("GET", path, headers: headers)
  }

  /// The values of a header as the upstream got it, joined.
  func upstreamHeader(_ name: String, _ path: String, _ headers: [(String, String)] = []) throws -> String {
    let answer = try get(path, headers)
    try #require(answer.status == 200, "\(answer.text)")
    return ReceivedRequest(head: answer.text).values(name).joined(separator: ",")
  }
}

extension TestClient {
  /// Creates an entity; the entity as the Admin API answers it.
  @discardableResult
  func make(_ path: String, _ entity: JSONValue) throws -> JSONValue {
    let answer = try send("POST", path, json: entity)
    try #require(answer.status == 201, "\(path): \(answer.text)")
    return answer.json
  }
}
