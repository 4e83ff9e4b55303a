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

  let status: Int
  let length: Length
  let keepsAlive: Bool
  let isUpgrade: Bool
  let takesTrailers: Bool
  /// Fields that the upstream's `Connection` names.
  let nominated: [NominatedName]

  /// Fields that are not simply passed on.
  private static let treated: UInt64 = {
    let fields: [KnownField] = [
      .via, .date, .server, .upgrade, .trailer, .connection, .keepAlive, .contentType, .contentLength,
      .proxyConnection, .transferEncoding, .xKongRequestID,
    ]
    return fields.reduce(0) { $0 | $1.bit }
  }()

  func write(to buffer: inout ByteBuffer, _ context: RequestContext, _ loop: ProxyLoop) {
    let headers = context.response.headers
    let tokens = loop.configuration.responseHeaders
    let isProxied = context.response.source == .service
    let treated = Self.treated
    buffer.write(estimate: headers.byteCount + 640) { writer in
      if status == 200 {
        writer.text("HTTP/1.1 200 OK\r\n")
      } else {
        writer.text("HTTP/1.1 ")
        writer.decimal(status)
        writer.text(" ")
        writer.text(StatusLine.reason(status))
        writer.text("\r\n")
      }
      var hasUpgrade = false
      var via = ""
      var seen: UInt64 = 0
      headers.withEntries { arena, entries in
        var run = LineRun()
        for entry in entries {
          let bit = entry.known.bit
          if treated & bit != 0 {
            seen |= bit
            switch entry.known {
            case .via:
              if !via.isEmpty { via += ", " }
              via += String(decoding: entry.value(arena), as: UTF8.self)
              continue
            case .upgrade:
              if isProxied { continue }
              hasUpgrade = true
            case .trailer: if !takesTrailers { continue }
            case .contentType:
              run.end(arena, &writer)
              writeContentType(&writer, entry.value(arena), context)
              continue
            case .xKongRequestID: if tokens.contains(.requestID) { continue }
            case .date, .server: break
            default: continue
            }
          }
          if !nominated.isEmpty, nominated.contains(where: { $0.equals(entry.name(arena)) }) { continue }
          run.pass(entry, arena, &writer)
        }
        run.end(arena, &writer)
      }
      if seen & KnownField.date.bit == 0 { writer.array(loop.dateField) }
      writeConnection(&writer, hasUpgrade: hasUpgrade)
      if seen & KnownField.server.bit == 0, tokens.contains(.server) { writer.array(loop.texts.serverField) }
      writeVia(&writer, via: via, isOurs: isProxied && tokens.contains(.via), loop)
      writeOwn(&writer, tokens, isProxied: isProxied, context, loop)
      writer.text("\r\n")
    }
  }

  private func writeContentType(
    _ writer: inout ByteWriter, _ value: UnsafeRawBufferPointer, _ context: RequestContext
  ) {
    writer.text("Content-Type: ")
    writer.bytes(value)
    if !context.response.keepsContentType, TextTypes.needsCharset(value) { writer.text("; charset=UTF-8") }
    writer.text("\r\n")
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

  private func writeVia(_ writer: inout ByteWriter, via: String, isOurs: Bool, _ loop: ProxyLoop) {
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

  private func writeOwn(
    _ writer: inout ByteWriter, _ tokens: ResponseHeaderTokens, isProxied: Bool, _ context: RequestContext,
    _ loop: ProxyLoop
  ) {
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
