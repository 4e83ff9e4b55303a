import Testing

@testable import Expressions

@Suite struct ConditionEvaluationTests {
  @Test(
    "conditions hold",
    arguments: [
      "true", "!false", "!!true", "1 < 2", "-1 < 0", "0x10 == 16", "\"a\" < \"b\"", "2 >= 2",
      "'a' + 'b' + \"c\" == 'abc'",
      "http.path.contains('skip')", "!http.path.contains(\"other\")", "http.path.startsWith('/any')",
      "http.path.endsWith('/skip')", "contains(http.path, 'skip')", "http.path.contains('')",
      "http.path.matches('skip$')", "matches(http.path, r'^/\\w+/')", "http.path.matches(\"(?<seg>thing)\")",
      "http.method == 'GET' && http.host != 'b.test'", "'GET' == http.method", "http.method in ['POST', 'GET']",
      "!(http.method in ['POST'])", "http.method in [http.method]", "'skip' in http.path_segments",
      "http.path_segments.size() == 2", "size(http.path) == 14", "'é'.size() == 1", "http.path_segments[1] == 'skip'",
      "http.path_segments.contains('skip')", "http.path_segments == ['anything', 'skip']",
      "http.headers.x_name == 'Ann'", "http.headers.X_Name == 'Ann'", "http.headers['X-Name'] == 'Ann'",
      "http.headers.x_absent == null", "http.headers.x_name != null", "null == http.headers.x_absent",
      "http.headers.x_absent != 'Ann'", "!(http.headers.x_absent == 'Ann')", "!(http.headers.x_absent in ['Ann'])",
      "'Bob' in http.headers_list.x_name", "http.headers_list.x_absent == null", "http.queries.page == '2'",
      "net.src.port > 1024", "net.tls.sni == null", "consumer.username == null", "'blue' in route.tags",
      "consumer_group.names.exists(g, g == 'gold')", "has(kong.ctx.shared.user)", "!has(kong.ctx.shared.other)",
      "'user' in kong.ctx.shared", "!('other' in kong.ctx.shared)", "kong.ctx.shared.user == 'ann'",
      "kong.ctx.shared.score > 5", "kong.ctx.shared.half < 1", "kong.ctx.shared.on",
      "kong.ctx.shared.deep.key == 'value'",
      "has(kong.ctx.shared.deep.key)", "!has(kong.ctx.shared.deep.other)", "kong.ctx.shared.nothing == null",
      "kong.ctx.shared['user'] == 'ann'", "kong.ctx.shared.user.startsWith('a')", "kong.ctx.shared.size() == 6",
      "principal.metadata.tier == 'gold'", "!has(principal.metadata.other)", "principal.id == null",
      "plugins.key_auth.is_matched", "plugins.key_auth.priority > 1000", "plugins.acl.is_matched == null",
      "plugins.acl.access_has_executed != true",
      "http.path_segments.all(s, s.size() > 3)", "http.path_segments.exists(s, s.startsWith('sk'))",
      "http.path_segments.filter(s, s != 'skip') == ['anything']",
      "http.path_segments.map(s, s + '!')[0] == 'anything!'",
      "http.path_segments.map(s, s == 'skip', s.size()) == [4]", "[1, 2, 3].exists(n, n > 2)", "[].all(x, false)",
      "[1, 2].all(a, [1, 2].exists(b, a == b))", "kong.ctx.shared.exists(k, k == 'user')",
      "[1, 2].all(http, http > 0)", "default(kong.ctx.shared.other == 1, true)", "default(true, false)",
      "true // a remark\n && true", "http.method == '''GET'''", "'\\u0041\\x42\\103\\n' == \"ABC\\n\"",
      "r'\\d' == '\\\\d'",
    ])
  func holds(_ source: String) throws {
    #expect(try Condition(source).evaluate(SampleContext.usual))
  }

  @Test("one operand that decides hides the error of another, in any order")
  func absorbedErrors() throws {
    for source in [
      "kong.ctx.shared.other == 1 || true", "true || kong.ctx.shared.other == 1",
      "!(kong.ctx.shared.other == 1 && false)",
      "!(false && http.headers.x_absent.contains('a'))", "['a', 'b'].exists(s, s == 'b' || kong.ctx.shared.other)",
      "!['a', 'b'].all(s, s == 'a' && kong.ctx.shared.on) || true",
      "http.path_segments.exists(s, s == 'skip' || s.matches('x') && plugins.acl.is_matched)",
    ] {
      #expect(try Condition(source).evaluate(SampleContext.usual), "\(source)")
    }
  }

  @Test(
    "what cannot be decided is an error that names its reason",
    arguments: [
      ("http.headers.x_absent.contains('a')", "contains() needs a string, but http.headers.x_absent is null"),
      ("http.headers.x_absent.matches('a')", "matches() needs a string, but http.headers.x_absent is null"),
      ("kong.ctx.shared.other == 1", "kong.ctx.shared.other does not exist; ask has(kong.ctx.shared.other) first"),
      ("kong.ctx.shared.other == 'x'", "kong.ctx.shared.other does not exist; ask has(kong.ctx.shared.other) first"),
      (
        "principal.metadata.other == 'x'",
        "principal.metadata has no key 'other'; ask has(principal.metadata.other) first"
      ),
      ("plugins.acl.is_matched", "a condition needs a boolean, but plugins.acl.is_matched is null"),
      ("!plugins.acl.is_matched", "'!' needs a boolean, but plugins.acl.is_matched is null"),
      ("true && plugins.acl.is_matched", "'&&' needs a boolean, but plugins.acl.is_matched is null"),
      ("plugins.acl.priority > 5", "'>' cannot compare null with a number (plugins.acl.priority, the operand)"),
      ("kong.ctx.shared.user", "a condition needs a boolean, but kong.ctx.shared.user is a string"),
      ("kong.ctx.shared.user.size.x == 1", "'.size' needs a map, but kong.ctx.shared.user is a string"),
      ("http.path_segments[2] == 'x'", "http.path_segments has 2 elements, none at 2"),
      ("http.path_segments[-1] == 'x'", "http.path_segments has 2 elements, none at -1"),
      (
        "http.headers_list.x_absent.exists(x, x == 'a')",
        "exists() needs a list, but http.headers_list.x_absent is null"
      ),
      ("'a' in http.headers_list.x_absent", "'in' needs a list, but http.headers_list.x_absent is null"),
      ("size(http.headers.x_absent) == 0", "size() needs a string, list or map, but http.headers.x_absent is null"),
      ("http.headers.x_absent + 'a' == 'a'", "'+' needs a string, but http.headers.x_absent is null"),
      (
        "http.path_segments.all(s, kong.ctx.shared.score)",
        "all() needs a boolean, but kong.ctx.shared.score is a number"
      ),
    ])
  func runtimeErrors(_ source: String, _ reason: String) throws {
    let condition = try Condition(source)
    #expect(throws: ConditionRuntimeError(reason: reason)) { try condition.evaluate(SampleContext.usual) }
    #expect(try Condition("default(\(source), true)").evaluate(SampleContext.usual))
    #expect(try !Condition("default(\(source), false)").evaluate(SampleContext.usual))
  }

  @Test("string fields are tested on their bytes when the context has them, valid UTF-8 or not")
  func bytes() throws {
    let context = SampleContext(bytes: [.httpPath: Array("/a\u{0}b".utf8) + [0xFF], .httpMethod: Array("GET".utf8)])
    #expect(try Condition("http.path.startsWith('/a')").evaluate(context))
    #expect(try Condition(#"http.path.contains("\x00b")"#).evaluate(context))
    #expect(try !Condition("http.path.endsWith('b')").evaluate(context))
    #expect(try Condition("http.path.matches('^/a')").evaluate(context))
    #expect(try Condition("http.method == 'GET' && http.method in ['GET'] && http.method != 'POST'").evaluate(context))
  }

  @Test("strings are compared by code points, not by their looks")
  func codePoints() throws {
    let context = SampleContext(values: [.httpHost: .string("e\u{301}")])
    #expect(try !Condition("http.host == '\u{E9}'").evaluate(context))
    #expect(try !Condition("http.host in ['\u{E9}', 'x']").evaluate(context))
    #expect(try Condition("size(http.host) == 2").evaluate(context))
  }

  @Test("nested macros over long lists end with an error instead of taking their time")
  func budget() throws {
    let context = SampleContext(values: [.httpPathSegments: .list(Array(repeating: .string("a"), count: 4000))])
    let list = "http.path_segments"
    let condition = try Condition("\(list).all(a, \(list).all(b, \(list).all(c, a == b)))")
    #expect(throws: ConditionRuntimeError(reason: "the condition visits too many elements")) {
      try condition.evaluate(context)
    }
    let text = SampleContext(values: [.httpPath: .string(String(repeating: "x", count: 200_000))])
    let long = try Condition("size(\(Array(repeating: "http.path", count: 30).joined(separator: " + "))) > 0")
    #expect(throws: ConditionRuntimeError(reason: "the condition makes too much text")) { try long.evaluate(text) }
  }
}
