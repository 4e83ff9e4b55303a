import EntityModel
import Testing
import Zlib

@testable import Clustering

@Suite("Clustering: messages in segments")
struct SegmentedMessageTests {
  private func members(_ routes: [JSONValue], _ plugins: [JSONValue] = []) -> [String: JSONValue] {
    [
      "type": "reconfigure", "config_hash": "h",
      "config_table": [
        "_format_version": "3.0", "routes": .array(routes), "plugins": .array(plugins), "few": [["id": "1"]],
      ],
    ]
  }

  private func rows(_ numbers: some Sequence<Int>) -> [JSONValue] {
    numbers.map {
      ["id": .string("id-\($0)"), "name": .string("route \($0) \"quoted\" é"), "tags": [.integer(Int64($0))]]
    }
  }

  @Test("any inflater reads them, and the decoder reads the same, message after message")
  func roundTrip() throws {
    let encoder = SegmentedEncoder()
    var decoder = SegmentedDecoder()
    let lists = [
      rows(0..<500), rows(0..<500), rows((0..<500).filter { $0 != 7 }), rows(5..<600), rows(0..<3), [], rows(0..<2000),
    ]
    for list in lists {
      let members = members(list, rows(1000..<1100))
      let message = try encoder.message(members)
      let plain = try Gzip.inflate(message, limit: 1 << 24)
      #expect(try JSONValue(parsing: plain) == .object(members))
      #expect(decoder.members(of: message, limit: 1 << 24) == members)
    }
  }

  @Test("one changed entity leaves nearly all bytes of the message as they were")
  func stability() throws {
    let encoder = SegmentedEncoder()
    var list = rows(0..<5000)
    let first = try encoder.message(members(list))
    list[2500] = ["id": "id-2500", "name": "changed"]
    let second = try encoder.message(members(list))
    let fresh = try SegmentedEncoder().message(members(list))
    #expect(second == fresh)
    var parts = SegmentedDecoder()
    #expect(parts.members(of: first, limit: 1 << 24) != nil)
    // With room for the little that is new, and not for all, only a decoder that knows the rest can read it.
    #expect(parts.members(of: second, limit: 40_000) == members(list))
    var unknowing = SegmentedDecoder()
    #expect(unknowing.members(of: second, limit: 40_000) == nil)
  }

  @Test("a message that is cut or altered is never read as another one")
  func damage() throws {
    let members = members(rows(0..<300))
    let message = try SegmentedEncoder().message(members)
    var decoder = SegmentedDecoder()
    #expect(decoder.members(of: try Gzip.compress(JSONValue.object(members).serialized()), limit: 1 << 24) == nil)
    for length in stride(from: 0, to: message.count, by: 97) {
      #expect(decoder.members(of: Array(message[..<length]), limit: 1 << 24) == nil)
    }
    for place in 10..<60 {
      var altered = message
      altered[place] ^= 0x55
      let read = decoder.members(of: altered, limit: 1 << 24)
      #expect(read == nil || read == members)
    }
  }
}
