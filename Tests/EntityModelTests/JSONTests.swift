import Testing

@testable import EntityModel

@Suite("JSON")
struct JSONTests {
  @Test("whole and fractional numbers stay apart")
  func numbers() throws {
    #expect(try JSONValue(parsing: "1") == .integer(1))
    #expect(try JSONValue(parsing: "-0") == .integer(0))
    #expect(try JSONValue(parsing: "1.0") == .number(1))
    #expect(try JSONValue(parsing: "1e2") == .number(100))
    #expect(try JSONValue(parsing: "-2.5E-1") == .number(-0.25))
    #expect(try JSONValue(parsing: "9223372036854775807") == .integer(.max))
    #expect(try JSONValue(parsing: "9223372036854775808") == .number(9223372036854775808))
  }

  @Test(
    "text that is no JSON is refused",
    arguments: [
      "", " ", "{", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "01", "1.", "1e", "-", "+1", "nul", "truee", "\"a",
      "\"\\x\"",
      "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\t\"", "[1] 2", "1e999", "NaN", "'a'",
    ])
  func refusals(text: String) {
    #expect(throws: JSONError.self) { _ = try JSONValue(parsing: text) }
  }

  @Test("an error names the byte where it lies")
  func errorOffset() {
    do {
      _ = try JSONValue(parsing: "{\"a\": tru}")
      Issue.record("accepted")
    } catch {
      #expect(error.offset == 6)
      #expect(error.description == "invalid literal at byte 7")
    }
  }

  @Test("escapes are decoded, surrogate pairs included")
  func escapes() throws {
    #expect(try JSONValue(parsing: #""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#) == "a\"\\/\u{8}\u{c}\n\r\té😀")
    #expect(try JSONValue(parsing: #""\u0000""#) == "\0")
  }

  @Test("strings that are not UTF-8 are refused")
  func invalidUTF8() {
    #expect(throws: JSONError.self) { _ = try JSONValue(parsing: [0x22, 0xC3, 0x28, 0x22] as [UInt8]) }
    #expect(throws: JSONError.self) { _ = try JSONValue(parsing: [0x22, 0x5C, 0x6E, 0xFF, 0x22] as [UInt8]) }
  }

  @Test("the last of repeated keys wins")
  func repeatedKeys() throws {
    #expect(try JSONValue(parsing: #"{"a":1,"b":2,"a":3}"#) == ["a": 3, "b": 2])
  }

  @Test("nesting is bounded")
  func depth() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(try JSONValue(parsing: nested(512)).array?.count == 1)
    #expect(throws: JSONError.self) { _ = try JSONValue(parsing: nested(513)) }
    #expect(throws: JSONError.self) { _ = try JSONValue(parsing: String(repeating: "[", count: 1_000_000)) }
  }

  @Test("text is written with sorted keys, without white space and without escaped slashes")
  func writing() throws {
    let value: JSONValue = ["b": [1, 2.5, nil, true], "a": "x/\"\\\n\u{1}é", "c": [:], "d": []]
    #expect(value.serializedString == #"{"a":"x/\"\\\n\u0001é","b":[1,2.5,null,true],"c":{},"d":[]}"#)
    #expect(try JSONValue(parsing: value.serialized()) == value)
  }

  @Test("numbers are written in their shortest form")
  func writtenNumbers() throws {
    #expect(JSONValue.number(3).serializedString == "3")
    #expect(JSONValue.number(0.01).serializedString == "0.01")
    #expect(JSONValue.number(1_700_000_000.123).serializedString == "1700000000.123")
    #expect(JSONValue.integer(.min).serializedString == "-9223372036854775808")
    #expect(LuaTableText.number(-0x1p63) == "-9.2233720368548e+18")
    for number in [1e300, 1e-7, 123456789012345680.0, 0x1p63, -0x1p63] {
      let text = JSONValue.number(number).serializedString
      #expect(try JSONValue(parsing: text).double == number)
    }
  }
}
