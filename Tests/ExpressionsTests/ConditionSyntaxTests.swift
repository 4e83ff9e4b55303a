import Testing

@testable import Expressions

@Suite struct ConditionSyntaxTests {
  @Test(
    "a bad condition is refused with its place and a reason",
    arguments: [
      ("", 1, "the condition is empty"), ("  // nothing", 13, "the condition is empty"),
      ("http.pth == 'a'", 1, "unknown field 'http.pth'; did you mean 'http.path'?"),
      ("true && foo", 9, "unknown field 'foo'"),
      ("route.ids == 'x'", 1, "unknown field 'route.ids'; did you mean 'route.id'?"),
      ("plugins.acl.matched", 1, "unknown field 'plugins.acl.matched'"),
      ("plugins.acl.is_match", 1, "unknown field 'plugins.acl.is_match'; did you mean 'plugins.acl.is_matched'?"),
      ("http.headers == null", 1, "'http.headers' is no value by itself; write for example http.headers.x_name"),
      ("route == null", 1, "'route' is no value by itself; write for example route.id"),
      ("http.path", 1, "the condition must be true or false, but is a string"),
      ("1", 1, "the condition must be true or false, but is a number"),
      ("null", 1, "the condition must be true or false, but is null"),
      ("http.path.foo == 'a'", 1, "http.path is a string and has no member 'foo'"),
      ("http.method == 5", 13, "'==' compares a string with a number"),
      ("net.src.port == '80'", 14, "'==' compares a number with a string"),
      ("http.path < 5", 11, "'<' needs two numbers or two strings, but found a string and a number"),
      ("true < false", 6, "'<' needs two numbers or two strings, but found a boolean and a boolean"),
      ("!http.path", 2, "'!' needs a boolean, but found a string"),
      ("http.path && true", 1, "'&&' needs a boolean, but found a string"),
      ("true || null", 9, "'||' needs a boolean, but found null"),
      ("1 + 2 == 3", 1, "'+' needs a string, but found a number"),
      ("5 in http.path_segments", 3, "'in' looks for a number among a list of strings"),
      (
        "'a' in http.path", 8, "'in' needs a list or a map on its right, but found a string; use contains() for strings"
      ),
      ("net.src.port.contains('8')", 1, "contains() needs a string, but found a number"),
      ("http.path.contains(1)", 20, "contains() needs a string, but found a number"),
      ("http.path.contains()", 11, "contains() takes one argument, as in http.path.contains(\"text\")"),
      ("http.path.matches('(')", 19, "the regex cannot be compiled: missing ): ("),
      ("http.path.matches(http.host)", 19, "the regex of matches() must be a string literal"),
      ("http.path.startswith('/')", 11, "unknown function 'startswith'; did you mean 'startsWith'?"),
      ("size(net.src.port) == 1", 6, "size() needs a string, list or map, but found a number"),
      ("has(http)", 5, "has() takes a field, as in has(kong.ctx.shared.name)"),
      ("has('a')", 5, "has() takes a field, as in has(kong.ctx.shared.name)"),
      ("http.path.has()", 11, "has() takes one field, as in has(kong.ctx.shared.name)"),
      ("http.path.all(s, true)", 1, "all() needs a list or a map, but found a string"),
      (
        "http.path_segments.all('s', true)", 24,
        "the first argument of all() must be a variable name, as in http.path_segments.all(s, s.startsWith(\"v\"))"
      ),
      (
        "http.path_segments.exists(s)", 20,
        "exists() takes a variable and an expression, as in http.path_segments.exists(s, s.startsWith(\"v\"))"
      ),
      ("http.path_segments.filter(s, s) == []", 30, "filter() needs a boolean, but found a string"),
      ("all(s, true)", 1, "all() is called on a list, as in http.path_segments.all(s, …)"),
      ("http.path_segments.all(s, true) && s == 'a'", 36, "unknown field 's'"),
      ("default(true, false) || true", 1, "default() must enclose the whole condition"),
      ("!default(true, false)", 2, "default() must enclose the whole condition"),
      ("default(default(true, true), true)", 9, "default() must enclose the whole condition"),
      ("default(true)", 1, "default() takes two arguments: a condition and true or false"),
      ("default(true, 1)", 15, "the second argument of default() must be true or false"),
      ("default(true, kong.ctx.shared.x)", 15, "the second argument of default() must be true or false"),
      ("default(http.path, true)", 9, "the first argument of default() must be a condition, but is a string"),
      ("http.path_segments['a'] == 'b'", 1, "http.path_segments is a list of strings and has no member 'a'"),
      ("http.path[0] == 'a'", 1, "'[]' needs a list or a map, but found a string"),
      (
        "http.path ^= '/a'", 11,
        "the router's operator '^=' is not accepted in conditions; use startsWith(), endsWith() or matches()"
      ),
      ("http.path ~ '/a'", 11, "the router's operator '~' is not accepted in conditions; use matches()"),
      ("http.path = '/a'", 11, "'=' is not an operator; compare with '=='"),
      ("true & true", 6, "'&' is not an operator; use '&&'"),
      ("true and true", 6, "expected an operator or the end, found 'and'; use '&&'"),
      ("(true", 6, "expected ')', found the end"), ("true)", 5, "expected an operator or the end, found ')'"),
      ("true &&", 8, "expected a value, found the end"), ("http.", 6, "expected a name after '.', found the end"),
      ("http.path.contains('a',)", 24, "expected an argument, found ')'"),
      ("1.5 > 1", 1, "numbers with a fraction are not supported in conditions"),
      ("5u == 5", 1, "'5u' is not an integer"),
      ("99999999999999999999 > 1", 1, "the number 99999999999999999999 does not fit into 64 bits"),
      (
        "http.headers.x-name == 'a'", 15,
        "'-' is only accepted in front of a number; in names of headers and plugins write '_' for '-'"
      ),
      ("true ? true : false", 6, "'?' is not supported in conditions"),
      ("'abc", 1, "the string has no end: a quote missing"),
      ("b'a' == 'a'", 1, "byte strings are not supported in conditions"),
      ("'\\d' == ''", 2, "unknown escape '\\d'; write '\\\\' for a backslash, or a raw string r\"…\" for a regex"),
      ("'\\ud800' == ''", 2, "'\\u' must be followed by 4 digits of a Unicode scalar"),
      ("true # x", 6, "unexpected character '#'"),
    ] as [(String, Int, String)])
  func refused(_ source: String, _ column: Int, _ reason: String) {
    let error = #expect(throws: ConditionSyntaxError.self) { try Condition(source) }
    #expect(error?.reason == reason)
    #expect(error?.line == 1)
    #expect(error?.column == column)
  }

  @Test("lines are counted")
  func lines() {
    let error = #expect(throws: ConditionSyntaxError.self) { try Condition("true &&\n  http.foo == 'a'") }
    #expect(error?.line == 2)
    #expect(error?.column == 3)
    #expect(error?.description.hasPrefix("line 2, column 3: unknown field 'http.foo'") == true)
  }

  @Test("1024 characters are accepted, one more is not")
  func length() throws {
    let padding = String(repeating: "é", count: 1024 - 16)
    let longest = "http.path == '\(padding)é'"
    #expect(longest.unicodeScalars.count == 1024)
    _ = try Condition(longest)
    let error = #expect(throws: ConditionSyntaxError.self) { try Condition(longest + " ") }
    #expect(error?.reason == "a condition has at most 1024 characters")
  }

  @Test(
    "deep nesting is refused, whatever it is made of",
    arguments: [
      ("(", "true", ")"), ("!", "true", ""), ("[", "1", "]"), ("", "kong.ctx.shared", ".a"), ("", "1", " == 1"),
      ("", "kong.ctx.shared", "[0]"),
    ])
  func depth(_ before: String, _ core: String, _ after: String) throws {
    let deep = String(repeating: before, count: 100) + core + String(repeating: after, count: 100)
    let error = #expect(throws: ConditionSyntaxError.self) { try Condition(deep) }
    #expect(error?.reason.contains("nested deeper") == true)
    _ = try? Condition(String(repeating: before, count: 40) + core + String(repeating: after, count: 40))
  }

  @Test("long chains of one operator are not deep")
  func chains() throws {
    let condition = try Condition(Array(repeating: "true", count: 120).joined(separator: " && "))
    #expect(try condition.evaluate(SampleContext.usual))
  }

  @Test("a soup of tokens is refused or evaluated, and always ends", arguments: 1...4 as ClosedRange<UInt64>)
  func soup(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let tokens = [
      "http", ".", "path", "http.path", "http.path_segments", "kong.ctx.shared", ".user", ".other", "(", ")", "[", "]",
      ",",
      "!", "&&", "||", "==", "!=", "<", ">=", "in", "+", "-", "1", "0", "'a'", "\"b\"", "r'\\d'", "true", "false",
      "null",
      "has(", ".exists(x, x", ".all(y,", ".map(z, z", ".filter(w, w", ".contains(", ".matches('a+')", "size(",
      "default(",
      ", true)", "x", "y", "plugins.acl.is_matched", "'", "\\", "é", "principal.metadata", "\n", "//",
    ]
    var accepted = 0
    for _ in 0..<4000 {
      let source = (0..<Int.random(in: 1...14, using: &random)).map { _ in tokens.randomElement(using: &random) ?? "" }
        .joined(separator: Bool.random(using: &random) ? " " : "")
      do {
        let condition = try Condition(source)
        accepted += 1
        do { _ = try condition.evaluate(SampleContext.usual) } catch { #expect(!error.reason.isEmpty) }
      } catch {
        #expect(error.line >= 1 && error.column >= 1 && !error.reason.isEmpty, "\(source)")
      }
    }
    #expect(accepted > 0)
  }
}
