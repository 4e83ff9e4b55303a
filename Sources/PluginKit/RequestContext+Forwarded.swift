import EntityModel

/// What the client's side of the request looks like when trusted proxies in front are believed.
///
/// `X-Forwarded-*` counts only from peers in `trusted_ips`. Source: Kong fact, pdk §1; proxy-behaviour §5.
extension RequestContext {
  /// `http` or `https` of the client connection.
  public var scheme: String { isTLS ? "https" : "http" }

  /// The host the client asked for: `Host` without port, in lower case.
  public var host: String {
    guard let index = requestHeaders.firstIndex(of: .host) else { return "" }
    return requestHeaders.withValue(at: index) { HostValue.nameWithoutPort($0) }
  }

  /// Calls `body` with the bytes of `Host` without port, in the spelling that was received.
  @inlinable
  public func withHost(_ body: (UnsafeRawBufferPointer) -> Void) {
    let headers = requestHeaders
    guard let index = headers.firstIndex(of: .host) else { return }
    headers.withValue(at: index) { value in
      body(UnsafeRawBufferPointer(rebasing: value[..<(HostValue.portColon(value) ?? value.count)]))
    }
  }

  public var forwardedScheme: String {
    if isPeerTrusted, let value = requestHeaders.first("x-forwarded-proto"), !value.isEmpty {
      return value.lowercased()
    }
    return scheme
  }

  public var forwardedHost: String {
    if isPeerTrusted, let value = requestHeaders.first("x-forwarded-host"), !value.isEmpty {
      let address = value.split(separator: "@", omittingEmptySubsequences: false).last.map(String.init) ?? value
      return Array(address.utf8).withUnsafeBytes { HostValue.nameWithoutPort($0) }
    }
    return host
  }

  public var forwardedPort: Int {
    if isPeerTrusted {
      if let value = requestHeaders.first("x-forwarded-port"), let port = Int(value), (1...65535).contains(port) {
        return port
      }
      if let value = requestHeaders.first("x-forwarded-host"),
        let port = Array(value.utf8).withUnsafeBytes({ HostValue.port($0) })
      {
        return port
      }
    }
    return publishedPort ?? localPort
  }

  /// The path without query: of a trusted peer as it says, else normalized.
  public var forwardedPath: String {
    trustedForwardedPath ?? String(decoding: normalizedPath, as: UTF8.self)
  }

  /// Like `forwardedPath`, but as received.
  public var rawForwardedPath: String {
    trustedForwardedPath ?? withRawPath { String(decoding: $0, as: UTF8.self) }
  }

  private var trustedForwardedPath: String? {
    guard isPeerTrusted, let value = requestHeaders.first("x-forwarded-path"), !value.isEmpty else { return nil }
    return value
  }

  /// The prefix that a trusted peer or strip_path removed; nil if none or before routing.
  public var forwardedPrefix: String? {
    if isPeerTrusted, let value = requestHeaders.first("x-forwarded-prefix"), !value.isEmpty { return value }
    return strippedPrefix
  }

  /// The bytes of the request target before the first `?`, as received.
  @inlinable
  public func withRawPath<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try requestHeaders.withArena(rawPathRange, body)
  }

  /// The bytes of the request target after the first `?`, as received; nil if there is no `?`.
  @inlinable
  public func withRawQuery<R>(_ body: (UnsafeRawBufferPointer?) throws -> R) rethrows -> R {
    let query = rawQueryRange
    guard !query.isEmpty else { return try body(nil) }
    return try requestHeaders.withArena(query.lowerBound + 1..<query.upperBound, body)
  }

  public func isTrusted(_ address: IPAddress) -> Bool { loop.node.trustedIPs.contains { $0.contains(address) } }
}

/// Reads `host[:port]`, IPv6 in brackets.
@usableFromInline
enum HostValue {
  /// The part before the port, in lower case; brackets stay.
  static func nameWithoutPort(_ value: UnsafeRawBufferPointer) -> String {
    let end = portColon(value) ?? value.count
    return String(unsafeUninitializedCapacity: end) { target in
      for index in 0..<end {
        let byte = value[index]
        target[index] = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
      }
      return end
    }
  }

  static func port(_ value: UnsafeRawBufferPointer) -> Int? {
    guard let colon = portColon(value), value.count - colon <= 6 else { return nil }
    let port = Int(String(decoding: value[(colon + 1)...], as: UTF8.self))
    return port.flatMap { (1...65535).contains($0) ? $0 : nil }
  }

  @usableFromInline
  static func portColon(_ value: UnsafeRawBufferPointer) -> Int? {
    if value.first == UInt8(ascii: "[") {
      guard let end = value.firstIndex(of: UInt8(ascii: "]")), end + 1 < value.count,
        value[end + 1] == UInt8(ascii: ":")
      else { return nil }
      return end + 1
    }
    for index in 0..<value.count where value[index] == UInt8(ascii: ":") { return index }
    return nil
  }
}
