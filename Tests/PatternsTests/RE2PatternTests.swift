import Testing

@testable import Patterns

@Suite struct RE2PatternTests {
  @Test("a match at the start reports its length and nothing later in the text")
  func atStart() throws {
    let pattern = try RE2Pattern(#"/users/\d+"#)
    #expect(length(pattern, "/users/12/posts") == 9)
    #expect(length(pattern, "/x/users/12") == nil)
    #expect(pattern.matches("/x/users/12"))
    #expect(!pattern.matches("/x/users/12", anchor: .atStart))
    #expect(!pattern.matches("/users/12/", anchor: .whole))
  }

  @Test("groups come back as byte ranges, those that took no part as nil")
  func groups() throws {
    let pattern = try RE2Pattern("(a)|(b)(?:x)(?P<last>é*)")
    #expect(pattern.groupCount == 3)
    #expect(pattern.namedGroups == [.init(name: "last", index: 3)])
    #expect(pattern.captures(in: "..bxéé") == ["bxéé", nil, "b", "éé"])
    #expect(pattern.captures(in: "a") == ["a", "a", nil, nil])
    #expect(pattern.captures(in: "c") == nil)
  }

  @Test("an empty text and an empty pattern match, and an empty group is not an absent one")
  func empty() throws {
    #expect(try RE2Pattern("").captures(in: "") == [""])
    #expect(try RE2Pattern("(x*)").captures(in: "") == ["", ""])
    #expect(try RE2Pattern("(x)?").captures(in: "") == ["", nil])
  }

  @Test("more groups than the inline space are reported in full")
  func manyGroups() throws {
    let pattern = try RE2Pattern(String(repeating: "(.)", count: 40))
    let captures = try #require(pattern.captures(in: String(repeating: "z", count: 40)))
    #expect(captures.count == 41)
    #expect(captures.last == "z")
  }

  @Test("the angle-bracket spelling of a named group is understood wherever it is one")
  func namedGroups() throws {
    let pattern = try RE2Pattern(#"~(?<first>\w+)/[(?<x>]+\(?(?<second>[^]<]+)"#)
    #expect(pattern.namedGroups.map(\.name) == ["first", "second"])
    #expect(form(#"\(?<a>"#) == #"\(?<a>"#)
    #expect(form("[(?<a>]") == "[(?<a>]")
    #expect(form("[](?<a>]") == "[](?<a>]")
    #expect(form("[^](?<a>](?<b>x)") == "[^](?<a>](?P<b>x)")
    #expect(form("[[:alpha:](?<a>](?<b>x)") == "[[:alpha:](?<a>](?P<b>x)")
    #expect(form(#"\Q(?<a>\E(?<b>x)"#) == #"\Q(?<a>\E(?P<b>x)"#)
    #expect(form("(?P<a>x)") == "(?P<a>x)")
    #expect(form(#"\"#) == #"\"#)
    #expect(form("<[") == "<[")
    #expect(form("<[a\\") == "<[a\\")
    #expect(form(#"<\Q"#) == #"<\Q"#)
  }

  @Test(
    "what RE2 does not know is refused with its reason",
    arguments: ["(a", "(?<=a)b", "(?<!a)b", "a(?=b)", #"(a)\1"#, "[z-a]", "*"])
  func refused(_ source: String) {
    let error = #expect(throws: PatternError.self) { try RE2Pattern(source) }
    #expect(error?.pattern == source)
    #expect(error?.reason.isEmpty == false)
  }

  @Test("a program larger than the memory bound is refused instead of built")
  func memory() {
    #expect(throws: PatternError.self) {
      try RE2Pattern("((a{100}){100}){100}", options: .init(maximumMemory: 1 << 16))
    }
  }

  @Test("case can be ignored, and a dot stops at a newline unless asked otherwise")
  func options() throws {
    #expect(try RE2Pattern("^hello$", options: .init(isCaseInsensitive: true)).matches("HeLLo"))
    #expect(try !RE2Pattern("a.b").matches("a\nb"))
    #expect(try RE2Pattern("a.b", options: .init(dotMatchesNewline: true)).matches("a\nb"))
  }

  @Test("bytes that are not UTF-8 neither match a dot nor break anything")
  func invalidText() throws {
    let bytes: [UInt8] = [0x61, 0xFF, 0x62, 0x00]
    let pattern = try RE2Pattern("a.b")
    #expect(!bytes.withUnsafeBytes { pattern.matches($0) })
    #expect(try bytes.withUnsafeBytes { try RE2Pattern(#"b\x00"#).matches($0) })
  }

  @Test("one pattern serves many tasks at once")
  func concurrent() async throws {
    let pattern = try RE2Pattern("(a|b)+c$")
    let count = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<8 {
        group.addTask { (0..<200).filter { pattern.matches(String(repeating: "ab", count: $0) + "c") }.count }
      }
      return await group.reduce(0, +)
    }
    #expect(count == 8 * 199)
  }

  private func length(_ pattern: RE2Pattern, _ text: String) -> Int? {
    Array(text.utf8).withUnsafeBytes { pattern.matchLength(atStartOf: $0) }
  }

  private func form(_ source: String) -> String {
    String(decoding: PatternSyntax.re2Form(of: Array(source.utf8)), as: UTF8.self)
  }
}
