import EntityModel
import Hummingbird
import Logging
import Storage

/// Answers every request of the Admin API: finds the endpoint, reads the body, maps errors, adds the common headers.
struct AdminResponder: HTTPResponder {
  typealias Context = BasicRequestContext

  private let table: EndpointTable
  private let services: AdminServices
  private let commonHeaders: ResponseHeaders
  private let logger: Logger

  init(
    endpoints: [AdminEndpoint], repository: any EntityRepository, node: any AdminNodeSource,
    configuration: AdminAPIConfiguration, logger: Logger
  ) {
    table = EndpointTable(endpoints)
    services = AdminServices(
      repository: repository, node: node, configuration: configuration,
      endpointPaths: table.endpoints.filter { $0.absence == nil }.map(\.path))
    commonHeaders = ResponseHeaders(configuration)
    self.logger = logger
  }

  func respond(to request: Request, context: Context) async throws -> Response {
    let start = ContinuousClock.now
    let answer: AdminResponse
    do {
      answer = try await self.answer(request)
    } catch let error as EntityError {
      if error.code == .databaseError { logger.error("the store failed", metadata: ["reason": "\(error.message)"]) }
      answer = AdminResponse(error)
    } catch let refusal as AdminRefusal {
      answer = AdminResponse(refusal)
    } catch let failure as UnreadableBody {
      // The server closes the connection: what follows on it cannot be told from the body.
      throw failure.cause
    } catch is CancellationError {
      answer = AdminResponse(.message(503, "the gateway is shutting down"))
    } catch {
      logger.error("an Admin API request failed", metadata: ["path": "\(request.uri.path)", "reason": "\(error)"])
      answer = AdminResponse(.message(500, "An unexpected error occurred"))
    }
    logger.debug(
      "Admin API request",
      metadata: [
        "method": "\(request.method)", "path": "\(request.uri.path)", "status": "\(answer.status)",
      ])
    var response = answer.response(withBody: request.method != .head)
    commonHeaders.add(to: &response.headers, origin: request.headers[.origin], duration: .now - start)
    return response
  }

  private func answer(_ request: Request) async throws -> AdminResponse {
    let target = RequestTarget(request.head.path ?? "")
    guard let match = try table.match(path: String(target.path)) else { throw AdminRefusal.notFound }
    if let absence = match.endpoint.absence { throw AdminRefusal.message(404, absence) }
    if request.method == .options { return options(match.endpoint, request) }
    let name = request.method == .head ? AdminMethod.get.rawValue : request.method.rawValue
    guard let method = AdminMethod(rawValue: name), let handler = match.endpoint.handlers[method] else {
      throw AdminRefusal(
        status: 405, document: ["message": "Method not allowed"], headers: ["Allow": match.endpoint.allowedMethods])
    }
    let contentTypes = request.headers[values: .contentType]
    guard contentTypes.count < 2 else {
      return AdminResponse(
        status: 400, body: .text("Multiple Content-Type headers not allowed", type: "text/plain; charset=utf-8"))
    }
    let query = try QueryArguments(parsing: target.query, source: "query")
    var body = RequestBody.none
    if method.hasBody {
      body = try RequestBody(
        parsing: try await bytes(of: request), contentTypes: contentTypes,
        acceptsDocuments: match.endpoint.acceptsDocuments)
    }
    return try await handler(
      AdminRequest(method: method, parameters: match.parameters, query: query, body: body), services)
  }

  private func options(_ endpoint: AdminEndpoint, _ request: Request) -> AdminResponse {
    AdminResponse(
      status: 204,
      headers: [
        "Allow": endpoint.allowedMethods,
        "Access-Control-Allow-Methods": endpoint.allowedMethods,
        "Access-Control-Allow-Headers": request.headers[.accessControlRequestHeaders] ?? "Content-Type",
      ])
  }

  private func bytes(of request: Request) async throws -> [UInt8] {
    let limit = services.configuration.maximumBodySize
    let tooLarge = AdminRefusal.message(
      413, "the request body is larger than the \(limit) bytes that the Admin API accepts")
    if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { throw tooLarge }
    var bytes: [UInt8] = []
    do {
      for try await chunk in request.body {
        guard bytes.count + chunk.readableBytes <= limit else { throw tooLarge }
        bytes.append(contentsOf: chunk.readableBytesView)
      }
    } catch let refusal as AdminRefusal {
      throw refusal
    } catch {
      throw UnreadableBody(cause: error)
    }
    return bytes
  }
}

/// The connection broke, or its framing did, before the body was complete.
private struct UnreadableBody: Error {
  var cause: any Error
}

/// The target of a request line (RFC 9112 §3.2) in its two parts.
private struct RequestTarget {
  var path: Substring
  var query: Substring

  init(_ target: String) {
    var rest = target[...]
    if !rest.hasPrefix("/"), let scheme = rest.range(of: "://") {
      // absolute-form, as sent to a proxy
      rest = rest[scheme.upperBound...].drop { $0 != "/" && $0 != "?" }
      if !rest.hasPrefix("/") { rest = "/" + rest }
    }
    // Bytes, not characters: a combining mark behind a delimiter must not hide it.
    rest = rest[..<(rest.utf8.firstIndex(of: UInt8(ascii: "#")) ?? rest.endIndex)]
    let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?"))
    path = rest[..<(mark ?? rest.endIndex)]
    query = mark.map { rest[rest.utf8.index(after: $0)...] } ?? ""
  }
}
