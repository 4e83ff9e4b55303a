/// What the router asks of one request. The buffers must stay valid for the duration of the match.
public struct RouteQuery {
  /// Case-sensitive, for example `GET`.
  public var method: UnsafeRawBufferPointer
  /// The Host header (or `:authority`) as received, with its port; empty when there is none.
  public var host: UnsafeRawBufferPointer
  /// Port of the listening socket; stands in when the host names none.
  public var port: Int
  /// Path after `PathNormalizer`, without query.
  public var path: UnsafeRawBufferPointer
  /// Server name of the TLS handshake, lower-case; empty when there is none.
  public var sni: UnsafeRawBufferPointer
  public var isTLS: Bool

  public init(
    method: UnsafeRawBufferPointer, host: UnsafeRawBufferPointer, port: Int, path: UnsafeRawBufferPointer,
    sni: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0), isTLS: Bool = false
  ) {
    self.method = method
    self.host = host
    self.port = port
    self.path = path
    self.sni = sni
    self.isTLS = isTLS
  }
}

/// The request headers, as far as routes with `headers` need them.
public protocol RouteHeaderSource {
  /// Whether any field of that name has a value that `rule` accepts.
  ///
  /// - Parameter name: lower-case; fields are compared without regard to ASCII case.
  func hasValue(ofHeader name: UnsafeRawBufferPointer, acceptedBy rule: RouteHeaderRule) -> Bool
}

/// The route that serves a request.
public struct RouteMatch: Sendable {
  /// `RouteRule.index` of the route.
  public let routeIndex: Int
  /// Bytes of the normalized path that the route's path matched (for a regex the whole match); nil for a route without
  /// paths.
  public let matchedLength: Int?
  /// The pattern that matched; nil unless it is a regex path.
  let regex: RoutePathPattern?

  public var isRegex: Bool { regex != nil }

  /// Whether the path that matched has capturing groups.
  public var hasCaptures: Bool { (regex?.pattern.groupCount ?? 0) > 0 }

  /// The groups of a regex path in the path that was matched; nil unless it is a regex path.
  public func captures(in path: UnsafeRawBufferPointer) -> RouteCaptures? {
    guard let regex, let ranges = regex.pattern.captures(in: path, anchor: .atStart) else { return nil }
    let texts = ranges.map { range in range.map { String(decoding: path[$0], as: UTF8.self) } }
    var named: [String: String] = [:]
    for group in regex.pattern.namedGroups {
      named[group.name] = texts[group.index]
    }
    return RouteCaptures(unnamed: texts, named: named)
  }
}

/// What the groups of a regex path matched.
public struct RouteCaptures: Sendable, Hashable {
  /// Index 0 is the whole match; nil for a group that took no part.
  public let unnamed: [String?]
  public let named: [String: String]
}
