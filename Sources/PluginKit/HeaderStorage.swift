/// The memory of a `HeaderBlock`: bytes and, apart, the places of the fields in them.
///
/// Changed only by the one block that holds it (`isKnownUniquelyReferenced`), read by any number.
@usableFromInline
final class HeaderStorage {
  @usableFromInline @exclusivity(unchecked) var bytes: UnsafeMutableRawPointer
  @usableFromInline @exclusivity(unchecked) var byteCount = 0
  @exclusivity(unchecked) private(set) var byteCapacity: Int
  @usableFromInline @exclusivity(unchecked) var entries: UnsafeMutablePointer<HeaderBlock.Entry>
  @usableFromInline @exclusivity(unchecked) var count = 0
  @exclusivity(unchecked) private(set) var capacity: Int
  /// Bits of the fields that were added since the block was empty; some may be gone again.
  @usableFromInline @exclusivity(unchecked) var known: UInt64 = 0

  init(byteCapacity: Int, capacity: Int) {
    self.byteCapacity = max(byteCapacity, 1)
    self.capacity = max(capacity, 1)
    bytes = UnsafeMutableRawPointer.allocate(byteCount: self.byteCapacity, alignment: 8)
    entries = UnsafeMutablePointer<HeaderBlock.Entry>.allocate(capacity: self.capacity)
  }

  /// A copy with room for more.
  init(copying other: HeaderStorage, moreBytes: Int, more: Int) {
    byteCapacity = max(other.byteCount + moreBytes, 1)
    capacity = max(other.count + more, 1)
    bytes = UnsafeMutableRawPointer.allocate(byteCount: byteCapacity, alignment: 8)
    entries = UnsafeMutablePointer<HeaderBlock.Entry>.allocate(capacity: capacity)
    byteCount = other.byteCount
    count = other.count
    known = other.known
    bytes.copyMemory(from: other.bytes, byteCount: byteCount)
    entries.update(from: other.entries, count: count)
  }

  deinit {
    bytes.deallocate()
    entries.deallocate()
  }

  @inlinable
  func firstIndex(of known: KnownField, from start: Int) -> Int? {
    guard self.known & known.bit != 0 else { return nil }
    var index = start
    while index < count {
      if entries[index].known == known { return index }
      index += 1
    }
    return nil
  }

  /// Makes room for so many more, in steps that grow.
  func reserve(moreBytes: Int, more: Int) {
    if byteCount + moreBytes > byteCapacity {
      byteCapacity = max(byteCount + moreBytes, byteCapacity * 2)
      let larger = UnsafeMutableRawPointer.allocate(byteCount: byteCapacity, alignment: 8)
      larger.copyMemory(from: bytes, byteCount: byteCount)
      bytes.deallocate()
      bytes = larger
    }
    if count + more > capacity {
      capacity = max(count + more, capacity * 2)
      let larger = UnsafeMutablePointer<HeaderBlock.Entry>.allocate(capacity: capacity)
      larger.update(from: entries, count: count)
      entries.deallocate()
      entries = larger
    }
  }

  /// There must be room.
  func append(_ source: UnsafeRawBufferPointer) {
    guard let start = source.baseAddress else { return }
    (bytes + byteCount).copyMemory(from: start, byteCount: source.count)
    byteCount += source.count
  }

  func removeEntry(at index: Int) {
    precondition(index >= 0 && index < count)
    (entries + index).update(from: entries + index + 1, count: count - index - 1)
    count -= 1
  }
}
