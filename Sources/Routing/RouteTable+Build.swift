import Patterns

extension RouteTable {
  /// Compiles routes.
  ///
  /// - Parameter previous: a table whose regexes of paths are taken over where they are the same.
  /// - Throws: for the first route whose path or header regex cannot be compiled.
  public init(routes: [RouteRule], reusing previous: RouteTable? = nil) throws(RouteTableError) {
    let known = Dictionary(
      (previous?.patterns ?? []).map { ($0.source, $0) }, uniquingKeysWith: { first, _ in first })
    var parts: [Part] = []
    parts.reserveCapacity(routes.count)
    for rule in routes { parts += Part.parts(of: rule.withoutEmptyHeaders) }
    parts.sort { $1.priority < $0.priority }

    var itemsByBucket: [[PathTrie.Item]] = []
    for part in parts {
      let condition = Int32(conditions.count)
      conditions.append(try makeCondition(part.rule))
      let buckets = bucketNumbers(part.rule, &itemsByBucket)
      for (entry, prefix) in try makeEntries(part, condition, known) {
        let item = PathTrie.Item(prefix: prefix, entry: Int32(entries.count))
        entries.append(entry)
        for bucket in buckets { itemsByBucket[bucket].append(item) }
      }
    }
    for items in itemsByBucket {
      let best = items.map { Int($0.entry) }.min() ?? Int.max
      buckets.append(Bucket(root: trie.addTree(items), best: best))
    }
    routeCount = routes.count
  }

  /// Paths of one kind and length of one route.
  private struct Part {
    let rule: RouteRule
    let paths: [String]
    let priority: RoutePriority

    static func parts(of rule: RouteRule) -> [Part] {
      let groups = RoutePath.groups(of: rule.paths)
      if groups.count < 2 {
        let priority = RoutePriority(rule: rule, path: groups.first?.group, id: RouteID.bytes(of: rule.id))
        return [Part(rule: rule, paths: rule.paths, priority: priority)]
      }
      return groups.map { group, paths in
        let priority = RoutePriority(rule: rule, path: group, id: RouteID.part(of: rule.id, group))
        return Part(rule: rule, paths: paths, priority: priority)
      }
    }
  }

  private mutating func makeCondition(_ rule: RouteRule) throws(RouteTableError) -> Condition {
    var methods: UInt64 = rule.methods.isEmpty ? .max : 0
    var further: [Int32] = []
    for method in rule.methods {
      let number = methodNumbers.insert(method.utf8)
      if number < Self.unnamedMethod { methods |= 1 << UInt64(number) } else { further.append(Int32(number)) }
    }
    var headers: [RouteHeaderRule] = []
    for (name, values) in rule.headers.sorted(by: { $0.key < $1.key }) {
      do {
        headers.append(try RouteHeaderRule(name: name, values: values))
      } catch {
        throw RouteTableError(
          routeIndex: rule.index, routeID: rule.id, field: "headers", reason: "\(name): \(error)")
      }
    }
    return Condition(
      routeIndex: rule.index, methods: methods, furtherMethods: further, headers: headers,
      snis: rule.snis.map { HostPattern($0) }, isSimple: headers.isEmpty && rule.snis.isEmpty)
  }

  private mutating func makeEntries(
    _ part: Part, _ condition: Int32, _ known: [String: RoutePathPattern]
  ) throws(RouteTableError) -> [(Entry, prefix: [UInt8])] {
    guard !part.paths.isEmpty else {
      return [(Entry(condition: condition, prefixLength: -1, pattern: -1), [])]
    }
    var made: [(Entry, prefix: [UInt8])] = []
    for path in part.paths {
      guard path.hasPrefix("~") else {
        let prefix = Array(path.utf8)
        made.append((Entry(condition: condition, prefixLength: Int32(prefix.count), pattern: -1), prefix))
        continue
      }
      do {
        let source = String(path.dropFirst())
        let pattern = if let same = known[source] { same } else { try RoutePathPattern(source) }
        made.append(
          (Entry(condition: condition, prefixLength: -1, pattern: Int32(patterns.count)), pattern.literalPrefix))
        patterns.append(pattern)
      } catch {
        throw RouteTableError(
          routeIndex: part.rule.index, routeID: part.rule.id, field: "paths", reason: "\(error)")
      }
    }
    return made
  }

  /// The buckets of a route's hosts; new ones get an empty list of items.
  private mutating func bucketNumbers(_ rule: RouteRule, _ items: inout [[PathTrie.Item]]) -> Set<Int> {
    guard !rule.hosts.isEmpty else {
      if let anyHost { return [anyHost] }
      anyHost = items.count
      items.append([])
      return [items.count - 1]
    }
    var numbers: Set<Int> = []
    for host in rule.hosts {
      var text = host
      let (length, port) = text.withUTF8 { bytes in
        let parts = HostAndPort(UnsafeRawBufferPointer(bytes))
        return (parts.hostLength, parts.port)
      }
      let pattern = HostPattern(String(decoding: host.utf8.prefix(length), as: UTF8.self))
      let next = items.count
      let number =
        if let port {
          hostsByPort[port, default: HostPatternIndex()].insert(pattern, next: next)
        } else {
          hosts.insert(pattern, next: next)
        }
      if number == next { items.append([]) }
      numbers.insert(number)
    }
    return numbers
  }
}

extension RouteRule {
  /// A header without values asks nothing.
  fileprivate var withoutEmptyHeaders: RouteRule {
    guard headers.values.contains(where: \.isEmpty) else { return self }
    var rule = self
    rule.headers = headers.filter { !$0.value.isEmpty }
    return rule
  }
}
