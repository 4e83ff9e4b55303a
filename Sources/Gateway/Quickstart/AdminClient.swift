import EntityModel
import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// A small client of an Admin API on this machine.
struct AdminClient: Sendable {
  let baseURL: String

  /// Sends one request; the JSON body is null where the answer has none.
  func send(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> (status: Int, body: JSONValue) {
    guard let url = URL(string: baseURL + path) else { throw QuickstartError("not a URL: \(baseURL + path)") }
    var request = URLRequest(url: url, timeoutInterval: 5)
    request.httpMethod = method
    if let body {
      request.httpBody = Data(body.serialized())
      request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    }
    let (data, response) = try await URLSession.shared.data(for: request)
    let status = (response as? HTTPURLResponse)?.statusCode ?? 0
    return (status, (try? JSONValue(parsing: Array(data))) ?? .null)
  }
}
