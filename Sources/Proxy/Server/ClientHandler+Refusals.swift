import PluginKit

/// What is answered to bytes that are no request.
extension ClientHandler {
  /// Answers what is no request, and closes.
  func refuse(_ refusal: HTTP1RequestParser.Refusal) {
    let requestID = loop.nextRequestID().text
    let status = refusal.status
    let body: String
    let contentType: String
    switch refusal {
    case .unknownCoding, .versionNotSupported:
      body = StatusLine.page(status)
      contentType = "text/html; charset=UTF-8"
    default:
      body = ErrorResponder.body(
        message: ErrorResponder.defaultMessage(for: refusal.messageStatus), requestID: requestID, format: .plain)
      contentType = ErrorResponder.Format.plain.contentType
    }
    let date = loop.dateField
    withOutbound {
      $0.write(estimate: 512 + body.utf8.count) { writer in
        writer.text("HTTP/1.1 ")
        writer.decimal(status)
        writer.text(" ")
        writer.text(StatusLine.reason(status))
        writer.text("\r\n")
        writer.array(date)
        writer.field("Content-Type", contentType)
        writer.text("Content-Length: ")
        writer.decimal(body.utf8.count)
        writer.text("\r\nConnection: close\r\n")
        if loop.configuration.responseHeaders.contains(.server) { writer.array(loop.texts.serverField) }
        if loop.configuration.responseHeaders.contains(.requestID) { writer.field("X-Kong-Request-Id", requestID) }
        writer.text("\r\n")
        writer.string(body)
      }
    }
    AccessLogLine.refused(status: status, bodySize: body.utf8.count, connection: facts, loop: loop)
    flush()
    beginLingering()
  }
}
