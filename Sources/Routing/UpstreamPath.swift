/// Makes the path that goes to the upstream.
///
/// Source: Kong fact, proxy-behaviour §3. `path_handling` v1 has no effect in the modern router flavours.
public enum UpstreamPath {
  /// Replaces the content of `output` by the escaped upstream path.
  ///
  /// - Parameters:
  ///   - servicePath: the service's `path`; empty when it has none.
  ///   - requestPath: the normalized request path.
  ///   - matchedLength: bytes of the request path that the route's path matched; nil for a route without paths.
  public static func build(
    servicePath: UnsafeRawBufferPointer, requestPath: UnsafeRawBufferPointer, matchedLength: Int?, stripPath: Bool,
    into output: inout [UInt8]
  ) {
    output.removeAll(keepingCapacity: true)
    // A missing service path is the root, whose slash the rest brings along.
    let endsWithSlash = servicePath.isEmpty || servicePath.last == slash
    let base = UnsafeRawBufferPointer(
      rebasing: servicePath[..<(servicePath.count - (servicePath.last == slash ? 1 : 0))])
    let requestHasSlash = requestPath.last == slash && (requestPath.count > 1 || endsWithSlash)

    guard stripPath else {
      escape(base, into: &output)
      if requestPath.count > 1 || endsWithSlash { escape(requestPath, into: &output) }
      return
    }
    let rest = withoutLeadingDots(
      UnsafeRawBufferPointer(rebasing: requestPath[min(matchedLength ?? 1, requestPath.count)...]))
    escape(base, into: &output)
    if rest.isEmpty {
      if requestHasSlash || base.isEmpty { output.append(slash) }
    } else {
      if rest.first != slash { output.append(slash) }
      escape(rest, into: &output)
    }
  }

  /// Appends `path` with every byte escaped that may not stand in a path (RFC 3986 §3.3); escapes in it are kept.
  public static func escape(_ path: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    if path.allSatisfy(isAllowed) { return output.append(contentsOf: path) }
    output.reserveCapacity(output.count + path.count)
    for byte in path {
      if isAllowed(byte) {
        output.append(byte)
      } else {
        output.append(UInt8(ascii: "%"))
        output.append(digit(byte >> 4))
        output.append(digit(byte & 15))
      }
    }
  }

  private static let slash = UInt8(ascii: "/")

  /// Stripping a prefix in the middle of a segment may leave `.` or `..` in front, which must not climb.
  private static func withoutLeadingDots(_ rest: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var dots = 0
    while dots < rest.count, dots < 3, rest[dots] == UInt8(ascii: ".") { dots += 1 }
    guard dots == 1 || dots == 2 else { return rest }
    if rest.count == dots { return UnsafeRawBufferPointer(rebasing: rest[dots...]) }
    return rest[dots] == slash ? UnsafeRawBufferPointer(rebasing: rest[(dots + 1)...]) : rest
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "@")...UInt8(ascii: "Z"),
      UInt8(ascii: "#")...UInt8(ascii: ";"), UInt8(ascii: "!"), UInt8(ascii: "="), UInt8(ascii: "?"),
      UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "_"), UInt8(ascii: "~"):
      true
    default: false
    }
  }
}
