import NIOCore

/// Turns a status and a sentence into the body and headers of an error response.
///
/// The only place that knows the templates; the pipeline and the plugin API's `kong.response.error` share it.
/// Source: Kong fact, pdk §2 "error"; proxy-behaviour §4.
public enum ErrorResponder {
  /// The forms an error body comes in.
  public enum Format: Sendable, Hashable {
    case json, html, plain, xml

    public var contentType: String {
      switch self {
      case .json: "application/json; charset=utf-8"
      case .html: "text/html; charset=utf-8"
      case .plain: "text/plain; charset=utf-8"
      case .xml: "application/xml; charset=utf-8"
      }
    }

    /// The form of a media type without parameters; nil for types that have no template.
    public init?(mediaType: some StringProtocol) {
      switch mediaType.lowercased() {
      case "application/json": self = .json
      case "text/html": self = .html
      case "text/plain": self = .plain
      case "application/xml": self = .xml
      default: return nil
      }
    }

    /// The form for an `Accept` value: of the type with the highest weight, the first of equals; JSON if it has none.
    ///
    /// A type without a template still counts: `image/png, text/html` asks for JSON, as in Kong.
    public init(accepting accept: String?) {
      self = .json
      guard let accept else { return }
      var best = 0.0
      for item in accept.split(separator: ",") {
        let parts = item.split(separator: ";", omittingEmptySubsequences: false)
        guard let media = parts.first.map(Self.trimmed), media.contains("/") else { continue }
        var weight = 1.0
        for parameter in parts.dropFirst() {
          let parameter = Self.trimmed(parameter)
          if parameter.lowercased().hasPrefix("q=") { weight = Double(parameter.dropFirst(2)) ?? 0 }
        }
        if weight > best, weight <= 1 {
          best = weight
          self = Format(mediaType: media) ?? self
        }
      }
    }

    private static func trimmed(_ text: Substring) -> Substring {
      var text = text
      while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
      while let last = text.last, last == " " || last == "\t" { text.removeLast() }
      return text
    }
  }

  /// The sentence for a status when nothing more is known.
  public static func defaultMessage(for status: Int) -> String {
    switch status {
    case 400: "Bad request"
    case 401: "Unauthorized"
    case 402: "Payment required"
    case 403: "Forbidden"
    case 404: "Not found"
    case 405: "Method not allowed"
    case 406: "Not acceptable"
    case 407: "Proxy authentication required"
    case 408: "Request timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 411: "Length required"
    case 412: "Precondition failed"
    case 413: "Payload too large"
    case 414: "URI too long"
    case 415: "Unsupported media type"
    case 416: "Range not satisfiable"
    case 417: "Expectation failed"
    case 418: "I'm a teapot"
    case 421: "Misdirected request"
    case 422: "Unprocessable entity"
    case 423: "Locked"
    case 424: "Failed dependency"
    case 425: "Too early"
    case 426: "Upgrade required"
    case 428: "Precondition required"
    case 429: "Too many requests"
    case 431: "Request header fields too large"
    case 451: "Unavailable for legal reasons"
    case 494: "Request header or cookie too large"
    case 500: "An unexpected error occurred"
    case 501: "Not implemented"
    case 502: "An invalid response was received from the upstream server"
    case 503: "The upstream server is currently unavailable"
    case 504: "The upstream server is timing out"
    case 505: "HTTP version not supported"
    case 506: "Variant also negotiates"
    case 507: "Insufficient storage"
    case 508: "Loop detected"
    case 510: "Not extended"
    case 511: "Network authentication required"
    default: "The upstream server responded with \(status)"
    }
  }

  /// The body of an error.
  ///
  /// Kong compatibility: the message is escaped for JSON, HTML and XML, which Kong leaves out.
  public static func body(message: String, requestID: String, format: Format) -> String {
    switch format {
    case .json:
      "{\n  \"message\":\"\(escapedForJSON(message))\",\n  \"request_id\":\"\(requestID)\"\n}"
    case .plain:
      "\(message)\nrequest_id: \(requestID)\n"
    case .html:
      """
      <!doctype html>
      <html>
        <head>
          <meta charset="utf-8">
          <title>Error</title>
        </head>
        <body>
          <h1>Error</h1>
          <p>\(escapedForMarkup(message)).</p>
          <p>request_id: \(requestID)</p>
        </body>
      </html>

      """
    case .xml:
      """
      <?xml version="1.0" encoding="UTF-8"?>
      <error>
        <message>\(escapedForMarkup(message))</message>
        <requestid>\(requestID)</requestid>
      </error>

      """
    }
  }

  /// A whole error response in the form the request's `Accept` asks for, JSON without one.
  ///
  /// - Parameters:
  ///   - message: Nil for the status's own sentence.
  ///   - headers: Set over the content type made here.
  public static func response(
    status: Int, message: String? = nil, headers: [(name: String, value: String)] = [], for context: RequestContext
  ) -> EarlyResponse {
    response(
      status: status, message: message, headers: headers, requestID: context.requestID,
      format: Format(accepting: context.requestHeaders.first("accept")))
  }

  /// An error of the gateway itself (a failed upstream, an unreadable body): without `Accept` the request's own content
  /// type decides, and without that it is plain text. Source: Kong fact, proxy-behaviour §4.
  public static func gatewayResponse(status: Int, message: String? = nil, for context: RequestContext) -> EarlyResponse
  {
    response(
      status: status, message: message, requestID: context.requestID,
      format: gatewayFormat(context.requestHeaders))
  }

  /// See `gatewayResponse`.
  public static func gatewayFormat(_ headers: HeaderBlock) -> Format {
    if let wanted = headers.first("accept") ?? headers.first("content-type") { return Format(accepting: wanted) }
    return .plain
  }

  private static func response(
    status: Int, message: String?, headers: [(name: String, value: String)] = [], requestID: String, format: Format
  ) -> EarlyResponse {
    let text = body(message: message ?? defaultMessage(for: status), requestID: requestID, format: format)
    return EarlyResponse(
      status: status, body: ByteBuffer(string: text), headers: [("Content-Type", format.contentType)] + headers,
      source: .error)
  }

  private static func escapedForJSON(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) else {
      return text
    }
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func escapedForMarkup(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: ">") || $0 == UInt8(ascii: "&") })
    else { return text }
    return text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}
