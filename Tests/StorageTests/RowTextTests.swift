import EntityModel
import Testing

@testable import Storage

@Suite("Text of rows")
struct RowTextTests {
  @Test("objects are found whatever is in them")
  func objects() throws {
    let rows: [JSONValue] = [
      ["id": "a", "text": "} ] \" \\ , {"], [:], ["list": [["deep": [1, [2]]], "]"]], ["é": "\\\""],
    ]
    let texts = rows.map { String(decoding: $0.serialized(), as: UTF8.self) }
    for text in [texts.joined(separator: ","), "," + texts.joined(separator: " , "), " " + texts[0] + "\n"] {
      let bytes = Array(text.utf8)
      let places = try #require(RowText.places(in: bytes))
      let read = try places.map { try JSONValue(parsing: bytes[$0]) }
      #expect(read == (text.count < texts[0].count + 3 ? [rows[0]] : rows))
    }
  }

  @Test("text that is no list of objects is refused")
  func others() {
    for text in ["{},", "{}{}", ",,{}", "{},,{}", "[]", "1", "{", "{\"a\":\"}", "{}x", "x{}", "{\"\\"] {
      #expect(RowText.places(in: Array(text.utf8)) == nil, "\(text)")
    }
    #expect(RowText.places(in: []) == [])
  }

  @Test("a part of received text gives the rows that it was made of, also after its text was let go")
  func part() throws {
    let text = Array("{\"id\":\"1\"},{\"id\":\"2\",\"x\":[1]}".utf8)
    let known = TablePart(text: text, again: { text })
    let part = try #require(known)
    let same = TablePart(rows: [["id": "1"], ["id": "2", "x": [1]]])
    #expect(part.count == 2 && part.digests == same.digests)
    part.settle()
    #expect(part.rows == same.rows)
    #expect(TablePart(text: [], again: { nil }) == nil)
    let noJSON = TablePart(text: Array("{\"id\"}".utf8), again: { nil })
    let broken = try #require(noJSON)
    #expect(broken.rows == nil && broken.reader()?.row(0) == nil)
    broken.settle()
    #expect(broken.reader() == nil)
  }
}
