import EntityModel
import NIOCore
import PluginKit

/// How responses of plugins speak with gRPC clients: by the fields `grpc-status` and `grpc-message`.
///
/// Source: Kong fact, pdk §2 "exit".
enum GRPCResponse {
  enum Kind {
    case none
    /// The client speaks gRPC, the response has no type of its own.
    case request
    /// The plugin has made a gRPC response.
    case response
  }

  static let contentType = "application/grpc"

  static func kind(of context: RequestContext) -> Kind {
    if let type = context.response.headers.first("content-type") {
      return type.hasPrefix(contentType) ? .response : .none
    }
    return isRequest(context) ? .request : .none
  }

  /// gRPC is spoken over HTTP/2 alone.
  static func isRequest(_ context: RequestContext) -> Bool {
    context.httpVersion == 20 && context.requestHeaders.first("content-type")?.hasPrefix(contentType) == true
  }

  /// Sets `grpc-status` from the HTTP status, unless a plugin has set it.
  static func setStatus(_ code: Int, in context: RequestContext) {
    if context.response.headers.contains("grpc-status") { return }
    context.response.headers.set("grpc-status", String(status(ofHTTP: code)))
  }

  static func setMessage(_ message: String, in context: RequestContext) {
    var message = message
    message.withUTF8 { bytes in
      HeaderArguments.withSanitized(UnsafeRawBufferPointer(bytes)) { value in
        HeaderArguments.set(Array("grpc-message".utf8), [Array(value)], in: &context.response.headers)
      }
    }
  }

  /// The `message` of a body that is a table, given as JSON.
  static func message(ofJSON bytes: UnsafeRawBufferPointer) -> String? {
    do throws(JSONError) {
      return try JSONValue(parsing: bytes)["message"]?.string
    } catch {
      return nil
    }
  }

  private static func status(ofHTTP code: Int) -> Int {
    switch code {
    case 200: 0
    case 400: 3
    case 401: 16
    case 403: 7
    case 404: 5
    case 409: 6
    case 429: 8
    case 499: 1
    case 500: 13
    case 501: 12
    case 503: 14
    case 504: 4
    case 500...: 13
    case 400..<500: 3
    case 200..<300: 0
    default: 2
    }
  }
}
