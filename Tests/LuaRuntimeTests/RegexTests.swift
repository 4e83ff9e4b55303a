import Testing

@testable import LuaRuntime

/// `ngx.re` against what a real Kong answered to the same snippets.
struct RegexTests {
  @Test("match gives captures by number and name, false for groups that took no part")
  func match() throws {
    #expect(
      try LuaFixture().answers(
        """
        local m = ngx.re.match
        local context = {}
        local first = m("a1b2", "\\\\w\\\\d", "", context)
        answer(m("key=val", "(?<k>\\\\w+)=(?<v>\\\\w+)"), m("a", "(a)|(b)"), m("price: $5", "(?<=\\\\$)\\\\d"), m("abc", "\\\\d"),
          first, context.pos, m("a1b2", "\\\\w\\\\d", "", context), m("A", "a"), m("A", "a", "ijo"))
        """) == [
          "{0=\"key=val\", 1=\"key\", 2=\"val\", k=\"key\", v=\"val\"}", "{0=\"a\", 1=\"a\", 2=false}", "{0=\"5\"}",
          "nil", "{0=\"a1\"}", "3", "{0=\"b2\"}", "nil", "{0=\"A\"}",
        ])
  }

  @Test("find gives places, of a group too")
  func find() throws {
    #expect(
      try LuaFixture().answers(
        """
        local from, to = ngx.re.find("hello 1234", "([a-z]+) (\\\\d+)", "jo", nil, 2)
        local none, also = ngx.re.find("a", "(a)|(b)", "", nil, 2)
        answer(from, to, none, also, (ngx.re.find("abc", "c")), (ngx.re.find("abc", "x")))
        """) == ["7", "10", "nil", "nil", "3", "nil"])
  }

  @Test("sub and gsub know $1, ${1}, $$ and functions")
  func substitution() throws {
    #expect(
      try LuaFixture().answers(
        """
        local sub, gsub = ngx.re.sub, ngx.re.gsub
        local text, count = gsub("abc", "", "-")
        answer((sub("hello, 1234", "[0-9]", "${0}00")), (sub("1234", "[0-9]", "$$")), (sub("1234", "(1)(2)", "$2$1")),
          (gsub("ab", "[a-z]", function(m) return m[0]:upper() .. "." end)), text, count, (select(2, gsub("a", "z", ""))),
          (select(3, sub("a", "a", "$x"))), (gsub("äö", "", "-", "u")))
        """) == [
          "\"hello, 100234\"", "\"$234\"", "\"2134\"", "\"A.B.\"", "\"-a-b-c-\"", "4", "0",
          "\"failed to compile the replacement template\"", "\"-ä-ö-\"",
        ])
  }

  @Test("gmatch goes past empty matches, split leaves out an empty end")
  func iteration() throws {
    #expect(
      try LuaFixture().answers(
        """
        local n, split = 0, require("ngx.re").split
        for _ in ngx.re.gmatch("abc", "x*") do n = n + 1 end
        answer(n, split("a,b;c", "([,;])"), split("abc", ""), split("a,b,c,d", ",", nil, nil, 2), split(",a,", ","),
          split("", ","))
        """) == [
          "4", "{1=\"a\", 2=\",\", 3=\"b\", 4=\";\", 5=\"c\"}", "{1=\"a\", 2=\"b\", 3=\"c\"}",
          "{1=\"a\", 2=\"b,c,d\"}", "{1=\"\", 2=\"a\"}", "{}",
        ])
  }

  @Test("bad expressions are told, unknown options raised, and a search that explodes gives up")
  func failures() throws {
    let answers = try LuaFixture(cpuLimitMilliseconds: 10_000).answers(
      """
      local m, e = ngx.re.match("x", "(")
      answer(m, e, try(ngx.re.match, "a", "a", "y"), (select(2, ngx.re.match(("a"):rep(40), "(a+)+$b"))),
        (select(2, ngx.re.match("a", ("a"):rep(70000)))), try(ngx.re.match, nil, "a"))
      """)
    #expect(answers[0] == "nil")
    #expect(answers[1].hasPrefix("\"pcre2_compile() failed: "))
    #expect(answers[2] == "\"error: unknown flag \"y\" (flags \"y\")\"")
    #expect(answers[3] == "\"pcre2_match() failed: -47\"" || answers[3] == "nil")
    #expect(answers[4] == "\"pcre2_compile() failed: pattern is too long\"")
    #expect(answers[5] == "\"error: bad argument #1 to 'match' (string expected, got nil)\"")
  }
}
