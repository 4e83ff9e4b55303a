import Testing

@testable import JQ

@Suite struct JQProgramTests {
  /// The first result of a program.
  private func run(_ source: String, _ input: String = "null", milliseconds: Int = 5000) async throws -> String? {
    let program = try JQProgram.compiled(source)
    let result: [UInt8]? = try await withCheckedThrowingContinuation { continuation in
      program.run({ Array(input.utf8) }, milliseconds: milliseconds) { continuation.resume(with: $0) }
    }
    return result.map { String(decoding: $0, as: UTF8.self) }
  }

  private func failure(_ source: String, _ input: String = "null", milliseconds: Int = 5000) async -> JQError? {
    do {
      _ = try await run(source, input, milliseconds: milliseconds)
      return nil
    } catch {
      return error as? JQError
    }
  }

  @Test(
    "a program gives its first result",
    arguments: [
      (".a + .b", #"{"a":1,"b":2}"#, "3"), (".[]", "[7,8]", "7"), ("range(infinite)", "null", "0"),
      (#""\(.x)!""#, #"{"x":"é"}"#, #""é!""#), ("# a remark\n.", "{}", "{}"), ("def f: . * 2; f", "4", "8"),
      (#"test("^a+$")"#, #""aaa""#, "true"), (".[0] | tostring", "[1.5]", #""1.5""#),
    ])
  func results(source: String, input: String, expected: String) async throws {
    #expect(try await run(source, input) == expected)
  }

  @Test("a program without a result gives none")
  func empty() async throws {
    #expect(try await run("empty") == nil)
    #expect(try await run(".[] | select(. > 3)", "[1,2]") == nil)
  }

  @Test("errors carry the message of the program")
  func errors() async {
    #expect(await failure(#"error("no way")"#) == .raised("no way"))
    #expect(await failure(".a", "[1]") == .raised(#"Cannot index array with string "a""#))
    #expect(await failure(#"error({"a":1})"#) == .raised(#"{"a":1}"#))
    #expect(await failure("halt") == .raised("halt is not available"))
  }

  @Test("a program that does not compile says why and where")
  func syntax() {
    #expect(throws: JQError.self) { try JQProgram.compiled(".foo |") }
    do {
      _ = try JQProgram.compiled("1 |\n nothere(1)")
      Issue.record("the program was taken")
    } catch {
      #expect(error.description.contains("nothere/1 is not defined at <top-level>, line 2"))
    }
  }

  @Test("programs cannot import modules", arguments: [#"import "a" as a; 1"#, #"include "a"; 1"#])
  func imports(source: String) {
    #expect(throws: JQError.self) { try JQProgram.compiled(source) }
  }

  @Test(
    "the process's environment stays hidden", arguments: ["env", "$ENV", "def f: $ENV; f", "[1] | map(env) | .[0]"])
  func environment(source: String) async throws {
    #expect(try await run(source) == "{}")
  }

  @Test(
    "endless programs are stopped", arguments: ["def f: f; f", "last(range(infinite))", "[limit(1e18; repeat(1))] | 1"])
  func endless(source: String) async throws {
    let error = await failure(source, milliseconds: 100)
    #expect(error == .timeout || error == .outOfMemory)
    // Its state serves again.
    #expect(try await run("1") == "1")
  }

  @Test(
    "programs that take too much memory fail alone",
    arguments: [#""x" * 1e9"#, "[range(1e9)]", "setpath([1e8]; 1)"])
  func memory(source: String) async throws {
    #expect(await failure(source, milliseconds: 30_000) == .outOfMemory)
    #expect(try await run("2") == "2")
  }

  @Test("an assertion in libjq fails the run and not the process")
  func assertions() async throws {
    guard case .fault(let message)? = await failure("1e300 | todate") else {
      Issue.record("no assertion failed")
      return
    }
    #expect(message.contains("assertion failed in libjq"))
    #expect(try await run("3") == "3")
  }

  @Test(
    "deeply nested values are walked to their end",
    arguments: ["tojson | length", ". == [.]", "[., .] | sort | length", "[..] | length", "."])
  func depth(source: String) async throws {
    do {
      let text = try await run("reduce range(50000) as $i (0; [.]) | \(source)", milliseconds: 20_000)
      #expect(text != nil)
    } catch let error as JQError {
      // It may end in a bound, ours or libjq's; the process lives.
      if case .raised(let message) = error {
        #expect(message.hasSuffix("too deep"))
      } else {
        #expect(error == .outOfMemory || error == .timeout)
      }
    }
    #expect(try await run("4") == "4")
  }

  @Test("a regular expression that explodes gives up")
  func patterns() async {
    let input = "\"" + String(repeating: "a", count: 40) + "!\""
    #expect(await failure(#"test("^(a+)+$")"#, input) == .raised("Regex failure: retry-limit-in-match over"))
  }

  @Test("one program serves many runs at once")
  func concurrency() async throws {
    let program = try JQProgram.compiled(".n * 2")
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 0..<200 {
        group.addTask {
          let bytes: [UInt8]? = try await withCheckedThrowingContinuation { continuation in
            program.run({ Array(#"{"n":\#(number)}"#.utf8) }, milliseconds: 60_000) { continuation.resume(with: $0) }
          }
          return bytes.map { String(decoding: $0, as: UTF8.self) } == "\(number * 2)"
        }
      }
      for try await isRight in group { #expect(isRight) }
    }
  }

  @Test(
    "what would end the process in libjq is an answer like any other",
    arguments: [
      ("[-9223372036854775808, -1] | .[0] % .[1]", "null", "0"), ("7 % 4", "null", "3"), ("7 % -2", "null", "1"),
      ("@base64d", #""aGk=""#, #""hi""#),
      (#"[match("";"g").offset]"#, #""aéb€c""#, "[0,1,2,3,4]"),
      (#"[match("b*";"g") | [.offset, .length]]"#, #""aéb€c""#, "[[0,0],[1,0],[2,1],[3,0],[4,0]]"),
      (#"[scan("[é€]")]"#, #""aéé€b""#, #"["é","é","€"]"#), (#"[splits(",")]"#, #""é,b,ü""#, #"["é","b","ü"]"#),
    ])
  func hazards(source: String, input: String, expected: String) async throws {
    #expect(try await run(source, input) == expected)
  }

  @Test("a program that does not end leaves threads for others")
  func fairness() async throws {
    let endless = try JQProgram.compiled("def f: f; f")
    for _ in 0..<100 { endless.run({ Array("null".utf8) }, milliseconds: 3000) { _ in } }
    // Far sooner than a hundred runs of three seconds each.
    #expect(try await run("5 + 1", milliseconds: 60_000) == "6")
    let clock = ContinuousClock()
    let began = clock.now
    #expect(try await run("6 + 1", milliseconds: 60_000) == "7")
    #expect(clock.now - began < .seconds(30))
  }

  @Test("the same text is compiled once")
  func cache() throws {
    #expect(try JQProgram.compiled(".a.b.c") === JQProgram.compiled(".a.b.c"))
  }
}
