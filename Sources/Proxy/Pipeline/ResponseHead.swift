import NIOCore
import PluginKit

/// Writes the head of the response to the client.
///
/// Framing and connection fields are our own; what plugins and the upstream said of them is left out.
/// Source: Kong fact, proxy-behaviour §6.
struct ResponseHead {
  enum Length {
    /// No body and nothing to say of one.
    case none
    case fixed(Int)
    case chunked
    case untilClose
  }

  let context: RequestContext
  let status: Int
  let length: Length
  let keepsAlive: Bool
  let isUpgrade: Bool
  let takesTrailers: Bool
  /// Fields that the upstream's `Connection` names.
  let nominated: [NominatedName]
  let loop: ProxyLoop

  func write(to buffer: inout ByteBuffer) {
    let headers = context.response.headers
    let keepsContentType = context.response.keepsContentType
    let tokens = loop.configuration.responseHeaders
    let date = loop.dateField
    let isProxied = context.response.source == .service
    buffer.write(estimate: headers.byteCount + 640) { writer in
      writer.text("HTTP/1.1 ")
      if status == 200 {
        writer.text("200 OK\r\n")
      } else {
        writer.decimal(status)
        writer.text(" ")
        writer.text(StatusLine.reason(status))
        writer.text("\r\n")
      }
      var hasDate = false
      var hasServer = false
      var hasUpgrade = false
      var via = ""
      headers.forEachLine { name, value, line in
        switch name.count {
        case 3 where name.isText("via"):
          if !via.isEmpty { via += ", " }
          via += String(decoding: value, as: UTF8.self)
          return
        case 4 where name.isText("date"): hasDate = true
        case 6 where name.isText("server"): hasServer = true
        case 7 where name.isText("upgrade"):
          if isProxied { return }
          hasUpgrade = true
        case 7 where name.isText("trailer"): if !takesTrailers { return }
        case 10 where name.isText("connection") || name.isText("keep-alive"): return
        case 12 where name.isText("content-type"):
          writer.text("Content-Type: ")
          writer.bytes(value)
          if !keepsContentType, TextTypes.needsCharset(value) { writer.text("; charset=UTF-8") }
          writer.text("\r\n")
          return
        case 14 where name.isText("content-length"): return
        case 16 where name.isText("proxy-connection"): return
        case 17 where name.isText("transfer-encoding"): return
        case 17 where name.isText("x-kong-request-id"): if tokens.contains(.requestID) { return }
        default: break
        }
        if !nominated.isEmpty, nominated.contains(where: { $0.equals(name) }) { return }
        if let line { writer.bytes(line) } else { writer.field(name, value) }
      }
      if !hasDate { writer.array(date) }
      writeConnection(&writer, hasUpgrade: hasUpgrade)
      if !hasServer, tokens.contains(.server) { writer.array(loop.texts.serverField) }
      writeVia(&writer, via: via, isOurs: isProxied && tokens.contains(.via))
      writeOwn(&writer, tokens, isProxied: isProxied)
      writer.text("\r\n")
    }
  }

  private func writeConnection(_ writer: inout ByteWriter, hasUpgrade: Bool) {
    switch length {
    case .none: break
    case .fixed(let length):
      writer.text("Content-Length: ")
      writer.decimal(length)
      writer.text("\r\n")
    case .chunked: writer.text("Transfer-Encoding: chunked\r\n")
    case .untilClose: break
    }
    if isUpgrade {
      writer.text("Connection: upgrade\r\nUpgrade: websocket\r\n")
    } else if hasUpgrade {
      writer.text(keepsAlive ? "Connection: keep-alive, Upgrade\r\n" : "Connection: close, Upgrade\r\n")
    } else {
      writer.text(keepsAlive ? "Connection: keep-alive\r\n" : "Connection: close\r\n")
    }
  }

  private func writeVia(_ writer: inout ByteWriter, via: String, isOurs: Bool) {
    guard isOurs || !via.isEmpty else { return }
    if via.isEmpty { return writer.array(loop.texts.viaField) }
    writer.text("Via: ")
    writer.string(via)
    if isOurs {
      if !via.isEmpty { writer.text(", ") }
      writer.string(loop.texts.viaMember)
    }
    writer.text("\r\n")
  }

  private func writeOwn(_ writer: inout ByteWriter, _ tokens: ResponseHeaderTokens, isProxied: Bool) {
    func latency(_ name: StaticString, _ start: UInt64, _ end: UInt64) {
      writer.text(name)
      writer.decimal(end > start ? Int((end - start) / 1_000_000) : 0)
      writer.text("\r\n")
    }
    let started = context.startedAt
    if isProxied {
      if tokens.contains(.upstreamLatency) {
        latency("X-Kong-Upstream-Latency: ", context.accessEndedAt, context.upstreamRespondedAt)
      }
      if tokens.contains(.proxyLatency) {
        latency("X-Kong-Proxy-Latency: ", started, context.accessEndedAt)
      }
      if tokens.contains(.upstreamStatus), let status = context.response.upstreamStatus {
        writer.text("X-Kong-Upstream-Status: ")
        writer.decimal(status)
        writer.text("\r\n")
      }
    } else if tokens.contains(.responseLatency) {
      latency("X-Kong-Response-Latency: ", started, loop.now.uptimeNanoseconds)
    }
    if tokens.contains(.totalLatency) {
      latency("X-Kong-Total-Latency: ", started, loop.now.uptimeNanoseconds)
    }
    if tokens.contains(.requestID) {
      writer.text("X-Kong-Request-Id: ")
      context.withRequestID { writer.bytes($0) }
      writer.text("\r\n")
    }
    if loop.configuration.allowsDebugHeader, context.requestHeaders.first("kong-debug") == "1" {
      if let route = context.route {
        writer.field("Kong-Route-Id", route.id)
        if let name = route.name { writer.field("Kong-Route-Name", name) }
      }
      if let service = context.service {
        writer.field("Kong-Service-Id", service.id)
        if let name = service.name { writer.field("Kong-Service-Name", name) }
      }
    }
  }
}

/// The content types that nginx's `charset` directive completes.
enum TextTypes {
  static func needsCharset(_ type: UnsafeRawBufferPointer) -> Bool {
    switch type.count {
    case 8: type.isText("text/xml")
    case 9: type.isText("text/html")
    case 10: type.isText("text/plain")
    case 16: type.isText("text/vnd.wap.wml")
    case 19: type.isText("application/rss+xml")
    case 22: type.isText("application/javascript")
    default: false
    }
  }
}
