import Testing

@testable import EntityModel

@Suite("Lua patterns")
struct LuaPatternTests {
  @Test(
    "a pattern matches as in Lua",
    arguments: [
      ("^%u+$", "GET", true), ("^%u+$", "GeT", false), ("^[^:]+:.*$", "a:b", true), ("^[^:]+:.*$", "ab", false),
      ("b", "abc", true), ("^b", "abc", false), ("c$", "abc", true), ("b$", "abc", false), ("", "x", true),
      ("^$", "", true), ("a-b", "aaab", true), ("^a-$", "aaa", true), ("^a?b$", "b", true), ("^a?b$", "ab", true),
      ("^%d+%.%d+$", "1.25", true), ("^%D+$", "a1", false), ("^[%w_-]+$", "a_b-1", true), ("^[a-c]+$", "abcd", false),
      ("^[]]$", "]", true), ("^[^]]$", "]", false), ("^[a-]$", "-", true), ("%bxy", "x(xxyy)y", true),
      ("^%b()$", "(a(b)c)", true), ("^%b()$", "(a(b)c", false), ("%f[%w]word%f[%W]", "a word.", true),
      ("%f[%w]word%f[%W]", "swordfish", false), ("^(%a)%1$", "aa", true), ("^(%a)%1$", "ab", false),
      ("^()a$", "a", true), ("^[Hh][Oo][Ss][Tt]$", "hOsT", true), ("^%*%.", "*.example.com", true),
      ("^[^*]*%*?[^*]*$", "a.*.b.*", false), ("%z", "a\0b", true), ("^.$", "é", false), ("^%s%p%c$", " !\n", true),
      ("^%x+$", "0aF", true), ("^%g+$", "a b", false), ("$", "a", true), ("a$b", "a$b", true),
    ])
  func matches(pattern: String, text: String, expected: Bool) {
    #expect(LuaPattern(pattern).matches(text) == expected)
  }

  @Test("a malformed pattern decides nothing", arguments: ["[a", "%", "(a", "a)", "%b", "%f", "%1", "[%"])
  func malformed(pattern: String) {
    #expect(LuaPattern(pattern).matches("(a%") != true)
  }

  @Test("a pattern that explodes runs out of its budget")
  func budget() {
    let text = String(repeating: "a", count: 60)
    #expect(LuaPattern(String(repeating: "a*", count: 30) + "b").matches(text) == nil)
    #expect(LuaPattern(String(repeating: "(", count: 5000)).matches(text) == nil)
  }

  @Test("a value that exhausts the budget is refused, whatever the rule")
  func budgetInChecks() {
    let value = JSONValue.string(String(repeating: "a", count: 60))
    let pattern = String(repeating: "a*", count: 30) + "b"
    #expect(FieldCheck.match(pattern).violation(by: value) != nil)
    #expect(FieldCheck.notMatch(pattern).violation(by: value) != nil)
    #expect(FieldCheck.matchNone([.init(pattern: pattern, error: "no")]).violation(by: value) == "no")
  }
}
