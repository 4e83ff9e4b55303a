import Patterns

/// The routes of one snapshot, compiled for matching in the order of Kong's traditional_compatible router.
///
/// Matching gives what a walk over all routes in that order would give first, but only looks at routes whose host and
/// path prefix fit. It does not allocate. Usable from any thread.
public struct RouteTable: Sendable {
  /// A part of a route (its paths of one kind and length) with one of its paths: the unit of matching, best first.
  struct Entry: Sendable {
    /// Place in `conditions`.
    var condition: Int32
    /// Length of the plain path; -1 for other entries.
    var prefixLength: Int32
    /// Place in `patterns`; -1 for other entries.
    var pattern: Int32
  }

  /// What a route asks beside host and path.
  struct Condition: Sendable {
    var routeIndex: Int
    /// Bit n: method number n is accepted; all bits when any method is.
    var methods: UInt64
    /// Accepted methods with numbers from 63 on.
    var furtherMethods: [Int32]
    var headers: [RouteHeaderRule]
    var snis: [HostPattern]
    /// Nothing but the method needs a look.
    var isSimple: Bool
  }

  /// Routes that share a host pattern (and port).
  struct Bucket: Sendable {
    var root: Int
    /// Place of its best entry.
    var best: Int
  }

  var entries: [Entry] = []
  var conditions: [Condition] = []
  var patterns: [RoutePathPattern] = []
  var trie = PathTrie()
  var buckets: [Bucket] = []
  /// Numbers are places in `buckets`.
  var hosts = HostPatternIndex()
  var hostsByPort: [Int: HostPatternIndex] = [:]
  /// Routes without hosts: place in `buckets`.
  var anyHost: Int?
  var methodNumbers = ByteStringIndex()

  /// Method number of every method that no route names.
  static let unnamedMethod = 63

  /// Number of routes the table was made of.
  public internal(set) var routeCount = 0

  /// The route that serves the request; nil if none does.
  public func match(_ query: RouteQuery, headers: some RouteHeaderSource) -> RouteMatch? {
    let method = methodNumbers.find(query.method)
    let hostAndPort = HostAndPort(query.host)
    let host = UnsafeRawBufferPointer(rebasing: query.host[..<hostAndPort.hostLength])
    var best = Best()
    if !hosts.isEmpty { hosts.forEachMatch(host) { search(buckets[$0], query, method, headers, &best) } }
    if !hostsByPort.isEmpty, let index = hostsByPort[hostAndPort.port ?? query.port] {
      index.forEachMatch(host) { search(buckets[$0], query, method, headers, &best) }
    }
    if let anyHost { search(buckets[anyHost], query, method, headers, &best) }

    guard best.entry < Int.max else { return nil }
    let entry = entries[best.entry]
    return RouteMatch(
      routeIndex: conditions[Int(entry.condition)].routeIndex, matchedLength: best.length < 0 ? nil : best.length,
      regex: entry.pattern < 0 ? nil : patterns[Int(entry.pattern)])
  }

  private struct Best {
    var entry = Int.max
    var length = -1
  }

  private func search(
    _ bucket: Bucket, _ query: RouteQuery, _ method: Int?, _ headers: some RouteHeaderSource, _ best: inout Best
  ) {
    guard bucket.best < best.entry else { return }
    var holder = trie.deepestHolder(root: bucket.root, path: query.path)
    while let node = holder {
      for place in trie.entryRange(of: node) {
        let number = trie.entry(at: place)
        guard number < best.entry else { break }
        let entry = entries[number]
        guard accepts(Int(entry.condition), query, method, headers) else { continue }
        var length = Int(entry.prefixLength)
        if entry.pattern >= 0 {
          guard let matched = patterns[Int(entry.pattern)].pattern.matchLength(atStartOf: query.path) else { continue }
          length = matched
        }
        best = Best(entry: number, length: length)
        break
      }
      holder = trie.holder(above: node)
    }
  }

  @inline(__always)
  private func accepts(
    _ place: Int, _ query: RouteQuery, _ method: Int?, _ headers: some RouteHeaderSource
  ) -> Bool {
    // Most conditions are told by their numbers; the rest of them is left alone.
    let (methods, isSimple) = conditions.withUnsafeBufferPointer { ($0[place].methods, $0[place].isSimple) }
    let number = min(method ?? Self.unnamedMethod, Self.unnamedMethod)
    if isSimple, methods & (1 << UInt64(number)) != 0 { return true }
    return accepts(conditions[place], query, method, headers)
  }

  private func accepts(
    _ condition: borrowing Condition, _ query: RouteQuery, _ method: Int?, _ headers: some RouteHeaderSource
  ) -> Bool {
    let number = min(method ?? Self.unnamedMethod, Self.unnamedMethod)
    guard condition.methods & (1 << UInt64(number)) != 0 else {
      guard let method, condition.furtherMethods.contains(Int32(method)) else { return false }
      return condition.isSimple || acceptsMore(condition, query, headers)
    }
    return condition.isSimple || acceptsMore(condition, query, headers)
  }

  private func acceptsMore(
    _ condition: borrowing Condition, _ query: RouteQuery, _ headers: some RouteHeaderSource
  ) -> Bool {
    if query.isTLS, !condition.snis.isEmpty, !condition.snis.contains(where: { $0.matches(query.sni) }) {
      return false
    }
    for rule in condition.headers {
      guard rule.name.withUnsafeBytes({ headers.hasValue(ofHeader: $0, acceptedBy: rule) }) else { return false }
    }
    return true
  }
}
