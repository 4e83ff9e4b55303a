import EntityModel
import Storage
import Testing

@testable import Clustering

@Suite("Clustering: differences between messages")
struct MessageDifferenceTests {
  private func table(_ numbers: some Sequence<Int>, changed: Int? = nil) -> ConfigTable {
    let rows: [JSONValue] = numbers.map { number in
      ["id": .string("id-\(number)"), "name": .string(number == changed ? "changed" : "route \(number)")]
    }
    return ConfigTable(["_format_version": "3.0", "routes": .array(rows)])
  }

  private func message(
    _ table: ConfigTable, _ encoder: SegmentedEncoder, number: Int = 0
  ) throws -> SegmentedMessage {
    try encoder.message(["type": "reconfigure", "timestamp": .integer(Int64(number))], table: table)
  }

  /// As a control plane makes tables: parts that did not change are the same objects.
  private func sharing(_ old: ConfigTable, _ new: ConfigTable) -> ConfigTable {
    var table = new
    table.lists["routes"] = new.lists["routes"]?.map { part in
      (old.lists["routes"] ?? []).first { $0.rows == part.rows } ?? part
    }
    return table
  }

  @Test("a difference leads to the message that it was made of, byte for byte, change after change")
  func roundTrip() throws {
    let encoder = SegmentedEncoder()
    var last = table(0..<900)
    var sent = try message(last, encoder)
    var received = try #require(SegmentedMessage(sent.bytes))
    let tables = [
      table(0..<900, changed: 450), table(0..<900), table((0..<900).filter { $0 != 17 }), table(100..<1000),
      table(0..<5), table(0..<900), table([]), table(300..<900),
    ]
    for (number, next) in tables.enumerated() {
      let next = sharing(last, next)
      let made = try message(next, encoder, number: number + 1)
      let difference = MessageDifference.encode(from: sent, to: made)
      #expect(MessageDifference.isDifference(difference))
      received = try MessageDifference.message(difference, from: received, limit: 1 << 24)
      #expect(received.bytes == made.bytes && received.identity == made.identity)
      #expect(received.bytes.count == received.byteCount)
      var decoder = SegmentedDecoder()
      #expect(decoder.read(received, limit: 1 << 24)?.table.value == next.value)
      sent = made
      last = next
    }
  }

  @Test("a small change is a small difference")
  func size() throws {
    let encoder = SegmentedEncoder()
    let before = table(0..<5000)
    let first = try message(before, encoder)
    let second = try message(sharing(before, table(0..<5000, changed: 2500)), encoder)
    let difference = MessageDifference.encode(from: first, to: second)
    #expect(difference.count * 10 < second.byteCount)
  }

  @Test("one that is cut, altered, or from another message is never read as anything else")
  func damage() throws {
    let encoder = SegmentedEncoder()
    let before = table(0..<300)
    let first = try message(before, encoder)
    let second = try message(sharing(before, table(0..<300, changed: 77)), encoder, number: 1)
    let difference = MessageDifference.encode(from: first, to: second)
    #expect(throws: ProtocolFailure.self) { try MessageDifference.message(difference, from: nil, limit: 1 << 24) }
    #expect(throws: ProtocolFailure.self) { try MessageDifference.message(difference, from: second, limit: 1 << 24) }
    #expect(throws: ProtocolFailure.self) { try MessageDifference.message(difference, from: first, limit: 100) }
    #expect(throws: ProtocolFailure.self) {
      try MessageDifference.message(difference + [0], from: first, limit: 1 << 24)
    }
    for length in 0..<difference.count {
      #expect(throws: ProtocolFailure.self) {
        try MessageDifference.message(Array(difference[..<length]), from: first, limit: 1 << 24)
      }
    }
    for place in difference.indices {
      for bits in [UInt8(0x01), 0x80, 0xFF] {
        var altered = difference
        altered[place] ^= bits
        #expect(throws: ProtocolFailure.self) {
          try MessageDifference.message(altered, from: first, limit: 1 << 24)
        }
      }
    }
  }

  @Test("only who announces this version of differences gets them")
  func announcement() throws {
    var info = BasicInfo(plugins: [:])
    #expect(try !BasicInfo(parsing: info.serialized()).takesDifferences)
    info.takesDifferences = true
    #expect(try BasicInfo(parsing: info.serialized()).takesDifferences)
    let later = Array(#"{"type":"basic_info","plugins":[],"sluice_differences":2}"#.utf8)
    #expect(try !BasicInfo(parsing: later).takesDifferences)
  }
}
