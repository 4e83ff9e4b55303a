import Testing

@testable import LuaRuntime

/// The pattern functions of the runtime beside what Lua 5.1's manual and LuaJIT say of them.
@Suite struct PatternsTests {
  private func values(_ expression: String) throws -> [String] {
    try LuaFixture().answers("answer(\(expression))")
  }

  private func message(_ expression: String) throws -> String {
    try LuaFixture().answers("local ok, e = pcall(function() return \(expression) end) answer(e)").first ?? ""
  }

  @Test("find gives positions and captures")
  func find() throws {
    #expect(try values("('hello world'):find('wor')") == ["7", "9"])
    #expect(try values("('hello world'):find('o w')") == ["5", "7"])
    #expect(try values("('key = value'):find('(%w+)%s*=%s*(%w+)')") == ["1", "11", "\"key\"", "\"value\""])
    #expect(try values("('a.b'):find('.', 2, true)") == ["2", "2"])
    #expect(try values("('abc'):find('', 10)") == ["4", "3"])
    #expect(try values("('abc'):find('b', -1)") == ["nil"])
    #expect(try values("('a\\0b'):find('%z')") == ["2", "2"])
    #expect(try values("('THE (quick) fox'):find('%((%a+)%)')") == ["5", "11", "\"quick\""])
  }

  @Test("match knows sets, balance, frontiers, back references and positions")
  func match() throws {
    #expect(try values("('  trim me  '):match('^%s*(.-)%s*$')") == ["\"trim me\""])
    #expect(try values("('f(a(b)c)d'):match('%b()')") == ["\"(a(b)c)\""])
    #expect(try values("('THE (quick) fox'):match('%f[%a]%a+', 5)") == ["\"quick\""])
    #expect(try values("([[say 'it' now]]):match([[(['\"])(.-)%1]])") == ["\"'\"", "\"it\""])
    #expect(try values("('hello'):match('()ll()')") == ["3", "5"])
    #expect(try values("('a]-^'):match('[]^-]+')") == ["\"]-^\""])
    #expect(try values("('2026-11-22'):match('^(%d+)%-(%d+)%-(%d+)$')") == ["\"2026\"", "\"11\"", "\"22\""])
  }

  @Test("gsub replaces by text, table and function")
  func gsub() throws {
    #expect(try values("('hello world'):gsub('o', '0', 1)") == ["\"hell0 world\"", "1"])
    #expect(try values("('hello'):gsub('', '-')") == ["\"-h-e-l-l-o-\"", "6"])
    #expect(try values("('hello world'):gsub('(%w+) (%w+)', '%2 %1 %0 %%')") == ["\"world hello hello world %\"", "1"])
    #expect(try values("('$name is $age'):gsub('%$(%w+)', {name = 'Lua', age = 33})") == ["\"Lua is 33\"", "2"])
    #expect(try values("('abc'):gsub('%w', function(c) if c == 'b' then return 'X' end end)") == ["\"aXc\"", "3"])
    #expect(try values("('aaa'):gsub('^a', 'b')") == ["\"baa\"", "1"])
    #expect(try values("('abc'):gsub('x', 'y')") == ["\"abc\"", "0"])
    #expect(try values("('x'):rep(1000):gsub('x', 'yy'):len()") == ["2000"])
  }

  @Test("gmatch goes on behind each match")
  func gmatch() throws {
    let code = """
      local found = {}
      for key, value in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do found[#found + 1] = key .. value end
      answer(table.concat(found, ";"))
      """
    #expect(try LuaFixture().answers(code) == ["\"a1;b2\""])
  }

  @Test(
    "malformed patterns are named as Lua names them",
    arguments: [
      ("('a'):find('%')", "malformed pattern (ends with '%')"),
      ("('a'):find('[a')", "malformed pattern (missing ']')"),
      ("('a'):find('%f')", "missing '[' after '%f' in pattern"),
      ("('a'):find('%b')", "unbalanced pattern"),
      ("('a'):find('%1')", "invalid capture index"),
      ("('a'):find('.)')", "invalid pattern capture"),
      ("('a'):match('(a')", "unfinished capture"),
      ("('a'):gsub('a', '%2')", "invalid capture index"),
      ("('a'):gsub('a', function() return {} end)", "invalid replacement value (a table)"),
      ("('a'):gsub('a', true)", "(string/function/table expected)"),
      ("string.find('a')", "(string expected, got no value)"),
      ("('a'):rep(40):find(('(a)'):rep(33))", "too many captures"),
      ("('a'):rep(400):find(('a?'):rep(300))", "pattern too complex"),
    ])
  func malformed(expression: String, expected: String) throws {
    #expect(try message(expression).contains(expected))
  }

  @Test("random patterns give what LuaJIT's own functions give", arguments: [1, 2, 3, 4] as [UInt64])
  func random(seed: UInt64) throws {
    let difference = try PatternComparison(seed: seed).firstDifference(rounds: 5000)
    #expect(difference == nil)
  }
}
