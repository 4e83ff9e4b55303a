/// Changing a block. None of the bytes given may lie in the block's own arena.
extension HeaderBlock {
  /// The memory, which this block alone holds afterwards, with room for so much more.
  private mutating func own(moreBytes: Int, more: Int) -> HeaderStorage {
    // Offsets are of 32 bits.
    precondition(byteCount + moreBytes <= UInt32.max)
    if isKnownUniquelyReferenced(&storage) {
      if let storage {
        storage.reserve(moreBytes: moreBytes, more: more)
        return storage
      }
    } else if let shared = storage {
      let copy = HeaderStorage(copying: shared, moreBytes: moreBytes, more: more)
      storage = copy
      return copy
    }
    // Room for what the gateway and plugins add, so that it seldom moves.
    let made = HeaderStorage(byteCapacity: moreBytes + 256, capacity: more + 8)
    storage = made
    return made
  }

  /// Whether so many bytes fit in, each of them escaped and with the marks of a line.
  private func hasRoom(for bytes: Int) -> Bool { byteCount + bytes * 3 + 4 <= UInt32.max }

  /// Empties the block and keeps its memory for the next message of the connection.
  public mutating func removeAll() {
    guard isKnownUniquelyReferenced(&storage) else {
      storage = nil
      return
    }
    if let storage {
      storage.byteCount = 0
      storage.count = 0
      storage.known = 0
    }
  }

  /// Replaces the content by a received head and its fields, which must lie in it.
  public mutating func reset(copying head: UnsafeRawBufferPointer, fields: [Entry] = []) {
    removeAll()
    let storage = own(moreBytes: head.count, more: fields.count)
    storage.append(head)
    let size = UInt64(head.count)
    var place = storage.entries
    var known: UInt64 = 0
    for field in fields {
      let end = UInt64(field.valueOffset) + UInt64(field.valueLength) + (field.isWholeLine ? 2 : 0)
      precondition(end <= size && UInt64(field.nameOffset) + UInt64(field.nameLength) <= size)
      known |= field.known.bit
      place.pointee = field
      place += 1
    }
    storage.count = fields.count
    storage.known = known
  }

  /// Adds bytes that belong to no field, for example a request target that was derived; gives their range.
  public mutating func appendToArena(_ bytes: UnsafeRawBufferPointer) -> Range<Int> {
    let storage = own(moreBytes: bytes.count, more: 0)
    let start = storage.byteCount
    storage.append(bytes)
    return start..<storage.byteCount
  }

  /// Adds a field after the others.
  public mutating func add(_ name: String, _ value: String) {
    var name = name
    var value = value
    name.withUTF8 { name in
      value.withUTF8 { value in append(name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer(value)) }
    }
  }

  /// Adds a field after the others, as a whole line.
  ///
  /// CR, LF and NUL, which would end the field for its reader, are percent-encoded.
  public mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    append(name: name, value: value, known: KnownField(name))
  }

  /// - Parameter known: what the name is.
  private mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, known: KnownField) {
    // No peer would take such a field; what a template makes of a request must not stop the process.
    guard name.count <= UInt16.max / 3, hasRoom(for: name.count + value.count) else { return }
    // Marks of the line, and room for the escapes in case there are any.
    let marks = 4
    let isPlain = !Self.endsField(name) && !Self.endsField(value)
    let storage = own(moreBytes: (name.count + value.count) * (isPlain ? 1 : 3) + marks, more: 1)
    let nameOffset = storage.byteCount
    Self.append(name, isPlain: isPlain, to: storage)
    let nameLength = storage.byteCount - nameOffset
    Self.append(UInt8(ascii: ":"), UInt8(ascii: " "), to: storage)
    let valueOffset = storage.byteCount
    Self.append(value, isPlain: isPlain, to: storage)
    let valueLength = storage.byteCount - valueOffset
    Self.append(0x0D, 0x0A, to: storage)
    (storage.entries + storage.count).initialize(
      to: Entry(
        nameOffset: nameOffset, nameLength: nameLength, valueOffset: valueOffset, valueLength: valueLength,
        known: known, isWholeLine: true))
    storage.count += 1
    storage.known |= known.bit
  }

  /// Replaces every field of that name by one, at the place of the first.
  public mutating func set(_ name: String, _ value: String) {
    var name = name
    var value = value
    name.withUTF8 { name in
      value.withUTF8 { value in set(name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer(value)) }
    }
  }

  /// Replaces every field of that name by one, at the place of the first.
  public mutating func set(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    let known = KnownField(name)
    guard let index = firstIndex(ofName: name, known) else { return append(name: name, value: value, known: known) }
    while let other = firstIndex(ofName: name, known, from: index + 1) { remove(at: other) }
    guard hasRoom(for: value.count) else { return }
    let isPlain = !Self.endsField(value)
    let storage = own(moreBytes: value.count * (isPlain ? 1 : 3), more: 0)
    let offset = storage.byteCount
    Self.append(value, isPlain: isPlain, to: storage)
    storage.entries[index].valueOffset = UInt32(offset)
    storage.entries[index].valueLength = UInt32(storage.byteCount - offset)
    storage.entries[index].holdsLine = false
  }

  /// Removes every field of that name.
  public mutating func remove(_ name: String) {
    while let index = firstIndex(of: name) { remove(at: index) }
  }

  /// Removes every field of that name.
  public mutating func remove(name: UnsafeRawBufferPointer) {
    while let index = firstIndex(ofName: name) { remove(at: index) }
  }

  public mutating func remove(at index: Int) { own(moreBytes: 0, more: 0).removeEntry(at: index) }

  // MARK: Bytes

  /// Whether a CR, LF or NUL is among the bytes; eight at a time.
  private static func endsField(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highs: UInt64 = 0x8080_8080_8080_8080
    var index = 0
    while index + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      // Exact as to whether a byte is below 0x0E; most values have none, a tab included.
      if (word &- ones &* 0x0E) & ~word & highs != 0, (index..<index + 8).contains(where: { endsField(bytes[$0]) }) {
        return true
      }
      index += 8
    }
    while index < bytes.count {
      if endsField(bytes[index]) { return true }
      index += 1
    }
    return false
  }

  private static func endsField(_ byte: UInt8) -> Bool { byte == 0x0D || byte == 0x0A || byte == 0 }

  /// There must be room.
  private static func append(_ bytes: UnsafeRawBufferPointer, isPlain: Bool, to storage: HeaderStorage) {
    if isPlain { return storage.append(bytes) }
    for byte in bytes {
      if endsField(byte) {
        let escape: StaticString = byte == 0 ? "%00" : byte == 0x0A ? "%0A" : "%0D"
        storage.append(UnsafeRawBufferPointer(start: escape.utf8Start, count: 3))
      } else {
        withUnsafeBytes(of: byte) { storage.append($0) }
      }
    }
  }

  private static func append(_ first: UInt8, _ second: UInt8, to storage: HeaderStorage) {
    storage.bytes.storeBytes(of: first, toByteOffset: storage.byteCount, as: UInt8.self)
    storage.bytes.storeBytes(of: second, toByteOffset: storage.byteCount + 1, as: UInt8.self)
    storage.byteCount += 2
  }
}
