/// The header fields of one message, in order, as byte ranges of one arena.
///
/// The received head is copied into the arena once and never becomes Strings; what plugins write is appended to the
/// same arena. Names keep the spelling they came with and are compared without regard to ASCII case (RFC 9110 §5.1).
///
/// A value: copies share memory until one of them is changed. Sound to send, since memory that more than one block
/// holds is only read.
public struct HeaderBlock: @unchecked Sendable {
  /// One field as ranges of the arena.
  public struct Entry: Sendable, Equatable {
    @usableFromInline var nameOffset: UInt32
    @usableFromInline var valueOffset: UInt32
    @usableFromInline var valueLength: UInt32
    @usableFromInline var nameLength: UInt16
    /// Which field it is.
    public let known: KnownField
    @usableFromInline var holdsLine: Bool
    /// The arena holds the field as it is sent: `name: value` and CRLF.
    @inlinable
    public var isWholeLine: Bool { holdsLine }

    /// Offsets are relative to the first byte of the received head.
    ///
    /// - Parameters:
    ///   - known: what the name is.
    ///   - isWholeLine: whether colon and one space stand before the value, and CRLF after it.
    @inlinable
    public init(
      nameOffset: Int, nameLength: Int, valueOffset: Int, valueLength: Int, known: KnownField, isWholeLine: Bool
    ) {
      self.nameOffset = UInt32(nameOffset)
      self.valueOffset = UInt32(valueOffset)
      self.valueLength = UInt32(valueLength)
      self.nameLength = UInt16(nameLength)
      self.known = known
      holdsLine = isWholeLine
    }

    /// Where the field begins in the arena.
    @inlinable
    public var start: Int { Int(nameOffset) }

    /// Bytes of the value.
    @inlinable
    public var valueCount: Int { Int(valueLength) }

    /// Where a whole line ends in the arena, behind its CRLF.
    @inlinable
    public var lineEnd: Int { Int(valueOffset) + Int(valueLength) + 2 }

    @inlinable
    public func name(_ arena: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: arena[Int(nameOffset)..<Int(nameOffset) + Int(nameLength)])
    }

    @inlinable
    public func value(_ arena: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: arena[Int(valueOffset)..<Int(valueOffset) + Int(valueLength)])
    }
  }

  /// Nil for a block that never held anything.
  @usableFromInline var storage: HeaderStorage?

  public init() {}

  @inlinable
  public var count: Int { storage?.count ?? 0 }

  @inlinable
  public var isEmpty: Bool { count == 0 }

  /// Bytes of all names and values: at least what `forEach` yields in sum.
  @inlinable
  public var byteCount: Int { storage?.byteCount ?? 0 }

  /// Bytes of memory held, used or not.
  var capacity: Int {
    guard let storage else { return 0 }
    return storage.byteCapacity + storage.capacity * MemoryLayout<Entry>.stride
  }

  // MARK: Reading

  /// Calls `body` with the arena and the fields in order.
  @inlinable
  @inline(__always)
  public func withEntries<R>(
    _ body: (_ arena: UnsafeRawBufferPointer, _ entries: UnsafeBufferPointer<Entry>) throws -> R
  ) rethrows -> R {
    guard let storage else {
      return try body(
        UnsafeRawBufferPointer(start: nil, count: 0), UnsafeBufferPointer(start: nil, count: 0))
    }
    return try withExtendedLifetime(storage) {
      try body(
        UnsafeRawBufferPointer(start: storage.bytes, count: storage.byteCount),
        UnsafeBufferPointer(start: storage.entries, count: storage.count))
    }
  }

  /// Bytes of the arena, for example the request line of a received head.
  @inlinable
  @inline(__always)
  public func withArena<R>(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try withEntries { arena, _ in
      precondition(range.lowerBound >= 0 && range.upperBound <= arena.count)
      return try body(UnsafeRawBufferPointer(rebasing: arena[range]))
    }
  }

  /// Calls `body` with the bytes of each name and value, in order.
  @inlinable
  public func forEach(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Void) rethrows
  {
    try withEntries { arena, entries in
      for entry in entries { try body(entry.name(arena), entry.value(arena)) }
    }
  }

  @inlinable
  @inline(__always)
  public func withName<R>(at index: Int, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try withEntries { arena, entries in
      precondition(index >= 0 && index < entries.count)
      return try body(entries[index].name(arena))
    }
  }

  @inlinable
  @inline(__always)
  public func withValue<R>(at index: Int, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try withEntries { arena, entries in
      precondition(index >= 0 && index < entries.count)
      return try body(entries[index].value(arena))
    }
  }

  public func name(at index: Int) -> String { withName(at: index) { String(decoding: $0, as: UTF8.self) } }

  public func value(at index: Int) -> String { withValue(at: index) { String(decoding: $0, as: UTF8.self) } }

  // MARK: Finding

  /// Index of the first such field at or after `start`.
  @inlinable
  public func firstIndex(of known: KnownField, from start: Int = 0) -> Int? {
    guard let storage else { return nil }
    return storage.firstIndex(of: known, from: start)
  }

  @inlinable
  public func contains(_ known: KnownField) -> Bool { firstIndex(of: known) != nil }

  /// Whether one of the fields with these bits may be there; false is certain.
  @inlinable
  public func mayContain(_ fields: UInt64) -> Bool { (storage?.known ?? 0) & fields != 0 }

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
    firstIndex(ofName: name, KnownField(name), from: start)
  }

  /// - Parameter known: what the name is.
  func firstIndex(ofName name: UnsafeRawBufferPointer, _ known: KnownField, from start: Int = 0) -> Int? {
    if known != .other { return firstIndex(of: known, from: start) }
    return withEntries { arena, entries in
      var index = start
      while index < entries.count {
        let entry = entries[index]
        if Int(entry.nameLength) == name.count, entry.known == .other, equalIgnoringCase(entry.name(arena), name) {
          return index
        }
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
}
