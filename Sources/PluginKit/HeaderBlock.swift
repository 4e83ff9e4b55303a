/// The header fields of one message, in order, as byte ranges of one arena.
///
/// The received head is copied into the arena once and never becomes Strings; what plugins write is appended to the
/// same arena. Names keep the spelling they came with and are compared without regard to ASCII case (RFC 9110 §5.1).
public struct HeaderBlock: Sendable {
  /// One field as ranges of the arena.
  public struct Entry: Sendable, Equatable {
    @usableFromInline var nameOffset: UInt32
    @usableFromInline var valueOffset: UInt32
    @usableFromInline var valueLength: UInt32
    @usableFromInline var nameLength: UInt16

    /// Offsets are relative to the first byte of the received head.
    @inlinable
    public init(nameOffset: Int, nameLength: Int, valueOffset: Int, valueLength: Int) {
      self.nameOffset = UInt32(nameOffset)
      self.valueOffset = UInt32(valueOffset)
      self.valueLength = UInt32(valueLength)
      self.nameLength = UInt16(nameLength)
    }

    @inlinable
    func name(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
      let start = Int(nameOffset)
      return UnsafeRawBufferPointer(rebasing: bytes[start..<start + Int(nameLength)])
    }

    @inlinable
    func value(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
      let start = Int(valueOffset)
      return UnsafeRawBufferPointer(rebasing: bytes[start..<start + Int(valueLength)])
    }

    /// The field as it is sent, `name: value` and CRLF, if the arena holds it so; else nil.
    @inlinable
    func line(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
      let start = Int(nameOffset)
      let colon = start + Int(nameLength)
      let end = Int(valueOffset) + Int(valueLength)
      guard Int(valueOffset) == colon + 2, end + 2 <= bytes.count, bytes[colon + 1] == 0x20, bytes[colon] == 0x3A,
        bytes[end] == 0x0D, bytes[end + 1] == 0x0A
      else { return nil }
      return UnsafeRawBufferPointer(rebasing: bytes[start..<(end + 2)])
    }
  }

  @usableFromInline var arena: [UInt8] = []
  @usableFromInline var entries: [Entry] = []

  public init() {}

  public var count: Int { entries.count }

  public var isEmpty: Bool { entries.isEmpty }

  /// Bytes of all names and values: at least what `forEach` yields in sum.
  public var byteCount: Int { arena.count }

  /// Empties the block and keeps its memory for the next message of the connection.
  public mutating func removeAll() {
    if !arena.isEmpty { arena.removeAll(keepingCapacity: true) }
    if !entries.isEmpty { entries.removeAll(keepingCapacity: true) }
  }

  /// Replaces the content by a received head and its fields, which must lie in it.
  public mutating func reset(copying head: UnsafeRawBufferPointer, fields: [Entry] = []) {
    for field in fields {
      precondition(
        Int(field.nameOffset) + Int(field.nameLength) <= head.count
          && Int(field.valueOffset) + Int(field.valueLength) <= head.count)
    }
    removeAll()
    // Room for what the gateway and plugins add, so that it seldom moves.
    if arena.capacity < head.count { arena.reserveCapacity(head.count + 256) }
    arena.append(contentsOf: head)
    if entries.capacity < fields.count { entries.reserveCapacity(fields.count + 8) }
    entries.append(contentsOf: fields)
  }

  /// Bytes of memory held, used or not.
  var capacity: Int { arena.capacity + entries.capacity * MemoryLayout<Entry>.stride }

  /// Adds bytes that belong to no field, for example a request target that was derived; gives their range.
  public mutating func appendToArena(_ bytes: some Collection<UInt8>) -> Range<Int> {
    let start = arena.count
    arena.append(contentsOf: bytes)
    return start..<arena.count
  }

  // MARK: Reading

  /// Bytes of the arena, for example the request line of a received head.
  @inlinable
  public func withArena<R>(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try arena.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  /// Calls `body` with the bytes of each name and value, in order.
  @inlinable
  public func forEach(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Void) rethrows
  {
    try arena.withUnsafeBytes { bytes in
      for entry in entries {
        try body(entry.name(bytes), entry.value(bytes))
      }
    }
  }

  /// As `forEach`; `line` is the field as it is sent, CRLF included, where it was received in that form.
  @inlinable
  public func forEachLine(
    _ body: (
      _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ line: UnsafeRawBufferPointer?
    ) throws -> Void
  ) rethrows {
    try arena.withUnsafeBytes { bytes in
      for entry in entries {
        try body(entry.name(bytes), entry.value(bytes), entry.line(bytes))
      }
    }
  }

  @inlinable
  public func withName<R>(at index: Int, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try arena.withUnsafeBytes { try body(entries[index].name($0)) }
  }

  @inlinable
  public func withValue<R>(at index: Int, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try arena.withUnsafeBytes { try body(entries[index].value($0)) }
  }

  public func name(at index: Int) -> String { withName(at: index) { String(decoding: $0, as: UTF8.self) } }

  public func value(at index: Int) -> String { withValue(at: index) { String(decoding: $0, as: UTF8.self) } }

  /// Index of the first field of that name at or after `start`.
  public func firstIndex(of name: StaticString, from start: Int = 0) -> Int? {
    firstIndex(ofName: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), from: start)
  }

  /// Index of the first field of that name at or after `start`.
  public func firstIndex(of name: String, from start: Int = 0) -> Int? {
    var name = name
    return name.withUTF8 { firstIndex(ofName: UnsafeRawBufferPointer($0), from: start) }
  }

  /// Index of the first field of that name at or after `start`.
  public func firstIndex(ofName name: UnsafeRawBufferPointer, from start: Int = 0) -> Int? {
    arena.withUnsafeBytes { bytes in
      var index = start
      while index < entries.count {
        let entry = entries[index]
        if Int(entry.nameLength) == name.count, equalIgnoringCase(entry.name(bytes), name) { return index }
        index += 1
      }
      return nil
    }
  }

  public func contains(_ name: StaticString) -> Bool { firstIndex(of: name) != nil }

  /// Value of the first field of that name.
  public func first(_ name: String) -> String? { firstIndex(of: name).map { value(at: $0) } }

  /// Values of all fields of that name, in order.
  public func values(of name: String) -> [String] {
    var values: [String] = []
    var start = 0
    while let index = firstIndex(of: name, from: start) {
      values.append(value(at: index))
      start = index + 1
    }
    return values
  }

  // MARK: Writing

  /// Adds a field after the others.
  public mutating func add(_ name: String, _ value: String) {
    var name = name
    var value = value
    name.withUTF8 { name in
      value.withUTF8 { value in append(name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer(value)) }
    }
  }

  /// Adds a field after the others. The bytes must not come from this block's own arena.
  ///
  /// CR, LF and NUL, which would end the field for its reader, are percent-encoded.
  public mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    // No peer would take such a field; what a template makes of a request must not stop the process.
    guard name.count <= UInt16.max / 3, arena.count + (name.count + value.count) * 3 <= UInt32.max else { return }
    let nameOffset = arena.count
    appendEscaped(name)
    let valueOffset = arena.count
    appendEscaped(value)
    entries.append(
      Entry(
        nameOffset: nameOffset, nameLength: valueOffset - nameOffset, valueOffset: valueOffset,
        valueLength: arena.count - valueOffset))
  }

  private mutating func appendEscaped(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.contains(where: Self.endsField) else { return arena.append(contentsOf: bytes) }
    for byte in bytes {
      if Self.endsField(byte) {
        arena.append(contentsOf: byte == 0 ? "%00".utf8 : byte == 0x0A ? "%0A".utf8 : "%0D".utf8)
      } else {
        arena.append(byte)
      }
    }
  }

  private static func endsField(_ byte: UInt8) -> Bool { byte == 0x0D || byte == 0x0A || byte == 0 }

  /// Replaces every field of that name by one, at the place of the first.
  public mutating func set(_ name: String, _ value: String) {
    guard let index = firstIndex(of: name) else { return add(name, value) }
    var later = index + 1
    while let other = firstIndex(of: name, from: later) {
      entries.remove(at: other)
      later = other
    }
    let offset = arena.count
    var value = value
    value.withUTF8 { appendEscaped(UnsafeRawBufferPointer($0)) }
    entries[index].valueOffset = UInt32(offset)
    entries[index].valueLength = UInt32(arena.count - offset)
  }

  /// Removes every field of that name.
  public mutating func remove(_ name: String) {
    while let index = firstIndex(of: name) { entries.remove(at: index) }
  }

  public mutating func remove(at index: Int) { entries.remove(at: index) }
}

/// Whether two byte strings are equal without regard to ASCII case.
@inlinable
public func equalIgnoringCase(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
  guard left.count == right.count else { return false }
  for index in 0..<left.count {
    let a = left[index]
    let b = right[index]
    if a != b {
      guard a ^ b == 0x20, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(a | 0x20) else { return false }
    }
  }
  return true
}
