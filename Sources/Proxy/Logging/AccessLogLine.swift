import NIOCore
import PluginKit

/// Lines of the access log in nginx's combined form, followed by the request id as Kong does.
enum AccessLogLine {
  /// A request that came to an end, with whatever status.
  static func finished(_ context: RequestContext, writer: AccessLogWriter, loop: ProxyLoop) {
    let date = loop.logDate
    writer.line { line in
      line.string(context.clientIP)
      line.text(" - - [")
      line.array(date)
      line.text("] \"")
      line.string(context.method.name)
      line.text(" ")
      context.requestHeaders.withArena(context.rawTargetRange) { escaped($0, &line) }
      line.text(context.httpVersion == 10 ? " HTTP/1.0\" " : " HTTP/1.1\" ")
      line.decimal(context.response.status)
      line.text(" ")
      line.decimal(context.response.bodySize)
      line.text(" \"")
      field("referer", context, &line)
      line.text("\" \"")
      field("user-agent", context, &line)
      line.text("\" kong_request_id: \"")
      context.withRequestID { line.bytes($0) }
      line.text("\"\n")
    }
  }

  /// Bytes that were no request.
  static func refused(status: Int, bodySize: Int, connection: ConnectionFacts, loop: ProxyLoop) {
    guard let writer = loop.accessLog else { return }
    let date = loop.logDate
    writer.line { line in
      line.string(connection.peerIP)
      line.text(" - - [")
      line.array(date)
      line.text("] \"-\" ")
      line.decimal(status)
      line.text(" ")
      line.decimal(bodySize)
      line.text(" \"-\" \"-\"\n")
    }
  }

  private static func field(_ name: StaticString, _ context: RequestContext, _ line: inout ByteWriter) {
    guard let index = context.requestHeaders.firstIndex(of: name) else { return line.text("-") }
    context.requestHeaders.withValue(at: index) { escaped($0, &line) }
  }

  /// As nginx: quotes, backslashes, control characters and bytes above ASCII as `\xHH`, so that a line stays a line.
  private static func escaped(_ bytes: UnsafeRawBufferPointer, _ line: inout ByteWriter) {
    for byte in bytes {
      if byte < 0x20 || byte > 0x7E || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        line.text("\\x")
        line.byte(digit(byte >> 4))
        line.byte(digit(byte & 15))
      } else {
        line.byte(byte)
      }
    }
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
  }
}
