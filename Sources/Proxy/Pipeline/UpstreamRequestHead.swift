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

  let context: RequestContext
  let loop: ProxyLoop
  let connection: ClientHandler
  let destination: UpstreamDestination
  /// Instead of the destination's.
  let host: String?
  let body: Body
  let isUpgrade: Bool
  let namesFields: Bool

  func write(to buffer: inout ByteBuffer) {
    let nominated = namesFields ? nominatedNames() : []
    let headers = context.requestHeaders
    let path = context.upstream.path
    let estimate = headers.byteCount + path.count + (host?.utf8.count ?? destination.hostFields.count) + 768
    buffer.write(estimate: estimate) { writer in
      writeRequestLine(&writer, path)
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
      writeForwarding(&writer, headers)
      var via = ""
      var takesTrailers = false
      headers.forEachLine { name, value, line in
        switch Self.treatment(of: name) {
        case .ours: return
        case .via:
          if !via.isEmpty { via += ", " }
          via += String(decoding: value, as: UTF8.self)
          return
        case .transferExtensions:
          value.forEachListMember { if $0.isText("trailers") { takesTrailers = true } }
          return
        case .passed: break
        }
        if !nominated.isEmpty, nominated.contains(where: { $0.equals(name) }) { return }
        if let line { writer.bytes(line) } else { writer.field(name, value) }
      }
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

  private func writeRequestLine(_ writer: inout ByteWriter, _ path: [UInt8]) {
    if case .get = context.method {
      writer.text("GET ")
    } else {
      writer.string(context.method.name)
      writer.text(" ")
    }
    Self.writeTarget(path, &writer)
    if let query = context.queryOverride {
      if !query.isEmpty {
        writer.text("?")
        Self.writeTarget(query, &writer)
      }
    } else {
      context.withRawQuery { query in
        if let query {
          writer.text("?")
          writer.bytes(query)
        }
      }
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
  var isSafe: Bool {
    if case .other(var method) = context.method {
      guard method.withUTF8({ HTTPCharacters.isToken(UnsafeRawBufferPointer($0)) }) else { return false }
    }
    return host.map { Self.isSafe(host: $0) } ?? destination.isHostSafe
  }

  /// Whether a text can stand in a `Host` field.
  static func isSafe(host: String) -> Bool { host.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F } }

  private func writeForwarding(_ writer: inout ByteWriter, _ headers: HeaderBlock) {
    let trusted = context.isPeerTrusted
    // Of several fields the first counts.
    let forwardedFor = headers.firstIndex(of: "x-forwarded-for" as StaticString)
    if !trusted, forwardedFor == nil, !context.hasOwnClientIP {
      writer.array(connection.forwarding.client)
    } else {
      writer.field("X-Real-IP", context.clientIP)
      writer.text("X-Forwarded-For: ")
      if let forwardedFor {
        headers.withValue(at: forwardedFor) { value in
          writer.bytes(value)
          if !value.isEmpty { writer.text(", ") }
        }
        writer.string(context.peerIP)
      } else {
        writer.string(context.clientIP)
      }
      writer.text("\r\nX-Forwarded-Proto: ")
      if let index = trustedIndex("x-forwarded-proto", headers) {
        headers.withValue(at: index) { writer.bytes($0) }
      } else {
        writer.text(context.isTLS ? "https" : "http")
      }
      writer.text("\r\n")
    }
    writer.text("X-Forwarded-Host: ")
    if let index = trustedIndex("x-forwarded-host", headers) {
      headers.withValue(at: index) { writer.bytes($0) }
    } else if let host = context.hostBeforeChange {
      writer.string(host)
    } else {
      context.withHost { name in for byte in name { writer.byte(HTTPCharacters.lowercased(byte)) } }
    }
    writer.text("\r\n")
    if let index = trustedIndex("x-forwarded-port", headers) {
      writer.text("X-Forwarded-Port: ")
      headers.withValue(at: index) { writer.bytes($0) }
      writer.text("\r\n")
    } else {
      writer.array(connection.forwarding.port)
    }
    writer.text("X-Forwarded-Path: ")
    if let index = trustedIndex("x-forwarded-path", headers) {
      headers.withValue(at: index) { writer.bytes($0) }
    } else {
      context.withRawPath { writer.bytes($0) }
    }
    writer.text("\r\n")
    if let index = trustedIndex("x-forwarded-prefix", headers) {
      headers.withValue(at: index) { value in
        writer.text("X-Forwarded-Prefix: ")
        writer.bytes(value)
        writer.text("\r\n")
      }
    } else if context.strippedPrefixLength > 0 {
      writePrefix(&writer)
    }
  }

  private func trustedIndex(_ name: StaticString, _ headers: HeaderBlock) -> Int? {
    context.isPeerTrusted ? headers.firstIndex(of: name) : nil
  }

  private func writePrefix(_ writer: inout ByteWriter) {
    context.normalizedPath.withUnsafeBytes { path in
      let prefix = UnsafeRawBufferPointer(rebasing: path[..<min(context.strippedPrefixLength, path.count)])
      if prefix.count == 1, prefix[0] == UInt8(ascii: "/") { return }
      writer.text("X-Forwarded-Prefix: ")
      writer.bytes(prefix)
      writer.text("\r\n")
    }
  }

  private enum Treatment {
    case passed
    /// Never passed: hop-by-hop, or written by us.
    case ours
    case via
    case transferExtensions
  }

  /// Told apart by length, so that most fields cost one comparison or none.
  @inline(__always)
  private static func treatment(of name: UnsafeRawBufferPointer) -> Treatment {
    switch name.count {
    case 2: name.isText("te") ? .transferExtensions : .passed
    case 3: name.isText("via") ? .via : .passed
    case 4: name.isText("host") ? .ours : .passed
    case 5: name.isText("proxy") ? .ours : .passed
    case 6: name.isText("expect") ? .ours : .passed
    case 7: name.isText("upgrade") ? .ours : .passed
    case 9: name.isText("x-real-ip") ? .ours : .passed
    case 10: name.isText("connection") || name.isText("keep-alive") ? .ours : .passed
    case 14: name.isText("content-length") ? .ours : .passed
    case 15: name.isText("x-forwarded-for") ? .ours : .passed
    case 16:
      name.isText("proxy-connection") || name.isText("x-forwarded-host") || name.isText("x-forwarded-port")
        || name.isText("x-forwarded-path") ? .ours : .passed
    case 17:
      name.isText("transfer-encoding") || name.isText("x-forwarded-proto") || name.isText("x-kong-request-id")
        ? .ours : .passed
    case 18: name.isText("x-forwarded-prefix") ? .ours : .passed
    default: .passed
    }
  }

  /// Fields that the client's `Connection` asks not to be passed on.
  private func nominatedNames() -> [NominatedName] {
    var names: [NominatedName] = []
    var start = 0
    while let index = context.requestHeaders.firstIndex(of: "connection" as StaticString, from: start) {
      context.requestHeaders.withValue(at: index) { value in
        value.forEachListMember { names.append(NominatedName(Array($0))) }
      }
      start = index + 1
    }
    return names
  }
}

/// A field name out of a `Connection` field.
struct NominatedName {
  private let name: [UInt8]

  init(_ name: [UInt8]) { self.name = name }

  func equals(_ other: UnsafeRawBufferPointer) -> Bool { name.withUnsafeBytes { equalIgnoringCase($0, other) } }
}
