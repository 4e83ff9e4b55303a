import Hummingbird

/// The headers that every answer has. Source: Kong fact, admin-api §6.
struct ResponseHeaders: Sendable {
  private static let latency = HTTPFields.Element.Name("X-Kong-Admin-Latency")

  private let serverToken: String?
  private let showsLatency: Bool
  private let allowedOrigins: [String]

  init(_ configuration: AdminAPIConfiguration) {
    let names = Set(configuration.headers.map { $0.lowercased() })
    serverToken = names.isDisjoint(with: ["server_tokens", "server"]) ? nil : configuration.serverToken
    showsLatency = !names.isDisjoint(with: ["latency_tokens", "x-kong-admin-latency"])
    allowedOrigins = configuration.allowedOrigins
  }

  func add(to headers: inout HTTPFields, origin: String?, duration: ContinuousClock.Instant.Duration) {
    headers[.accessControlAllowOrigin] = allowed(origin)
    headers[.accessControlAllowCredentials] = "true"
    if let serverToken { headers[.server] = serverToken }
    if showsLatency, let name = Self.latency {
      headers[name] = String(Int(duration / .milliseconds(1)))
    }
  }

  /// The origin that asks; with a list of origins the one that asks if it is in the list, else the first.
  private func allowed(_ origin: String?) -> String {
    guard let first = allowedOrigins.first else { return origin ?? "*" }
    return allowedOrigins.first { $0 == origin } ?? first
  }
}

extension AdminResponse {
  /// The HTTP response; without its body for HEAD, whose headers are those of GET.
  func response(withBody: Bool) -> Response {
    var fields = HTTPFields()
    for (name, value) in headers {
      if let name = HTTPFields.Element.Name(name) { fields[name] = value }
    }
    var buffer = ByteBuffer()
    switch body {
    case .none: break
    case .json(let document):
      fields[.contentType] = "application/json; charset=utf-8"
      buffer = ByteBuffer(bytes: document.serialized())
    case .text(let text, let type):
      fields[.contentType] = type
      buffer = ByteBuffer(string: text)
    }
    if case .none = body {} else { fields[.contentLength] = String(buffer.readableBytes) }
    return Response(
      status: HTTPResponse.Status(code: status), headers: fields,
      body: withBody && buffer.readableBytes > 0 ? ResponseBody(byteBuffer: buffer) : ResponseBody())
  }
}
