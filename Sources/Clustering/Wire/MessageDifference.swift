import EntityModel

/// What a message has that the one before it had not, in place of the whole.
///
/// Kong compatibility: an addition. A data plane that can read it says so in its basic info (`sluice_differences`, the
/// version of this form); any other gets whole messages. The first message of a connection is always whole, and a
/// difference is from the last message on the same connection.
///
/// Form, numbers with their least byte first: 8 bytes `SLDIFF1\n`; the identities of the message before and of this one
/// (32 bytes each); CRC-32 and size of the text (4 bytes each); the number of steps (4); for each step two numbers of 4
/// bytes, either the place and the number of parts that are taken over, or `FFFFFFFF` and the index entry of a new part;
/// the bytes of the new parts. An identity is the SHA-256 over the entries and the SHA-256s of all parts, and the end:
/// what is put together is exactly the message that was meant, or an error.
enum MessageDifference {
  /// The version that is announced and understood.
  static let version: Int64 = 1
  private static let magic = Array("SLDIFF1\n".utf8)
  private static let newPart = UInt32.max
  private static let headerLength = magic.count + 2 * ContentDigest.byteCount + 12

  static func isDifference(_ bytes: [UInt8]) -> Bool { bytes.starts(with: magic) }

  static func encode(from base: SegmentedMessage, to message: SegmentedMessage) -> [UInt8] {
    var places: [ObjectIdentifier: Int] = [:]
    for (place, part) in base.parts.enumerated() { places[ObjectIdentifier(part)] = place }
    var steps: [(UInt32, UInt32)] = []
    var fresh: [UInt8] = []
    for part in message.parts {
      guard let place = places[ObjectIdentifier(part)] else {
        steps.append((newPart, part.entry))
        fresh += part.bytes
        continue
      }
      if let (first, count) = steps.last, first != newPart, Int(first) + Int(count) == place {
        steps[steps.count - 1].1 += 1
      } else {
        steps.append((UInt32(place), 1))
      }
    }
    var output = magic
    output.reserveCapacity(headerLength + steps.count * 8 + fresh.count)
    output += base.identity.bytes
    output += message.identity.bytes
    output.append(little: message.checksum)
    output.append(little: message.inflatedSize)
    output.append(little: UInt32(steps.count))
    for (first, second) in steps {
      output.append(little: first)
      output.append(little: second)
    }
    return output + fresh
  }

  /// The message that a difference leads to.
  ///
  /// - Parameters:
  ///   - base: the message before on the same connection.
  ///   - limit: the most bytes of the whole message.
  /// - Throws: where it is damaged, is a difference from another message, or leads to anything but what was meant.
  static func message(
    _ bytes: [UInt8], from base: SegmentedMessage?, limit: Int
  ) throws(ProtocolFailure) -> SegmentedMessage {
    guard let base else { throw ProtocolFailure("a difference came before any whole configuration") }
    guard bytes.count >= headerLength, isDifference(bytes) else { throw ProtocolFailure("the difference is cut") }
    let identities = bytes[magic.count..<magic.count + 2 * ContentDigest.byteCount]
    guard identities.prefix(ContentDigest.byteCount).elementsEqual(base.identity.bytes) else {
      throw ProtocolFailure("the difference is one from another configuration")
    }
    let count = Int(bytes.little(at: headerLength - 4))
    guard count <= SegmentedMessage.mostParts, headerLength + count * 8 <= bytes.count else {
      throw ProtocolFailure("the difference is cut")
    }
    var parts: [MessagePart] = []
    var place = headerLength + count * 8
    for step in 0..<count {
      let first = bytes.little(at: headerLength + step * 8)
      let second = bytes.little(at: headerLength + step * 8 + 4)
      if first == newPart {
        let end = place + Int(second >> 1)
        guard end <= bytes.count else { throw ProtocolFailure("the difference is cut") }
        parts.append(MessagePart(Array(bytes[place..<end]), holdsEntities: second & 1 == 1))
        place = end
      } else {
        let end = Int(first) + Int(second)
        guard end <= base.parts.count else { throw ProtocolFailure("the difference names parts that are not there") }
        parts += base.parts[Int(first)..<end]
      }
      guard parts.count <= SegmentedMessage.mostParts else {
        throw ProtocolFailure("the difference has too many parts")
      }
    }
    guard place == bytes.count else { throw ProtocolFailure("the difference is longer than it says") }
    let message = SegmentedMessage(
      parts: parts, checksum: bytes.little(at: headerLength - 12), inflatedSize: bytes.little(at: headerLength - 8))
    guard message.byteCount <= limit else {
      throw ProtocolFailure("the configuration is larger than \(limit) bytes")
    }
    guard identities.suffix(ContentDigest.byteCount).elementsEqual(message.identity.bytes) else {
      throw ProtocolFailure("the difference does not lead to the configuration that was meant")
    }
    return message
  }
}
