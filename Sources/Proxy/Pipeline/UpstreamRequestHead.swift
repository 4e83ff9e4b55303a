import NIOCore
import PluginKit

/// Writes the head of the request to the upstream.
///
/// Framing, routing and forwarding fields are always our own: whatever the client sent of them, and whatever its
/// `Connection` field names, cannot change how the upstream reads the request.
/// Source: Kong fact, proxy-behaviour §5; RFC 9110 §7.6.1.
struct UpstreamRequestHead {
  enum Body: Equatable {
    case none
    case fixed(Int)
    case chunked
  }

  /// Instead of the destination's.
  let host: String?
  let body: Body
  let isUpgrade: Bool
  let namesFields: Bool

  /// Fields that are not simply passed on.
  private static let treated: UInt64 = {
    let ours: [KnownField] = [
      .host, .proxy, .expect, .upgrade, .xRealIP, .connection, .keepAlive, .contentLength, .xForwardedFor,
      .proxyConnection, .xForwardedHost, .xForwardedPort, .xForwardedPath, .transferEncoding, .xForwardedProto,
      .xKongRequestID, .xForwardedPrefix,
    ]
    return ours.reduce(KnownField.via.bit | KnownField.te.bit) { $0 | $1.bit }
  }()

  func write(
    to buffer: inout ByteBuffer, _ context: RequestContext, _ loop: ProxyLoop, _ client: ClientHandler,
    _ destination: UpstreamDestination
  ) {
    let headers = context.requestHeaders
    let nominated = namesFields ? NominatedName.all(in: headers) : []
    let treated = Self.treated
    let estimate =
      headers.byteCount + context.upstream.path.count + (host?.utf8.count ?? 0) + destination.hostFields.count + 768
    buffer.write(estimate: estimate) { writer in
      headers.withEntries { arena, entries in
        writeRequestLine(&writer, context, arena)
        if host == nil, !isUpgrade {
          writer.array(destination.hostFields)
        } else {
          writer.field("Host", host ?? destination.host)
          writer.text(
            isUpgrade ? "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" : "Connection: keep-alive\r\n")
        }
        switch body {
        case .none: break
        case .fixed(let length):
          writer.text("Content-Length: ")
          writer.decimal(length)
          writer.text("\r\n")
        case .chunked: writer.text("Transfer-Encoding: chunked\r\n")
        }
        writeForwarding(&writer, context, client, headers)
        var via = ""
        var takesTrailers = false
        var run = LineRun()
        for entry in entries {
          if treated & entry.known.bit != 0 {
            switch entry.known {
            case .via:
              if !via.isEmpty { via += ", " }
              via += String(decoding: entry.value(arena), as: UTF8.self)
            case .te: entry.value(arena).forEachListMember { if $0.isText("trailers") { takesTrailers = true } }
            default: break
            }
            continue
          }
          if !nominated.isEmpty, nominated.contains(where: { $0.equals(entry.name(arena)) }) { continue }
          run.pass(entry, arena, &writer)
        }
        run.end(arena, &writer)
        if takesTrailers { writer.text("TE: trailers\r\n") }
        writer.text("Via: ")
        if !via.isEmpty {
          writer.string(via)
          writer.text(", ")
        }
        writer.text(context.httpVersion == 10 ? "1.0" : "1.1")
        writer.array(loop.texts.viaRequestEnd)
        if loop.configuration.sendsRequestIDUpstream {
          writer.text("X-Kong-Request-Id: ")
          context.withRequestID { writer.bytes($0) }
          writer.text("\r\n\r\n")
        } else {
          writer.text("\r\n")
        }
      }
    }
  }

  @inline(__always)
  private func writeRequestLine(_ writer: inout ByteWriter, _ context: RequestContext, _ arena: UnsafeRawBufferPointer)
  {
    if case .get = context.method {
      writer.text("GET ")
    } else {
      writer.string(context.method.name)
      writer.text(" ")
    }
    Self.writeTarget(context.upstream.path, &writer)
    if let query = context.queryOverride {
      if !query.isEmpty {
        writer.text("?")
        Self.writeTarget(query, &writer)
      }
    } else {
      // With its question mark.
      let range = context.rawQueryRange
      if !range.isEmpty { writer.bytes(UnsafeRawBufferPointer(rebasing: arena[range])) }
    }
    writer.text(" HTTP/1.1\r\n")
  }

  /// What plugins set must not end the request line: blanks and control characters are percent-encoded.
  private static func writeTarget(_ bytes: [UInt8], _ writer: inout ByteWriter) {
    guard bytes.withUnsafeBytes({ $0.hasBlankOrControl }) else { return writer.array(bytes) }
    for byte in bytes {
      if byte <= 0x20 || byte == 0x7F {
        writer.text("%")
        writer.byte(hexDigit(byte >> 4))
        writer.byte(hexDigit(byte & 15))
      } else {
        writer.byte(byte)
      }
    }
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
  }

  /// Whether method and host, which plugins may have set, can stand in a head.
  func isSafe(_ context: RequestContext, _ destination: UpstreamDestination) -> Bool {
    if case .other(var method) = context.method {
      guard method.withUTF8({ HTTPCharacters.isToken(UnsafeRawBufferPointer($0)) }) else { return false }
    }
    return host.map { Self.isSafe(host: $0) } ?? destination.isHostSafe
  }

  /// Whether a text can stand in a `Host` field.
  static func isSafe(host: String) -> Bool { host.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F } }

  private func writeForwarding(
    _ writer: inout ByteWriter, _ context: RequestContext, _ client: ClientHandler, _ headers: HeaderBlock
  ) {
    if !context.isPeerTrusted, !headers.mayContain(KnownField.xForwardedFor.bit), !context.hasOwnClientIP {
      // What nearly every request gets.
      writer.array(client.forwarding.client)
      writeHost(&writer, context)
      writer.array(client.forwarding.port)
      writer.text("X-Forwarded-Path: ")
      context.withRawPath { writer.bytes($0) }
      writer.text("\r\n")
      if context.strippedPrefixLength > 0 { writePrefix(&writer, context) }
      return
    }
    writeForwardingOfProxy(&writer, context, client, headers)
  }

  private func writeHost(_ writer: inout ByteWriter, _ context: RequestContext) {
    writer.text("X-Forwarded-Host: ")
    if let host = context.hostBeforeChange {
      writer.string(host)
    } else {
      context.withHost { writer.lowercased($0) }
    }
    writer.text("\r\n")
  }

  /// When the client is a proxy, or says so.
  private func writeForwardingOfProxy(
    _ writer: inout ByteWriter, _ context: RequestContext, _ client: ClientHandler, _ headers: HeaderBlock
  ) {
    let trusted = context.isPeerTrusted
    /// The first value of a field, of a trusted peer.
    func trustedIndex(_ field: KnownField) -> Int? { trusted ? headers.firstIndex(of: field) : nil }

    writer.field("X-Real-IP", context.clientIP)
    writer.text("X-Forwarded-For: ")
    // Of several fields the first counts.
    if let forwardedFor = headers.firstIndex(of: .xForwardedFor) {
      headers.withValue(at: forwardedFor) { value in
        writer.bytes(value)
        if !value.isEmpty { writer.text(", ") }
      }
      writer.string(context.peerIP)
    } else {
      writer.string(context.clientIP)
    }
    writer.text("\r\nX-Forwarded-Proto: ")
    if let index = trustedIndex(.xForwardedProto) {
      headers.withValue(at: index) { writer.bytes($0) }
    } else {
      writer.text(context.isTLS ? "https" : "http")
    }
    writer.text("\r\n")
    if let index = trustedIndex(.xForwardedHost) {
      writer.text("X-Forwarded-Host: ")
      headers.withValue(at: index) { writer.bytes($0) }
      writer.text("\r\n")
    } else {
      writeHost(&writer, context)
    }
    if let index = trustedIndex(.xForwardedPort) {
      writer.text("X-Forwarded-Port: ")
      headers.withValue(at: index) { writer.bytes($0) }
      writer.text("\r\n")
    } else {
      writer.array(client.forwarding.port)
    }
    writer.text("X-Forwarded-Path: ")
    if let index = trustedIndex(.xForwardedPath) {
      headers.withValue(at: index) { writer.bytes($0) }
    } else {
      context.withRawPath { writer.bytes($0) }
    }
    writer.text("\r\n")
    if let index = trustedIndex(.xForwardedPrefix) {
      headers.withValue(at: index) { value in
        writer.text("X-Forwarded-Prefix: ")
        writer.bytes(value)
        writer.text("\r\n")
      }
    } else if context.strippedPrefixLength > 0 {
      writePrefix(&writer, context)
    }
  }

  private func writePrefix(_ writer: inout ByteWriter, _ context: RequestContext) {
    context.normalizedPath.withUnsafeBytes { path in
      let prefix = UnsafeRawBufferPointer(rebasing: path[..<min(context.strippedPrefixLength, path.count)])
      if prefix.count == 1, prefix[0] == UInt8(ascii: "/") { return }
      writer.text("X-Forwarded-Prefix: ")
      writer.bytes(prefix)
      writer.text("\r\n")
    }
  }
}

/// Received lines that lie behind one another, copied at once.
struct LineRun {
  private var start = 0
  private var stop = 0

  init() {}

  /// Passes a field on as it is.
  @inline(__always)
  mutating func pass(_ entry: HeaderBlock.Entry, _ arena: UnsafeRawBufferPointer, _ writer: inout ByteWriter) {
    if entry.isWholeLine {
      if entry.start != stop {
        end(arena, &writer)
        start = entry.start
      }
      stop = entry.lineEnd
    } else {
      end(arena, &writer)
      writer.field(entry.name(arena), entry.value(arena))
    }
  }

  /// Writes what has been gathered.
  @inline(__always)
  mutating func end(_ arena: UnsafeRawBufferPointer, _ writer: inout ByteWriter) {
    if stop > start { writer.bytes(UnsafeRawBufferPointer(rebasing: arena[start..<stop])) }
    start = 0
    stop = 0
  }
}

/// A field name out of a `Connection` field.
struct NominatedName {
  private let name: [UInt8]

  init(_ name: [UInt8]) { self.name = name }

  /// Fields that `Connection` asks not to be passed on.
  static func all(in headers: HeaderBlock) -> [NominatedName] {
    var names: [NominatedName] = []
    var start = 0
    while let index = headers.firstIndex(of: .connection, from: start) {
      headers.withValue(at: index) { value in value.forEachListMember { names.append(NominatedName(Array($0))) } }
      start = index + 1
    }
    return names
  }

  func equals(_ other: UnsafeRawBufferPointer) -> Bool { name.withUnsafeBytes { equalIgnoringCase($0, other) } }
}
