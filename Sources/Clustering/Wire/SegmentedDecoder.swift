import EntityModel
import Storage
import Zlib

/// Reads the messages of successive configurations; parts that came before are not read again, and are the same objects
/// in both tables. Confined to the task that applies.
struct SegmentedDecoder: Sendable {
  /// Parts of the last message's table, by the digest of their bytes.
  private var parts: [ContentDigest: TablePart] = [:]

  /// The members of a message in segments, as plain JSON; nil for one that must be read whole.
  ///
  /// - Parameter limit: the most bytes the message may have when inflated.
  mutating func members(of message: [UInt8], limit: Int) -> [String: JSONValue]? {
    guard let message = SegmentedMessage(message), let (members, table) = read(message, limit: limit),
      let value = table.value
    else { return nil }
    return members.merging(["config_table": value]) { _, new in new }
  }

  /// The members of a message and its `config_table`; nil for one that must be read whole.
  ///
  /// - Parameter limit: the most bytes that may be inflated.
  mutating func read(
    _ message: SegmentedMessage, limit: Int
  ) -> (members: [String: JSONValue], table: ConfigTable)? {
    var next: [ContentDigest: TablePart] = [:]
    var text: [UInt8] = []
    var list: [TablePart] = []
    var left = limit
    var isAfterPart = false
    for part in message.parts {
      guard part.holdsEntities else {
        guard let inflated = try? Gzip.inflateSegment(part.bytes[...], limit: left) else { return nil }
        left -= inflated.count
        text += inflated
        isAfterPart = false
        continue
      }
      if isAfterPart { text.append(UInt8(ascii: ",")) }
      isAfterPart = true
      // A number stands for the part, to be told by where it stands.
      text += String(list.count).utf8
      let known: TablePart
      if let same = parts[part.digest] ?? next[part.digest] {
        known = same
      } else {
        guard let inflated = try? Gzip.inflateSegment(part.bytes[...], limit: left),
          let made = TablePart(text: inflated, again: { try? Gzip.inflateSegment(part.bytes[...], limit: limit) })
        else { return nil }
        left -= inflated.count
        known = made
      }
      next[part.digest] = known
      list.append(known)
    }
    guard case .object(var members)? = try? JSONValue(parsing: text), case .object(let table)? = members["config_table"]
    else { return nil }
    var made = ConfigTable(members: [:], lists: [:])
    var taken = 0
    for (name, value) in table {
      guard let numbers = value.array, case .integer? = numbers.first else {
        made[name] = value
        continue
      }
      var own: [TablePart] = []
      for number in numbers {
        guard let number = number.integer, list.indices.contains(Int(clamping: number)) else { return nil }
        own.append(list[Int(number)])
      }
      taken += own.count
      made.lists[name] = own
    }
    // Each part belongs to one list.
    guard taken == list.count else { return nil }
    members["config_table"] = nil
    parts = next
    return (members, made)
  }
}
