import EntityModel
import Storage
import Zlib

/// Makes the messages of successive configurations. Confined to the queue that encodes.
final class SegmentedEncoder {
  private struct Known {
    /// Keeps the part of the table alive by whose identity this is known.
    let source: TablePart
    let isFirst: Bool
    let part: MessagePart
    let checksum: UInt32
    let inflatedSize: Int
  }

  /// By the identity of the parts of tables.
  private var known: [ObjectIdentifier: Known] = [:]

  /// Lists of fewer entities are no parts of their own.
  private static let fewest = 9

  /// The bytes of a message with these members, of which `config_table` is large.
  func message(_ members: [String: JSONValue]) throws(GzipError) -> [UInt8] {
    guard let table = members["config_table"], case .object = table else {
      return try Gzip.compress(JSONValue.object(members).serialized())
    }
    return try message(members.filter { $0.key != "config_table" }, table: ConfigTable(table)).bytes
  }

  /// The message with these members and a `config_table`.
  func message(_ members: [String: JSONValue], table: ConfigTable) throws(GzipError) -> SegmentedMessage {
    var output = Output(deflater: try SegmentDeflater())
    var next: [ObjectIdentifier: Known] = [:]
    var text = JSONValue.object(members).serialized()
    text.removeLast()
    text += members.isEmpty ? "\"config_table\":{".utf8 : ",\"config_table\":{".utf8
    var isFirstMember = true
    for name in (Array(table.members.keys) + table.lists.keys).sorted() {
      if !isFirstMember { text.append(UInt8(ascii: ",")) }
      isFirstMember = false
      JSONValue.string(name).write(into: &text)
      text.append(UInt8(ascii: ":"))
      guard let parts = table.lists[name], parts.reduce(0, { $0 + $1.count }) >= Self.fewest else {
        (table[name] ?? .null).write(into: &text)
        continue
      }
      text.append(UInt8(ascii: "["))
      try output.append(around: text)
      text.removeAll()
      for (place, source) in parts.enumerated() {
        let part = try part(of: source, isFirst: place == 0, output.deflater)
        next[ObjectIdentifier(source)] = part
        output.append(part.part, part.checksum, part.inflatedSize)
      }
      text.append(UInt8(ascii: "]"))
    }
    text += "}}".utf8
    try output.append(around: text)
    known = next
    return SegmentedMessage(
      parts: output.parts, checksum: output.checksum, inflatedSize: UInt32(truncatingIfNeeded: output.inflatedSize))
  }

  private func part(
    of source: TablePart, isFirst: Bool, _ deflater: SegmentDeflater
  ) throws(GzipError) -> Known {
    if let part = known[ObjectIdentifier(source)], part.isFirst == isFirst { return part }
    var text: [UInt8] = []
    for (place, row) in (source.rows ?? []).enumerated() {
      if place > 0 || !isFirst { text.append(UInt8(ascii: ",")) }
      row.write(into: &text)
    }
    let made = try deflater.deflate(text)
    return Known(
      source: source, isFirst: isFirst, part: MessagePart(made.bytes, holdsEntities: true), checksum: made.checksum,
      inflatedSize: made.inflatedSize)
  }

  private struct Output {
    let deflater: SegmentDeflater
    var parts: [MessagePart] = []
    var checksum: UInt32 = 0
    var inflatedSize = 0

    mutating func append(around text: [UInt8]) throws(GzipError) {
      let made = try deflater.deflate(text)
      append(MessagePart(made.bytes, holdsEntities: false), made.checksum, made.inflatedSize)
    }

    mutating func append(_ part: MessagePart, _ partChecksum: UInt32, _ size: Int) {
      parts.append(part)
      checksum = Gzip.combine(checksum, partChecksum, secondSize: size)
      inflatedSize += size
    }
  }
}
