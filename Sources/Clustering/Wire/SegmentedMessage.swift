import EntityModel
import Zlib

/// Messages in segments, so that what did not change is neither compressed nor read again.
///
/// A message is one gzip member like any other (RFC 1952), which every peer can inflate. Its parts are compressed apart
/// from one another (a full flush after each), and a field of the header, which others skip, tells their sizes and which
/// hold entities. Parts with the same entities are the same bytes in one message and the next.
enum SegmentedMessage {
  /// Name of the header's field.
  static let fieldName: [UInt8] = Array("SL".utf8)
  /// As many sizes as the field has room for; a message of more parts has no index.
  static let mostSegments = 16_000

  /// A part ends before an entity whose id says so, hence the parts after an insertion stay what they were.
  static func endsPart(before id: String) -> Bool {
    var hash: UInt32 = 2_166_136_261
    for byte in id.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return (hash ^ hash >> 15) & 63 == 0
  }
}

/// Makes the messages of successive configurations. Confined to the queue that encodes.
final class SegmentedEncoder {
  private struct Part {
    let rows: ArraySlice<JSONValue>
    let isFirst: Bool
    let bytes: DeflatedBytes
  }

  /// By collection and the id of the first entity.
  private var parts: [String: [String: Part]] = [:]

  /// The message with these members, of which `config_table` is large.
  func message(_ members: [String: JSONValue]) throws(GzipError) -> [UInt8] {
    guard case .object(let table)? = members["config_table"] else {
      return try Gzip.compress(JSONValue.object(members).serialized())
    }
    let deflater = try SegmentDeflater()
    var output = Output(deflater: deflater)
    var next: [String: [String: Part]] = [:]
    var around = members
    around["config_table"] = nil
    var text = JSONValue.object(around).serialized()
    text.removeLast()
    text += around.isEmpty ? "\"config_table\":{".utf8 : ",\"config_table\":{".utf8
    var isFirstMember = true
    for name in table.keys.sorted() {
      if !isFirstMember { text.append(UInt8(ascii: ",")) }
      isFirstMember = false
      JSONValue.string(name).write(into: &text)
      text.append(UInt8(ascii: ":"))
      guard let rows = table[name]?.array, rows.count > 8, rows.allSatisfy({ $0.object != nil }) else {
        (table[name] ?? .null).write(into: &text)
        continue
      }
      text.append(UInt8(ascii: "["))
      try output.append(around: text)
      text.removeAll()
      for slice in Self.slices(of: rows) {
        let part = try part(of: slice, isFirst: slice.startIndex == 0, in: parts[name] ?? [:], deflater)
        next[name, default: [:]][slice.first?["id"]?.string ?? ""] = part
        output.append(part.bytes, holdsEntities: true)
      }
      text.append(UInt8(ascii: "]"))
    }
    text += "}}".utf8
    try output.append(around: text)
    parts = next
    return output.finished()
  }

  private static func slices(of rows: [JSONValue]) -> [ArraySlice<JSONValue>] {
    var slices: [ArraySlice<JSONValue>] = []
    var start = 0
    for place in 1..<rows.count where SegmentedMessage.endsPart(before: rows[place]["id"]?.string ?? "") {
      slices.append(rows[start..<place])
      start = place
    }
    slices.append(rows[start...])
    return slices
  }

  private func part(
    of rows: ArraySlice<JSONValue>, isFirst: Bool, in known: [String: Part], _ deflater: SegmentDeflater
  ) throws(GzipError) -> Part {
    if let part = known[rows.first?["id"]?.string ?? ""], part.isFirst == isFirst, part.rows == rows { return part }
    var text: [UInt8] = []
    for (place, row) in rows.enumerated() {
      if place > 0 || !isFirst { text.append(UInt8(ascii: ",")) }
      row.write(into: &text)
    }
    return Part(rows: rows, isFirst: isFirst, bytes: try deflater.deflate(text))
  }

  private struct Output {
    let deflater: SegmentDeflater
    var body: [UInt8] = []
    /// Sizes of the parts, doubled, plus one for those with entities.
    var index: [UInt32] = []
    var checksum: UInt32 = 0
    var inflatedSize = 0

    mutating func append(around text: [UInt8]) throws(GzipError) {
      append(try deflater.deflate(text), holdsEntities: false)
    }

    mutating func append(_ part: DeflatedBytes, holdsEntities: Bool) {
      body += part.bytes
      index.append(UInt32(truncatingIfNeeded: part.bytes.count) << 1 | (holdsEntities ? 1 : 0))
      checksum = Gzip.combine(checksum, part.checksum, secondSize: part.inflatedSize)
      inflatedSize += part.inflatedSize
    }

    func finished() -> [UInt8] {
      func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
      func little(_ value: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)]
      }
      let hasIndex = index.count <= SegmentedMessage.mostSegments
      // RFC 1952 §2.3: magic, deflate, flags (4: an extra field), no time, no hint, unknown system.
      var message: [UInt8] = [0x1F, 0x8B, 8, hasIndex ? 4 : 0, 0, 0, 0, 0, 0, 255]
      if hasIndex {
        message += little(4 + index.count * 4) + SegmentedMessage.fieldName + little(index.count * 4)
        for size in index { message += little(size) }
      }
      message += body
      // An empty last block ends the stream.
      message += [0x03, 0x00]
      return message + little(checksum) + little(UInt32(truncatingIfNeeded: inflatedSize))
    }
  }
}

/// Reads the messages of successive configurations; parts that came before are not read again, and their entities share
/// storage with those of the message before. Confined to the task that applies.
struct SegmentedDecoder: Sendable {
  private struct Part: Sendable {
    let bytes: ArraySlice<UInt8>
    let rows: [JSONValue]
  }

  private var parts: [Int: [Part]] = [:]
  /// Collections of the last message with the parts they were made of.
  private var collections: [String: (parts: [[JSONValue]], rows: JSONValue)] = [:]

  /// The members of a message in segments, nil for one that must be read whole.
  ///
  /// - Parameter limit: the most bytes the message may have when inflated.
  mutating func members(of message: [UInt8], limit: Int) -> [String: JSONValue]? {
    guard let ranges = Self.ranges(of: message) else { return nil }
    var next: [Int: [Part]] = [:]
    var text: [UInt8] = []
    var lists: [[JSONValue]] = []
    var left = limit
    for (place, range) in ranges.enumerated() {
      let bytes = message[range.bytes]
      guard range.holdsEntities else {
        guard let inflated = try? Gzip.inflateSegment(bytes, limit: left) else { return nil }
        left -= inflated.count
        text += inflated
        continue
      }
      if place > 0, ranges[place - 1].holdsEntities { text.append(UInt8(ascii: ",")) }
      text += String(lists.count).utf8
      let key = Self.key(of: bytes)
      let rows: [JSONValue]
      if let known = parts[key]?.first(where: { $0.bytes == bytes }) {
        rows = known.rows
      } else {
        guard var inflated = try? Gzip.inflateSegment(bytes, limit: left), !inflated.isEmpty else { return nil }
        left -= inflated.count
        if inflated[0] == UInt8(ascii: ",") { inflated[0] = UInt8(ascii: " ") }
        inflated.insert(UInt8(ascii: "["), at: 0)
        inflated.append(UInt8(ascii: "]"))
        guard let list = (try? JSONValue(parsing: inflated))?.array else { return nil }
        rows = list
      }
      next[key, default: []].append(Part(bytes: bytes, rows: rows))
      lists.append(rows)
    }
    guard case .object(var members)? = try? JSONValue(parsing: text), case .object(var table)? = members["config_table"]
    else { return nil }
    var made: [String: (parts: [[JSONValue]], rows: JSONValue)] = [:]
    for (name, value) in table {
      guard let numbers = value.array, case .integer? = numbers.first else { continue }
      var own: [[JSONValue]] = []
      for number in numbers {
        guard let number = number.integer, lists.indices.contains(Int(clamping: number)) else { return nil }
        own.append(lists[Int(number)])
      }
      // A collection of the same parts stays the same list, which is then known at a glance.
      let rows =
        if let known = collections[name], known.parts == own { known.rows } else { JSONValue.array(own.flatMap { $0 }) }
      table[name] = rows
      made[name] = (own, rows)
    }
    collections = made
    members["config_table"] = .object(table)
    parts = next
    return members
  }

  private static func key(of bytes: ArraySlice<UInt8>) -> Int {
    var hasher = Hasher()
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    return hasher.finalize()
  }

  /// Where the parts lie, nil without the index or when it does not fit the message.
  private static func ranges(of message: [UInt8]) -> [(bytes: Range<Int>, holdsEntities: Bool)]? {
    guard message.count > 26, message[0] == 0x1F, message[1] == 0x8B, message[2] == 8, message[3] == 4,
      Array(message[12..<14]) == SegmentedMessage.fieldName
    else { return nil }
    let size = Int(message[14]) | Int(message[15]) << 8
    guard Int(message[10]) | Int(message[11]) << 8 == size + 4, size % 4 == 0, 16 + size <= message.count else {
      return nil
    }
    var start = 16 + size
    var ranges: [(bytes: Range<Int>, holdsEntities: Bool)] = []
    for place in stride(from: 16, to: 16 + size, by: 4) {
      let entry = (0..<4).reduce(UInt32(0)) { $0 | UInt32(message[place + $1]) << (8 * UInt32($1)) }
      let end = start + Int(entry >> 1)
      guard end <= message.count - 10 else { return nil }
      ranges.append((start..<end, entry & 1 == 1))
      start = end
    }
    return start == message.count - 10 ? ranges : nil
  }
}
