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
}
