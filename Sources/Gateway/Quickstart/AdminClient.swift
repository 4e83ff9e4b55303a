import AsyncHTTPClient
import EntityModel
import NIOCore
import NIOHTTP1

/// A small client of an Admin API on this machine.
///
/// Not Foundation's: its networking library brings thirty more into the process, and all of them into its memory.
struct AdminClient: Sendable {
  let baseURL: String

  /// Sends one request; the JSON body is null where the answer has none.
  func send(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> (status: Int, body: JSONValue) {
    var request = HTTPClientRequest(url: baseURL + path)
    request.method = HTTPMethod(rawValue: method)
    if let body {
      request.body = .bytes(ByteBuffer(bytes: body.serialized()))
      request.headers.add(name: "Content-Type", value: "application/json")
    }
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
    let answer = try await response.body.collect(upTo: 64 * 1024 * 1024)
    return (Int(response.status.code), (try? JSONValue(parsing: answer.readableBytesView)) ?? .null)
  }
}
