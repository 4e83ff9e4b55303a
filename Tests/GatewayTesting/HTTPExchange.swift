import EntityModel
import Foundation

/// A response as a test looks at it.
public struct TestResponse: Sendable {
  public var status: Int
  public var headers: [(name: String, value: String)]
  public var body: [UInt8]

  public var text: String { String(decoding: body, as: UTF8.self) }

  /// The body as JSON, null if it is none.
  public var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }

  /// First header of that name, in any case.
  public func header(_ name: String) -> String? {
    headers.first { $0.name.lowercased() == name.lowercased() }?.value
  }
}

extension SocketConnection {
  /// Sends one HTTP/1.1 request with a fixed length and reads its response.
  public func exchange(
    _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8]? = nil
  ) throws -> TestResponse {
    var head = "\(method) \(path) HTTP/1.1\r\n"
    if !headers.contains(where: { $0.0.lowercased() == "host" }) { head += "Host: localhost\r\n" }
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    if let body { head += "Content-Length: \(body.count)\r\n" }
    try send(Array((head + "\r\n").utf8) + (body ?? []))
    return try receiveResponse(toHead: method == "HEAD")
  }

  /// Reads one response; its body ends as its framing says, or with the connection.
  public func receiveResponse(toHead: Bool = false) throws -> TestResponse {
    var bytes: [UInt8] = []
    func more(_ what: String) throws {
      let chunk = try receive()
      if chunk.isEmpty { throw SocketError.closedEarly(what) }
      bytes += chunk
    }
    while true {
      var end = bytes.firstRange(of: Array("\r\n\r\n".utf8))
      while end == nil {
        try more("reading the head, after: \(String(decoding: bytes, as: UTF8.self))")
        end = bytes.firstRange(of: Array("\r\n\r\n".utf8))
      }
      let lines = String(decoding: bytes[..<end!.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
      bytes.removeSubrange(..<end!.upperBound)
      let status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0
      let headers = lines.dropFirst().map { line in
        let colon = line.firstIndex(of: ":") ?? line.endIndex
        return (
          name: String(line[..<colon]),
          value: line[colon...].dropFirst().trimmingCharacters(in: .whitespaces)
        )
      }
      // Interim responses are followed by the real one.
      if (100..<200).contains(status), status != 101 { continue }
      var response = TestResponse(status: status, headers: headers, body: [])
      if toHead || status == 204 || status == 304 || status == 101 {
        putBack(bytes)
        return response
      }
      if response.header("transfer-encoding")?.lowercased().contains("chunked") == true {
        while true {
          var lineEnd = bytes.firstRange(of: [13, 10])
          while lineEnd == nil {
            try more("reading a chunk size")
            lineEnd = bytes.firstRange(of: [13, 10])
          }
          let size = Int(String(decoding: bytes[..<lineEnd!.lowerBound], as: UTF8.self), radix: 16) ?? 0
          bytes.removeSubrange(..<lineEnd!.upperBound)
          while bytes.count < size + 2 { try more("reading a chunk") }
          response.body += bytes.prefix(size)
          bytes.removeFirst(size + 2)
          if size == 0 { break }
        }
        putBack(bytes)
      } else if let length = response.header("content-length").flatMap({ Int($0) }) {
        while bytes.count < length { try more("reading the body") }
        response.body = Array(bytes.prefix(length))
        putBack(Array(bytes.dropFirst(length)))
      } else {
        while true {
          let chunk = try receive()
          if chunk.isEmpty { break }
          bytes += chunk
        }
        response.body = bytes
      }
      return response
    }
  }
}

/// Sends single requests, each on a connection of its own.
public struct TestClient: Sendable {
  public let port: Int

  public init(port: Int) { self.port = port }

  @discardableResult
  public func send(
    _ method: String, _ path: String, headers: [(String, String)] = [], body: String? = nil
  ) throws -> TestResponse {
    try SocketConnection(port: port).exchange(
      method, path, headers: headers + [("Connection", "close")], body: body.map { Array($0.utf8) })
  }

  /// Sends a JSON body.
  @discardableResult
  public func send(_ method: String, _ path: String, json: JSONValue) throws -> TestResponse {
    try send(method, path, headers: [("Content-Type", "application/json")], body: json.serializedString)
  }

  public func get(_ path: String) throws -> TestResponse { try send("GET", path) }
}

/// Repeats a question until its answer is yes, at most for the time given.
///
/// - Returns: Whether the answer became yes.
public func eventually(within seconds: Double = 10, _ question: () throws -> Bool) async -> Bool {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while ContinuousClock.now < deadline {
    if (try? question()) == true { return true }
    try? await Task.sleep(for: .milliseconds(20))
  }
  return (try? question()) == true
}

/// Runs blocking work on a thread of its own, so that it does not hold up other tasks.
public func onThread<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
  await withCheckedContinuation { continuation in
    Thread.detachNewThread { continuation.resume(returning: work()) }
  }
}
