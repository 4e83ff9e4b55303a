/// Numbers for byte strings, found without making a String of the bytes in question.
///
/// Open addressing over one arena; filled once, then only read.
struct ByteStringIndex: Sendable {
  private struct Entry {
    var offset: UInt32
    var length: UInt32
    var hash: UInt64
  }

  private var arena: [UInt8] = []
  private var entries: [Entry] = []
  /// Entry number plus one; 0 is free. A power of two of them, at most half filled.
  private var slots: [UInt32] = [UInt32](repeating: 0, count: 8)
  /// The distinct lengths of the keys, ascending.
  private(set) var lengths: [Int] = []

  var isEmpty: Bool { entries.isEmpty }
  var count: Int { entries.count }

  /// Number of `key`: the one it has, or the next free one.
  mutating func insert(_ key: some Collection<UInt8>) -> Int {
    let key = Array(key)
    if let number = key.withUnsafeBytes({ find($0) }) { return number }
    let hash = key.withUnsafeBytes { Self.hash($0) }
    entries.append(Entry(offset: UInt32(arena.count), length: UInt32(key.count), hash: hash))
    arena.append(contentsOf: key)
    if !lengths.contains(key.count) {
      lengths.append(key.count)
      lengths.sort()
    }
    if entries.count * 2 > slots.count {
      slots = [UInt32](repeating: 0, count: slots.count * 2)
      for number in entries.indices { place(number) }
    } else {
      place(entries.count - 1)
    }
    return entries.count - 1
  }

  /// Number of `key`, nil if it was never inserted.
  func find(_ key: UnsafeRawBufferPointer) -> Int? {
    guard !entries.isEmpty else { return nil }
    let hash = Self.hash(key)
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let number = Int(slots[slot]) - 1
      let entry = entries[number]
      if entry.hash == hash, Int(entry.length) == key.count, isEqual(entry, key) { return number }
      slot = (slot + 1) & mask
    }
    return nil
  }

  private mutating func place(_ number: Int) {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: entries[number].hash) & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = UInt32(number + 1)
  }

  private func isEqual(_ entry: Entry, _ key: UnsafeRawBufferPointer) -> Bool {
    arena.withUnsafeBytes { bytes in
      let start = Int(entry.offset)
      return bytes[start..<start + key.count].elementsEqual(key)
    }
  }

  /// FNV-1a with a final mix. The keys come from configuration, so nobody can choose collisions against a gateway.
  private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return hash ^ (hash >> 32)
  }
}
