/// Reading and writing by bytes, for callers that hold no Strings (the Lua plugin API).
extension HeaderBlock {
  /// Index of the first field of that name; `_` in the wanted name also finds `-`.
  ///
  /// Source: Kong fact, pdk §0 "Header lookup".
  public func looseIndex(ofName name: UnsafeRawBufferPointer) -> Int? {
    if let index = firstIndex(ofName: name) { return index }
    guard name.contains(UInt8(ascii: "_")) else { return nil }
    return withUnsafeTemporaryAllocation(byteCount: name.count, alignment: 1) { copy in
      for index in 0..<name.count { copy[index] = name[index] == UInt8(ascii: "_") ? UInt8(ascii: "-") : name[index] }
      return firstIndex(ofName: UnsafeRawBufferPointer(copy))
    }
  }

  /// Removes every field of that name.
  public mutating func remove(name: UnsafeRawBufferPointer) {
    while let index = firstIndex(ofName: name) { remove(at: index) }
  }

  /// Replaces every field of that name by one, at the place of the first. The bytes must not lie in this block's arena.
  public mutating func set(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    guard let index = firstIndex(ofName: name) else { return append(name: name, value: value) }
    while let other = firstIndex(ofName: name, from: index + 1) { remove(at: other) }
    let offset = arena.count
    arena.append(contentsOf: value)
    entries[index].valueOffset = UInt32(offset)
    entries[index].valueLength = UInt32(value.count)
  }
}
