import EntityModel

/// A message in parts, so that what did not change is neither compressed, sent nor read again.
///
/// Its bytes are one gzip member like any other (RFC 1952), which every peer can inflate. The parts are compressed apart
/// from one another (a full flush after each), and a field of the header, which others skip, tells their sizes and which
/// hold entities. Parts with the same entities are the same bytes in one message and the next.
struct SegmentedMessage: Sendable {
  /// Name of the header's field.
  static let fieldName: [UInt8] = Array("SL".utf8)
  /// As many sizes as the field has room for; a message of more parts has no index.
  static let mostParts = 16_000

  let parts: [MessagePart]
  /// CRC-32 and size of the whole text, as at the end of a gzip member.
  let checksum: UInt32
  let inflatedSize: UInt32
  /// Tells this message from every other: over the parts and the end.
  let identity: ContentDigest

  init(parts: [MessagePart], checksum: UInt32, inflatedSize: UInt32) {
    self.parts = parts
    self.checksum = checksum
    self.inflatedSize = inflatedSize
    var text: [UInt8] = []
    text.reserveCapacity(parts.count * (ContentDigest.byteCount + 4) + 8)
    for part in parts {
      text.append(little: part.entry)
      text += part.digest.bytes
    }
    text.append(little: checksum)
    text.append(little: inflatedSize)
    identity = ContentDigest(of: text)
  }

  /// Reads a message with an index; nil for one without, or whose index does not fit it.
  init?(_ message: [UInt8]) {
    guard let ranges = Self.ranges(of: message) else { return nil }
    self.init(
      parts: ranges.map { MessagePart(Array(message[$0.bytes]), holdsEntities: $0.holdsEntities) },
      checksum: message.little(at: message.count - 8), inflatedSize: message.little(at: message.count - 4))
  }

  /// How many bytes the message has.
  var byteCount: Int {
    let index = hasIndex ? 6 + parts.count * 4 : 0
    return 10 + index + parts.reduce(0) { $0 + $1.bytes.count } + 10
  }

  /// Whether the peer can tell the parts apart.
  var hasIndex: Bool { parts.count <= Self.mostParts }

  /// The message as it is sent and stored, made anew.
  var bytes: [UInt8] {
    // RFC 1952 §2.3: magic, deflate, flags (4: an extra field), no time, no hint, unknown system.
    var message: [UInt8] = [0x1F, 0x8B, 8, hasIndex ? 4 : 0, 0, 0, 0, 0, 0, 255]
    message.reserveCapacity(byteCount)
    if hasIndex {
      message.append(little: UInt16(4 + parts.count * 4))
      message += Self.fieldName
      message.append(little: UInt16(parts.count * 4))
      for part in parts { message.append(little: part.entry) }
    }
    for part in parts { message += part.bytes }
    // An empty last block ends the stream.
    message += [0x03, 0x00]
    message.append(little: checksum)
    message.append(little: inflatedSize)
    return message
  }

  /// Where the parts lie, nil without the index or when it does not fit the message.
  private static func ranges(of message: [UInt8]) -> [(bytes: Range<Int>, holdsEntities: Bool)]? {
    guard message.count > 26, message[0] == 0x1F, message[1] == 0x8B, message[2] == 8, message[3] == 4,
      Array(message[12..<14]) == fieldName
    else { return nil }
    let size = Int(message[14]) | Int(message[15]) << 8
    guard Int(message[10]) | Int(message[11]) << 8 == size + 4, size % 4 == 0, 16 + size <= message.count else {
      return nil
    }
    var start = 16 + size
    var ranges: [(bytes: Range<Int>, holdsEntities: Bool)] = []
    for place in stride(from: 16, to: 16 + size, by: 4) {
      let entry = message.little(at: place)
      let end = start + Int(entry >> 1)
      guard end <= message.count - 10 else { return nil }
      ranges.append((start..<end, entry & 1 == 1))
      start = end
    }
    return start == message.count - 10 ? ranges : nil
  }
}

extension [UInt8] {
  /// Appends the bytes of a number, the least first.
  mutating func append(little value: some FixedWidthInteger) {
    var value = value.littleEndian
    Swift.withUnsafeBytes(of: &value) { append(contentsOf: $0) }
  }

  /// The number of four bytes that begins here, the least first. They must be there.
  func little(at place: Int) -> UInt32 {
    (0..<4).reduce(UInt32(0)) { $0 | UInt32(self[place + $1]) << (8 * UInt32($1)) }
  }
}
