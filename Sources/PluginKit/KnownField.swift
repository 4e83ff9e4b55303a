/// A field name that is told apart once, while a head is read, so that later looks cost a comparison of one byte.
///
/// Those that the gateway itself treats apart, and those that are seen most.
public enum KnownField: UInt8, Sendable {
  case other
  case te
  case via
  case date, etag, host, vary
  case proxy
  case accept, cookie, expect, origin, server
  case upgrade, trailer, referer
  case location
  case xRealIP
  case connection, keepAlive, userAgent, setCookie
  case contentType
  case authorization, cacheControl, lastModified, ifNoneMatch, acceptRanges
  case contentLength
  case xForwardedFor, acceptEncoding, acceptLanguage
  case proxyConnection, xForwardedHost, xForwardedPort, xForwardedPath, contentEncoding
  case transferEncoding, xForwardedProto, xKongRequestID, ifModifiedSince
  case xForwardedPrefix

  /// The field's bit in a set of fields.
  @inlinable
  public var bit: UInt64 { 1 << UInt64(rawValue) }

  /// By a name in any case.
  @inlinable
  public init(_ name: UnsafeRawBufferPointer) {
    guard let bytes = name.baseAddress else {
      self = .other
      return
    }
    self.init(bytes, count: name.count)
  }

  /// By length first, so that one or two comparisons of words tell.
  @inlinable
  init(_ name: UnsafeRawPointer, count: Int) {
    @inline(__always)
    func isName(_ text: StaticString) -> Bool {
      isSameText(name, UnsafeRawPointer(text.utf8Start), count: text.utf8CodeUnitCount)
    }
    self = .other
    switch count {
    case 2: if isName("te") { self = .te }
    case 3: if isName("via") { self = .via }
    case 4:
      if isName("host") { self = .host }
      if isName("date") { self = .date }
      if isName("etag") { self = .etag }
      if isName("vary") { self = .vary }
    case 5: if isName("proxy") { self = .proxy }
    case 6:
      if isName("accept") { self = .accept }
      if isName("server") { self = .server }
      if isName("cookie") { self = .cookie }
      if isName("origin") { self = .origin }
      if isName("expect") { self = .expect }
    case 7:
      if isName("referer") { self = .referer }
      if isName("upgrade") { self = .upgrade }
      if isName("trailer") { self = .trailer }
    case 8: if isName("location") { self = .location }
    case 9: if isName("x-real-ip") { self = .xRealIP }
    case 10:
      if isName("connection") { self = .connection }
      if isName("user-agent") { self = .userAgent }
      if isName("set-cookie") { self = .setCookie }
      if isName("keep-alive") { self = .keepAlive }
    case 12: if isName("content-type") { self = .contentType }
    case 13:
      if isName("authorization") { self = .authorization }
      if isName("cache-control") { self = .cacheControl }
      if isName("last-modified") { self = .lastModified }
      if isName("if-none-match") { self = .ifNoneMatch }
      if isName("accept-ranges") { self = .acceptRanges }
    case 14: if isName("content-length") { self = .contentLength }
    case 15:
      if isName("accept-encoding") { self = .acceptEncoding }
      if isName("accept-language") { self = .acceptLanguage }
      if isName("x-forwarded-for") { self = .xForwardedFor }
    case 16:
      if isName("content-encoding") { self = .contentEncoding }
      if isName("x-forwarded-host") { self = .xForwardedHost }
      if isName("x-forwarded-port") { self = .xForwardedPort }
      if isName("x-forwarded-path") { self = .xForwardedPath }
      if isName("proxy-connection") { self = .proxyConnection }
    case 17:
      if isName("transfer-encoding") { self = .transferEncoding }
      if isName("if-modified-since") { self = .ifModifiedSince }
      if isName("x-forwarded-proto") { self = .xForwardedProto }
      if isName("x-kong-request-id") { self = .xKongRequestID }
    case 18: if isName("x-forwarded-prefix") { self = .xForwardedPrefix }
    default: break
    }
  }
}

/// Whether `count` bytes are an ASCII text, letters in either case; words at a time.
///
/// - Parameter text: lower-case letters, and else only characters below `@`.
@inlinable
@inline(__always)
public func isSameText(_ bytes: UnsafeRawPointer, _ text: UnsafeRawPointer, count: Int) -> Bool {
  // A letter's 0x40 moved to the right is the bit that its cases differ in. The last words overlap those before.
  if count >= 8 {
    var offset = 0
    while true {
      let word = text.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let found = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      if found | (word & 0x4040_4040_4040_4040) >> 1 != word { return false }
      if offset == count - 8 { return true }
      offset = min(offset + 8, count - 8)
    }
  }
  if count >= 4 {
    let first = text.loadUnaligned(as: UInt32.self)
    if bytes.loadUnaligned(as: UInt32.self) | (first & 0x4040_4040) >> 1 != first { return false }
    let last = text.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
    return bytes.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self) | (last & 0x4040_4040) >> 1 == last
  }
  for offset in 0..<count {
    let letter = text.load(fromByteOffset: offset, as: UInt8.self)
    if bytes.load(fromByteOffset: offset, as: UInt8.self) | (letter & 0x40) >> 1 != letter { return false }
  }
  return true
}

extension UnsafeRawBufferPointer {
  /// Whether the bytes are this ASCII text, letters in either case. See `isSameText` for the text.
  @inlinable
  @inline(__always)
  public func isText(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount, let bytes = baseAddress else { return count == text.utf8CodeUnitCount }
    return isSameText(bytes, UnsafeRawPointer(text.utf8Start), count: text.utf8CodeUnitCount)
  }
}

/// Whether two byte strings are equal without regard to ASCII case.
@inlinable
public func equalIgnoringCase(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
  guard left.count == right.count else { return false }
  for index in 0..<left.count {
    let a = left[index]
    let b = right[index]
    if a != b {
      guard a ^ b == 0x20, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(a | 0x20) else { return false }
    }
  }
  return true
}
