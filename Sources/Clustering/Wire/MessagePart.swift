import EntityModel

/// One part of a message: bytes compressed apart from the others. Never changes, and is shared by all messages that
/// have it.
final class MessagePart: Sendable {
  let bytes: [UInt8]
  let digest: ContentDigest
  /// Whether it holds entities, and not what stands around them.
  let holdsEntities: Bool

  init(_ bytes: [UInt8], holdsEntities: Bool) {
    self.bytes = bytes
    self.holdsEntities = holdsEntities
    digest = ContentDigest(of: bytes)
  }

  /// Its entry in the index of a message: the size doubled, plus one for a part with entities.
  var entry: UInt32 { UInt32(truncatingIfNeeded: bytes.count) << 1 | (holdsEntities ? 1 : 0) }
}
