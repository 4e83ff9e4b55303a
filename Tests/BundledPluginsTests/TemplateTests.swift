import EntityModel
import Testing

@testable import BundledPlugins
@testable import PluginKit

@Suite("Templates")
struct TemplateTests {
  private func render(_ text: String, _ bed: PluginTestBed = PluginTestBed()) throws -> String {
    try RequestTemplate(text).render(TemplateEnvironment(bed.context))
  }

  @Test(
    "text without expressions stays as it is",
    arguments: ["$5 and $x", "# not a comment", "100%d", #"it's "so""#, "$(never closed", "$("])
  func literal(_ text: String) throws {
    #expect(try render(text) == text)
  }

  @Test(
    "expressions have the values that Lua gives them",
    arguments: [
      ("$(1 + 2)", "3"), ("$(7 / 2)", "3.5"), ("$(-7 % 3)", "2"), ("$(2 ^ 3 ^ 2)", "512"),
      ("$('a' .. 1 .. 'b')", "a1b"),
      ("$(nil)", ""), ("$(1 == 1)", "true"), ("$('a' < 'b' and 'yes' or 'no')", "yes"), ("$(not nil)", "true"),
      ("$(#'four')", "4"), ("$('10' + 5)", "15"), ("$('$(x)')", "$(x)"), ("a$('b')c$('d')", "abcd"),
      ("$(unknown or 'none')", "none"), ("$(tostring(nil))", "nil"), ("$(tonumber('0x10'))", "16"),
      ("$(type(headers))", "table"), ("$(('x'):rep(3))", "xxx"), ("$(string.upper('abc'))", "ABC"),
      ("$(('Bearer abc'):match('^Bearer (.+)$'))", "abc"), ("$(('a.b.c'):gsub('%.', '-'))", "a-b-c"),
      ("$(('abc'):sub(-2))", "bc"), ("$(string.format('%03d|%s', 7, 'x'))", "007|x"),
      ("$(('k=v'):find('=', 1, true))", "2"),
    ])
  func values(_ text: String, _ expected: String) throws {
    #expect(try render(text) == expected)
  }

  @Test("functions have locals, branches and loops")
  func functions() throws {
    let text = """
      $((function() local n = 0
      for i = 1, 4 do if i == 2 then n = n + 10 elseif i > 2 then n = n + 1 else n = n + 100 end end
      while n > 111 do n = n - 1 end return 'n' .. n end)())
      """
    #expect(try render(text) == "n111")
  }

  @Test("headers are found in any case, with underscores for hyphens, and several values as a table")
  func headers() throws {
    let bed = PluginTestBed(headers: [("X-Source", "one"), ("X-Two", "a"), ("x-two", "b")])
    #expect(try render("$(headers['x-source'])|$(headers.X_Source)|$(headers.none)", bed) == "one|one|")
    #expect(try render("$(type(headers['x-two']) == 'table' and headers['x-two'][2])", bed) == "b")
  }

  @Test("query arguments are decoded, captures have numbers and names")
  func roots() throws {
    let bed = PluginTestBed(target: "/p?user=al%20ice&flag&l=1&l=2")
    bed.context.uriCaptures = URICaptures(unnamed: ["/whole", "bob", nil], named: ["name": "bob"])
    #expect(try render("$(query_params.user)|$(query_params.flag)|$(query_params.l[1])", bed) == "al ice|true|1")
    #expect(try render("$(uri_captures[1])$(uri_captures.name)$(uri_captures[2] or 'all')", bed) == "bobboball")
  }

  @Test(
    "what goes wrong while a template runs is an error",
    arguments: [
      "$(headers.missing.deeper)", "$(nil .. 'a')", "$(headers())", "$(headers + 1)",
      "$((function() while true do end end)())", "$(('a'):rep(1e9))",
      "$((function(f) return f(f) end)(function(f) return f(f) end))",
    ])
  func failures(_ text: String) throws {
    let template = try RequestTemplate(text)
    let environment = TemplateEnvironment(PluginTestBed().context)
    #expect(throws: TemplateFailure.self) { try template.render(environment) }
  }

  @Test(
    "what cannot be built is refused with a reason",
    arguments: [
      ("$(a b)", "unexpected symbol"), ("$(os.time())", "'os' cannot be used here"), ("$(1 +)", "<eof>"),
      ("$({1, 2})", "tables cannot be made"), ("$('open)", "unfinished string"),
      ("$((function() for k in x do end end)())", "numeric 'for'"),
    ])
  func refusals(_ text: String, _ reason: String) {
    let error = #expect(throws: TemplateFailure.self) { try RequestTemplate(text) }
    #expect(error?.description.contains(reason) == true)
  }

  @Test("deep nesting is refused, not fatal")
  func depth() {
    let text = "$(" + String(repeating: "(", count: 5000) + "1" + String(repeating: ")", count: 5000) + ")"
    #expect(throws: TemplateFailure.self) { try RequestTemplate(text) }
    let minuses = "$(" + String(repeating: "- ", count: 5000) + "1)"
    #expect(throws: TemplateFailure.self) { try RequestTemplate(minuses) }
    let sum = "$(1" + String(repeating: " + 1", count: 100_000) + ")"
    #expect(throws: TemplateFailure.self) { try RequestTemplate(sum) }
    let shorter = "$(1" + String(repeating: " + 1", count: 1500) + ")"
    #expect(throws: TemplateFailure.self) { try render(shorter) }
  }

  @Test("searches that would take long are given up")
  func patterns() throws {
    let bed = PluginTestBed(headers: [("x", String(repeating: "a", count: 60_000))])
    for pattern in ["a*b", "a-b", "a*a*a*b", "(a*)a*b"] {
      let failure = #expect(throws: TemplateFailure.self) { try render("$(headers.x:match('\(pattern)'))", bed) }
      #expect(failure?.description.contains("too complex") == true)
    }
  }
}
