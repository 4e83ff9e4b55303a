import GatewayTesting
import NIOCore
import NIOPosix
import PluginKit
import Testing

@testable import Outbound

/// The client against a real server on a port of its own.
struct SharedHTTPClientTests {
  private func exchange(
    _ request: OutboundRequest, _ check: (Result<OutboundResponse, OutboundHTTPError>) throws -> Void
  ) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let client = SharedHTTPClient(group: group)
    let result: Result<OutboundResponse, OutboundHTTPError>
    do {
      result = .success(try await client.send(request, on: group.next()).get())
    } catch let error as OutboundHTTPError {
      result = .failure(error)
    }
    await client.shutDown()
    try check(result)
  }

  private func failure(_ request: OutboundRequest) async throws -> OutboundHTTPError? {
    var error: OutboundHTTPError?
    try await exchange(request) { result in
      if case .failure(let reason) = result { error = reason }
    }
    return error
  }

  @Test("method, headers and body reach the server, and its whole answer comes back")
  func wholeExchange() async throws {
    let server = try await ScriptedUpstream.start { request in
      .send(
        "HTTP/1.1 201 Created\r\nX-Seen: \(request.header("X-Asked") ?? "")\r\nContent-Length: \(request.text.utf8.count)\r\n\r\n\(request.text)"
      )
    }
    try await exchange(
      OutboundRequest(
        method: "PATCH", url: "http://127.0.0.1:\(server.port)/logs?a=b", headers: [("X-Asked", "yes")],
        body: ByteBuffer(string: "hello"))
    ) { result in
      let response = try result.get()
      #expect(response.status == 201)
      #expect(response.header("x-seen") == "yes")
      #expect(String(buffer: response.body) == "hello")
    }
    #expect(server.requests.first?.requestLine == "PATCH /logs?a=b HTTP/1.1")
  }

  @Test("a redirect is an answer, not something to follow")
  func redirect() async throws {
    let server = try await ScriptedUpstream.start { _ in
      .send("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
    }
    try await exchange(OutboundRequest(url: "http://127.0.0.1:\(server.port)/")) { result in
      let response = try result.get()
      #expect(response.status == 302)
    }
    #expect(server.requests.count == 1)
  }

  @Test("a server that says nothing is a timeout")
  func timeout() async throws {
    let server = try await ScriptedUpstream.start { _ in .silence }
    let error = try await failure(
      OutboundRequest(url: "http://127.0.0.1:\(server.port)/", timeoutMilliseconds: 100))
    guard case .timeout = error else { throw UnexpectedOutcome(error: error) }
  }

  @Test("a closed port is told with its address")
  func refused() async throws {
    let port = try refusingPort()
    let error = try await failure(OutboundRequest(url: "http://127.0.0.1:\(port)/"))
    guard case .connectionFailed(let reason) = error else { throw UnexpectedOutcome(error: error) }
    #expect(reason == "cannot connect to 127.0.0.1:\(port): Connection refused")
  }

  @Test("an answer longer than asked for is refused")
  func tooLarge() async throws {
    let server = try await ScriptedUpstream.start { _ in
      .send("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890")
    }
    let error = try await failure(
      OutboundRequest(url: "http://127.0.0.1:\(server.port)/", maximumResponseSize: 10))
    guard case .responseTooLarge = error else { throw UnexpectedOutcome(error: error) }
  }

  @Test("what is no URL is refused before anything is sent", arguments: ["", "ftp://127.0.0.1/", "/path"])
  func invalid(url: String) async throws {
    let error = try await failure(OutboundRequest(url: url))
    guard case .invalidURL = error else { throw UnexpectedOutcome(error: error) }
  }

  private struct UnexpectedOutcome: Error {
    let error: OutboundHTTPError?
  }
}
