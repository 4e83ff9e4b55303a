import Patterns
import Testing

@testable import Routing

/// The compiled table against a walk over all routes, in the words of the documented rules.
@Suite struct RouteOrderPropertyTests {
  @Test("the table gives what a walk over all routes in order gives", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
  func sameAsWalk(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<12 {
      let rules = (0..<Int.random(in: 1...60, using: &random)).map { Self.rule($0, &random) }
      let table = try Table(rules: rules)
      let walk = try Walk(rules)
      for _ in 0..<60 {
        let request = Self.request(&random)
        let match = table.match(
          request.path, method: request.method, host: request.host, port: request.port, headers: request.headers,
          sni: request.sni)
        let expected = walk.match(request)
        #expect(match?.routeIndex == expected?.route, "\(request)")
        #expect(match?.matchedLength == expected?.length, "\(request)")
      }
    }
  }

  @Test("many routes on hosts, prefixes and regexes are all found")
  func manyRoutes() throws {
    var rules: [RouteRule] = []
    for number in 0..<3000 {
      let id = "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - "\(number)".count) + "\(number)"
      switch number % 3 {
      case 0: rules.append(RouteRule(index: number, id: id, paths: ["/service-\(number)/api"]))
      case 1: rules.append(RouteRule(index: number, id: id, hosts: ["tenant-\(number).test"], paths: ["/"]))
      default: rules.append(RouteRule(index: number, id: id, paths: [#"~/regex-\#(number)/\d+$"#]))
      }
    }
    let table = try Table(rules: rules)
    for number in rules.indices {
      switch number % 3 {
      case 0: #expect(table.match("/service-\(number)/api/x")?.routeIndex == number)
      case 1: #expect(table.match("/any", host: "tenant-\(number).test")?.routeIndex == number)
      default: #expect(table.match("/regex-\(number)/17")?.routeIndex == number)
      }
    }
    #expect(table.match("/service-1/api") == nil)
  }

  struct Request {
    var method: String
    var host: String
    var port: Int
    var path: String
    var headers: [(String, String)]
    var sni: String?
  }

  private static let paths = [
    "/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/b", "/b/a", "/é", "~/a", "~/a/.*", "~/(a|b)/[a-c]+$", "~/a|/b",
    "~/(?i)A", #"~/b/\w?"#, "~/ab?c*", "~/", "~/a{1,2}/b",
  ]
  private static let hosts = [
    "a.test", "b.test", "*.test", "*.a.test", "a.*", "b.a.*", "a.test:8000", "*.test:9000", "a.*:8000", "x.a.test",
  ]
  private static let methods = ["GET", "POST", "PUT", "CUSTOM"]
  private static let headerRules: [(String, [String])] = [
    ("x-a", ["1"]), ("X-B", ["2", "3"]), ("x-c", ["~*^v[0-9]$"]), ("x-a", ["~*."]), ("x-d", []),
  ]
  private static let snis = ["a.test", "*.test", "b.*"]

  private static func some<T>(_ values: [T], _ chance: Double, _ random: inout SeededGenerator) -> [T] {
    guard Double.random(in: 0..<1, using: &random) < chance else { return [] }
    return Array(values.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random)))
  }

  private static func rule(_ index: Int, _ random: inout SeededGenerator) -> RouteRule {
    let digits = Array("0123456789abcdef")
    let id = [8, 4, 4, 4, 12].map { count in
      String((0..<count).map { _ in digits[Int.random(in: 0..<16, using: &random)] })
    }.joined(separator: "-")
    return RouteRule(
      index: index, id: id, hosts: some(hosts, 0.5, &random), paths: some(paths, 0.8, &random),
      methods: some(methods, 0.3, &random),
      headers: Dictionary(some(headerRules, 0.3, &random), uniquingKeysWith: { first, _ in first }),
      snis: some(snis, 0.2, &random), regexPriority: Int.random(in: 0...2, using: &random))
  }

  private static func request(_ random: inout SeededGenerator) -> Request {
    let pieces = ["/", "/a", "/b", "/A", "/ab", "c", "/é", "x", "/c"]
    let path =
      "/" + (0..<Int.random(in: 0...4, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
    let host = ["a.test", "b.test", "x.a.test", "a.org", "b.a.com", "c.test", ""].randomElement(using: &random)!
    let port = [8000, 9000].randomElement(using: &random)!
    return Request(
      method: ["GET", "POST", "PUT", "CUSTOM", "OTHER"].randomElement(using: &random)!,
      host: host + ["", "", ":8000", ":9000"].randomElement(using: &random)!, port: port,
      path: path.replacing("//", with: "/"),
      headers: some([("X-A", "1"), ("x-b", "3"), ("x-b", "9"), ("X-C", "V7"), ("x-a", "z")], 0.6, &random),
      sni: Bool.random(using: &random)
        ? nil : ["a.test", "b.test", "b.org", "z.org", ""].randomElement(using: &random)!)
  }
}

/// Routes in order, each judged by itself.
private struct Walk {
  struct Step {
    let rule: RouteRule
    let paths: [String]
    let rank: [Int]
    let id: [UInt8]
  }

  let steps: [Step]

  init(_ rules: [RouteRule]) throws {
    var steps: [Step] = []
    for rule in rules {
      let kinds = Dictionary(grouping: rule.paths) { $0.hasPrefix("~") ? -1 : $0.utf8.count }
      let headers = rule.headers.filter { !$0.value.isEmpty }
      for (length, _) in kinds.isEmpty ? [-2: []] : kinds {
        let attributes = [rule.methods.isEmpty, rule.hosts.isEmpty, headers.isEmpty, rule.snis.isEmpty, length == -2]
        let plainHosts = !rule.hosts.isEmpty && rule.hosts.allSatisfy { !$0.contains("*") }
        steps.append(
          Step(
            rule: rule, paths: rule.paths.filter { ($0.hasPrefix("~") ? -1 : $0.utf8.count) == length },
            rank: [
              attributes.count { !$0 }, plainHosts ? 1 : 0, headers.count, length == -1 ? 1 : 0,
              length == -1 ? rule.regexPriority : 0, max(length, 0),
            ],
            id: kinds.count < 2
              ? RouteID.bytes(of: rule.id)
              : RouteID.part(of: rule.id, length == -1 ? .regex : .prefix(length: length))))
      }
    }
    self.steps = steps.sorted { left, right in
      if left.rank != right.rank { return right.rank.lexicographicallyPrecedes(left.rank) }
      return right.id.lexicographicallyPrecedes(left.id)
    }
  }

  func match(_ request: RouteOrderPropertyTests.Request) -> (route: Int, length: Int?)? {
    for step in steps where accepts(step.rule, request) {
      if step.paths.isEmpty { return (step.rule.index, nil) }
      for path in step.paths {
        if path.hasPrefix("~") {
          guard let pattern = try? RE2Pattern(String(path.dropFirst())) else { continue }
          let length = Array(request.path.utf8).withUnsafeBytes { pattern.matchLength(atStartOf: $0) }
          if let length { return (step.rule.index, length) }
        } else if Array(request.path.utf8).starts(with: Array(path.utf8)) {
          return (step.rule.index, path.utf8.count)
        }
      }
    }
    return nil
  }

  private func accepts(_ rule: RouteRule, _ request: RouteOrderPropertyTests.Request) -> Bool {
    if !rule.methods.isEmpty, !rule.methods.contains(request.method) { return false }
    if !rule.hosts.isEmpty {
      let parts = request.host.split(separator: ":", omittingEmptySubsequences: false)
      let port = parts.count > 1 ? Int(parts[1]) ?? request.port : request.port
      let matches = rule.hosts.contains { host in
        let wanted = host.split(separator: ":")
        if wanted.count > 1, Int(wanted[1]) != port { return false }
        return wildcard(wanted[0], parts[0])
      }
      if !matches { return false }
    }
    if let sni = request.sni, !rule.snis.isEmpty, !rule.snis.contains(where: { wildcard($0, sni) }) { return false }
    for (name, values) in rule.headers where !values.isEmpty {
      let present = request.headers.filter { $0.0.lowercased() == name.lowercased() }.map(\.1)
      let matches = values.contains { value in
        if value.hasPrefix("~*"), let pattern = try? RE2Pattern("(?i)" + value.dropFirst(2)) {
          return present.contains { pattern.matches($0) }
        }
        return present.contains { $0.lowercased() == value.lowercased() }
      }
      if !matches { return false }
    }
    return true
  }

  private func wildcard(_ pattern: some StringProtocol, _ text: some StringProtocol) -> Bool {
    if pattern.hasPrefix("*") { return text.hasSuffix(String(pattern.dropFirst())) }
    if pattern.hasSuffix("*") { return text.hasPrefix(String(pattern.dropLast())) }
    return String(pattern) == String(text)
  }
}
