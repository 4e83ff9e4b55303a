import Testing

@testable import Routing

@Suite struct RouteTableTests {
  @Test("the longest plain prefix wins, without regard to segments but to case")
  func prefixes() throws {
    let table = try Table([
      "pre": .init(paths: ["/pre"]), "long": .init(paths: ["/pre/long"]), "slash": .init(paths: ["/slash/"]),
    ])
    #expect(table.route("/pre") == "pre")
    #expect(table.route("/pre/lon") == "pre")
    #expect(table.route("/pre/longest") == "long")
    #expect(table.route("/PRE") == nil)
    #expect(table.route("/slash") == nil)
    #expect(table.route("/slash/") == "slash")
    #expect(table.match("/pre/longest")?.matchedLength == 9)
  }

  @Test("hosts match exactly or by wildcard, with case, without the port of the request")
  func hosts() throws {
    let table = try Table([
      "plain": .init(hosts: ["plain.test", "second.test"]), "left": .init(hosts: ["*.left.test"]),
      "right": .init(hosts: ["right.*"]), "six": .init(hosts: ["[::1]"]),
    ])
    #expect(table.route(host: "plain.test") == "plain")
    #expect(table.route(host: "second.test:4321") == "plain")
    #expect(table.route(host: "PLAIN.test") == nil)
    #expect(table.route(host: "plain.test.") == nil)
    #expect(table.route(host: "") == nil)
    #expect(table.route(host: "a.b.left.test") == "left")
    #expect(table.route(host: "left.test") == nil)
    #expect(table.route(host: "aleft.test") == nil)
    #expect(table.route(host: "right.example:80") == "right")
    #expect(table.route(host: "right") == nil)
    #expect(table.route(host: "[::1]:8000") == "six")
    #expect(table.route(host: "[::1]") == "six")
  }

  @Test("a host with a port asks for that port in the Host header, or of the listener when the header names none")
  func ports() throws {
    let table = try Table(["port": .init(hosts: ["port.test:8123"]), "wild": .init(hosts: ["*.wport.test:8123"])])
    #expect(table.route(host: "port.test:8123") == "port")
    #expect(table.route(host: "port.test:4321") == nil)
    #expect(table.route(host: "a.wport.test:8123") == "wild")
    #expect(table.route(host: "a.wport.test:4321") == nil)
    #expect(table.route(host: "port.test", port: 8123) == "port")
    #expect(table.route(host: "port.test", port: 8000) == nil)
  }

  @Test("methods are compared as they are, and GET does not include HEAD")
  func methods() throws {
    let table = try Table([
      "write": .init(paths: ["/m"], methods: ["POST", "PUT"]), "get": .init(paths: ["/q"], methods: ["GET"]),
      "any": .init(paths: ["/q"]), "delete": .init(methods: ["DELETE"]),
    ])
    #expect(table.route("/m/x", method: "PUT") == "write")
    #expect(table.route("/m/x", method: "GET") == nil)
    #expect(table.route("/q", method: "GET") == "get")
    #expect(table.route("/q", method: "HEAD") == "any")
    #expect(table.route("/q", method: "get") == "any")
    #expect(table.route("/x", method: "DELETE") == "delete")
  }

  @Test("more methods than a machine word has bits are still told apart")
  func manyMethods() throws {
    var rules: [String: Table.Rule] = [:]
    for number in 0..<150 {
      let letters = String(UnicodeScalar(UInt8(65 + number / 26))) + String(UnicodeScalar(UInt8(65 + number % 26)))
      rules["r" + letters] = .init(methods: ["M" + letters])
    }
    let table = try Table(rules)
    for name in rules.keys { #expect(table.route("/", method: "M" + name.dropFirst()) == name) }
    #expect(table.route("/", method: "GET") == nil)
  }

  @Test("header values match without case, any of several, and by regex anywhere in the value")
  func headers() throws {
    let table = try Table([
      "color": .init(paths: ["/hd"], headers: ["X-Color": ["red", "Blue"]]),
      "version": .init(paths: ["/hr"], headers: ["x-version": ["~*^v[0-9]+$"]]),
      "agent": .init(paths: ["/hp"], headers: ["x-agent": ["~*mobile|tablet", "desktop"]]),
      "two": .init(paths: ["/ht"], headers: ["x-a": ["1"], "x-b": ["2", "3"]]),
      "one": .init(paths: ["/ht"], headers: ["x-a": ["1"]]), "none": .init(paths: ["/ht"]),
    ])
    #expect(table.route("/hd", headers: [("x-color", "BLUE")]) == "color")
    #expect(table.route("/hd", headers: [("X-COLOR", "green"), ("x-color", "red")]) == "color")
    #expect(table.route("/hd", headers: [("x-color", "green")]) == nil)
    #expect(table.route("/hd") == nil)
    #expect(table.route("/hr", headers: [("x-version", "V12")]) == "version")
    #expect(table.route("/hr", headers: [("x-version", "V12x")]) == nil)
    #expect(table.route("/hp", headers: [("x-agent", "a Mobile phone")]) == "agent")
    #expect(table.route("/hp", headers: [("x-agent", "Desktop")]) == "agent")
    #expect(table.route("/hp", headers: [("x-agent", "a desktop")]) == nil)
    #expect(table.route("/ht", headers: [("x-a", "1"), ("x-b", "3")]) == "two")
    #expect(table.route("/ht", headers: [("x-a", "1"), ("x-b", "4")]) == "one")
    #expect(table.route("/ht", headers: [("x-b", "3")]) == "none")
  }

  @Test("server names are asked of TLS connections only")
  func serverNames() throws {
    let table = try Table(["sni": .init(paths: ["/x"], snis: ["a.test", "*.b.test"])])
    #expect(table.route("/x") == "sni")
    #expect(table.route("/x", sni: "a.test") == "sni")
    #expect(table.route("/x", sni: "x.b.test") == "sni")
    #expect(table.route("/x", sni: "c.test") == nil)
    #expect(table.route("/x", sni: "") == nil)
  }

  @Test("more kinds of attributes win, then plain hosts, then headers, then regexes, then length")
  func order() throws {
    let long = "/p/a/very/long/path"
    func winner(_ left: Table.Rule, _ right: Table.Rule) throws -> String? {
      try Table(["left": left, "right": right])
        .route(long + "/x", host: "c.test", headers: [("x-c", "1"), ("x-d", "1")])
    }
    #expect(try winner(.init(paths: [long]), .init(paths: ["/p"], methods: ["GET"])) == "right")
    #expect(try winner(.init(paths: [long], hosts: ["*.test"]), .init(paths: ["/p"], hosts: ["c.test"])) == "right")
    #expect(
      try winner(
        .init(paths: ["/p"], hosts: ["c.test"]), .init(paths: ["/p"], hosts: ["*.test"], headers: ["x-c": ["1"]]))
        == "right")
    #expect(
      try winner(.init(paths: ["/p"], hosts: ["c.test", "*.test"]), .init(paths: [long], hosts: ["*.test"])) == "right")
    #expect(
      try winner(.init(paths: [long], methods: ["GET"]), .init(paths: ["/p"], headers: ["x-c": ["1"]])) == "right")
    #expect(
      try winner(
        .init(paths: ["~/p/[a-z]+"], headers: ["x-c": ["1"]], regexPriority: 100),
        .init(paths: ["/p"], headers: ["x-c": ["1"], "x-d": ["1"]])) == "right")
    #expect(try winner(.init(paths: [long]), .init(paths: ["~/p"])) == "right")
    #expect(
      try winner(.init(paths: ["~/p/.*"], regexPriority: 1), .init(paths: ["~/p"], regexPriority: 8192)) == "right")
    #expect(try winner(.init(paths: ["/p"], regexPriority: 9), .init(paths: ["/p/a"])) == "right")
    #expect(
      try winner(.init(hosts: ["c.test"]), .init(paths: ["/p"], methods: ["GET"], headers: ["x-c": ["1"]])) == "right")
  }

  @Test("of equal routes the one with the larger UUID wins")
  func ties() throws {
    var rules = [
      RouteRule(index: 0, id: "11111111-1111-4111-8111-111111111111", paths: ["/x"]),
      RouteRule(index: 1, id: "ffffffff-1111-4111-8111-111111111111", paths: ["/x"]),
      RouteRule(index: 2, id: "FFFFFFF0-1111-4111-8111-111111111111", paths: ["/x"]),
    ]
    for _ in 0..<3 {
      rules.append(rules.removeFirst())
      #expect(try Table(rules: rules).match("/x/y")?.routeIndex == 1)
    }
  }

  @Test("name-based UUIDs are those of RFC 9562 in the name space of split routes")
  func nameBasedIDs() {
    let bytes = RouteID.version5(name: "a#1")
    #expect(bytes.count == 16)
    #expect(bytes[6] >> 4 == 5)
    #expect(bytes[8] >> 6 == 2)
    #expect(bytes != RouteID.version5(name: "a#2"))
    #expect(RouteID.bytes(of: "00112233-4455-6677-8899-aabbccddeeff").prefix(3) == [0x00, 0x11, 0x22])
    #expect(RouteID.bytes(of: "no uuid").count == 16)
  }

  @Test("a route with several paths takes part with each kind and length")
  func severalPaths() throws {
    let table = try Table([
      "a": .init(paths: ["/mx", "/mx/very/long", #"~/mx/r\d+$"#]), "b": .init(paths: ["/mx/very"]),
    ])
    #expect(table.route("/mx/ab") == "a")
    #expect(table.route("/mx/very/long/x") == "a")
    #expect(table.match("/mx/very/long/x")?.matchedLength == 13)
    #expect(table.route("/mx/very/x") == "b")
    #expect(table.match("/mx/r12")?.isRegex == true)
    #expect(table.match("/mx/r12x")?.isRegex == false)
  }

  @Test("regex paths match at the start, by priority, and give their captures")
  func regexes() throws {
    let table = try Table([
      "id": .init(paths: [#"~/re/(?<id>\d+)(/x)?$"#]), "open": .init(paths: [#"~/rx/\d+"#]),
      "case": .init(paths: ["~/(?i)ci/word"]), "alternative": .init(paths: ["~/one|/two"]),
      "high": .init(paths: ["~/rp/[a-z]+$"], regexPriority: 5), "low": .init(paths: ["~/rp/.*"]),
    ])
    #expect(table.route("/y/rx/12") == nil)
    #expect(table.match("/rx/12/rest")?.matchedLength == 6)
    #expect(table.match("/rx/12")?.hasCaptures == false)
    #expect(table.route("/CI/WORD/x") == "case")
    #expect(table.route("/two/x") == "alternative")
    #expect(table.route("/x/two") == nil)
    #expect(table.route("/rp/abc") == "high")
    #expect(table.route("/rp/abc1") == "low")
    let match = try #require(table.match("/re/12"))
    #expect(match.hasCaptures)
    let captures = Array("/re/12".utf8).withUnsafeBytes { match.captures(in: $0) }
    #expect(captures == RouteCaptures(unnamed: ["/re/12", "12", nil], named: ["id": "12"]))
    #expect(Array("/x".utf8).withUnsafeBytes { table.match("/rx/1")?.captures(in: $0) } == nil)
  }

  @Test(
    "the literal beginning of a regex is what every match begins with",
    arguments: [
      (#"/users/\d+"#, "/users/"), ("/a.b", "/a"), (#"/a\.b"#, "/a.b"), ("/ab?", "/a"), ("/ab*", "/a"), ("/ab+", "/ab"),
      ("/ab{0,2}", "/a"), ("/a|/b", ""), ("/(a|b)", "/"), ("(?i)/x", ""), ("/é?", "/"), ("/é", "/é"), ("^/x", ""),
      ("/a[|]b", "/a"), (#"/a\|b"#, "/a|b"), ("/a[[:alpha:]|]", ""), (#"/\Qa|b\E"#, ""), ("/x$", "/x"), ("", ""),
      (#"/a\"#, "/a"), ("/a[", "/a"), ("/(a))|b", ""),
    ])
  func literalPrefixes(_ pattern: String, _ expected: String) {
    #expect(String(decoding: RoutePathPattern.literalPrefix(of: Array(pattern.utf8)), as: UTF8.self) == expected)
  }

  @Test("a regex that cannot be compiled names route and field")
  func badRegex() {
    let rules = [
      RouteRule(index: 4, id: "r4", paths: ["/ok"]), RouteRule(index: 5, id: "r5", paths: ["/ok", "~/(x"]),
    ]
    let error = #expect(throws: RouteTableError.self) { try RouteTable(routes: rules) }
    #expect(error?.routeIndex == 5)
    #expect(error?.routeID == "r5")
    #expect(error?.field == "paths")
    let header = [RouteRule(index: 1, id: "h", headers: ["x": ["~*["]])]
    #expect(#expect(throws: RouteTableError.self) { try RouteTable(routes: header) }?.field == "headers")
  }

  @Test("an empty table matches nothing")
  func empty() throws {
    #expect(try Table(rules: []).match("/") == nil)
  }
}

/// A table with names for its routes.
struct Table {
  struct Rule {
    var paths: [String] = []
    var hosts: [String] = []
    var methods: [String] = []
    var headers: [String: [String]] = [:]
    var snis: [String] = []
    var regexPriority = 0
  }

  let table: RouteTable
  var names: [String] = []

  init(_ rules: [String: Rule]) throws {
    names = rules.keys.sorted()
    table = try RouteTable(
      routes: names.enumerated().map { index, name in
        let rule = rules[name, default: Rule()]
        return RouteRule(
          index: index, id: "route \(name)", hosts: rule.hosts, paths: rule.paths, methods: rule.methods,
          headers: rule.headers, snis: rule.snis, regexPriority: rule.regexPriority)
      })
  }

  init(rules: [RouteRule]) throws { table = try RouteTable(routes: rules) }

  func route(
    _ path: String = "/", method: String = "GET", host: String = "any.test", port: Int = 8000,
    headers: [(String, String)] = [], sni: String? = nil
  ) -> String? {
    match(path, method: method, host: host, port: port, headers: headers, sni: sni).map { names[$0.routeIndex] }
  }

  func match(
    _ path: String, method: String = "GET", host: String = "any.test", port: Int = 8000,
    headers: [(String, String)] = [], sni: String? = nil
  ) -> RouteMatch? {
    Array(method.utf8).withUnsafeBytes { method in
      Array(host.utf8).withUnsafeBytes { host in
        Array(path.utf8).withUnsafeBytes { path in
          Array((sni ?? "").utf8).withUnsafeBytes { name in
            let query = RouteQuery(method: method, host: host, port: port, path: path, sni: name, isTLS: sni != nil)
            return table.match(query, headers: HeaderFields(fields: headers))
          }
        }
      }
    }
  }
}

struct HeaderFields: RouteHeaderSource {
  let fields: [(String, String)]

  func hasValue(ofHeader name: UnsafeRawBufferPointer, acceptedBy rule: RouteHeaderRule) -> Bool {
    fields.contains { field in
      Array(field.0.lowercased().utf8).elementsEqual(name) && Array(field.1.utf8).withUnsafeBytes { rule.accepts($0) }
    }
  }
}
