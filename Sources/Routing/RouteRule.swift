/// What one route asks of a request. Empty lists ask nothing.
public struct RouteRule: Sendable, Hashable {
  /// The caller's number for the route; comes back in `RouteMatch`.
  public var index: Int
  /// The route's UUID; among routes of equal priority the larger one goes first.
  public var id: String
  /// `name`, `*.suffix` or `prefix.*`, each with an optional `:port`.
  public var hosts: [String]
  /// A prefix, or a regular expression after `~`.
  public var paths: [String]
  public var methods: [String]
  /// Values by header name; a value that begins with `~*` is a regular expression.
  public var headers: [String: [String]]
  /// As `hosts`, without ports. Only asked of TLS connections.
  public var snis: [String]
  public var regexPriority: Int
  /// Carried along: protocols take no part in matching.
  public var protocols: [String]

  public init(
    index: Int, id: String, hosts: [String] = [], paths: [String] = [], methods: [String] = [],
    headers: [String: [String]] = [:], snis: [String] = [], regexPriority: Int = 0,
    protocols: [String] = ["http", "https"]
  ) {
    self.index = index
    self.id = id
    self.hosts = hosts
    self.paths = paths
    self.methods = methods
    self.headers = headers
    self.snis = snis
    self.regexPriority = regexPriority
    self.protocols = protocols
  }
}

/// Which route cannot be compiled, and why.
public struct RouteTableError: Error, Sendable, Hashable, CustomStringConvertible {
  public let routeIndex: Int
  public let routeID: String
  /// The offending field: `paths` or `headers`.
  public let field: String
  public let reason: String

  public var description: String { "route \(routeID), \(field): \(reason)" }
}
