extension ConfigSnapshot {
  /// Walks over two lists of entities in the order of their ids, together.
  ///
  /// Calls `body` with the places of each entity in both lists (nil where it is missing) and whether it is the same in
  /// both. The calls are in the order of the second list. Entities that share their storage, as those of successive snapshots do, are compared in constant time.
  public static func walk(
    _ old: [EntityFields], _ new: [EntityFields],
    _ body: (_ old: Int?, _ new: Int?, _ isSame: Bool) -> Void
  ) {
    old.withUnsafeBytes { oldWords in
      new.withUnsafeBytes { newWords in walk(old, oldWords, new, newWords, body) }
    }
  }

  /// - Parameters:
  ///   - oldWords: the references in `old`. Two equal ones are the same storage, which is seen without touching it:
  ///     counting references of ten thousand entities would cost more than all the rest.
  private static func walk(
    _ old: [EntityFields], _ oldWords: UnsafeRawBufferPointer, _ new: [EntityFields],
    _ newWords: UnsafeRawBufferPointer, _ body: (_ old: Int?, _ new: Int?, _ isSame: Bool) -> Void
  ) {
    let size = MemoryLayout<EntityFields>.stride
    let hasWords = size == MemoryLayout<UInt>.size
    func isSameStorage(_ oldPlace: Int, _ newPlace: Int) -> Bool {
      hasWords
        && oldWords.load(fromByteOffset: oldPlace * size, as: UInt.self)
          == newWords.load(fromByteOffset: newPlace * size, as: UInt.self)
    }
    var oldPlace = 0
    var newPlace = 0
    while oldPlace < old.count, newPlace < new.count {
      if isSameStorage(oldPlace, newPlace) || old[oldPlace] == new[newPlace] {
        body(oldPlace, newPlace, true)
        oldPlace += 1
        newPlace += 1
        continue
      }
      let oldID = old[oldPlace]["id"]?.string ?? ""
      let newID = new[newPlace]["id"]?.string ?? ""
      if oldID == newID {
        body(oldPlace, newPlace, false)
        oldPlace += 1
        newPlace += 1
      } else if oldID < newID {
        body(oldPlace, nil, false)
        oldPlace += 1
      } else {
        body(nil, newPlace, false)
        newPlace += 1
      }
    }
    while oldPlace < old.count {
      body(oldPlace, nil, false)
      oldPlace += 1
    }
    while newPlace < new.count {
      body(nil, newPlace, false)
      newPlace += 1
    }
  }

  /// Calls `body` with each entity that is not the same in both lists, as it was and as it is.
  public static func compare(
    _ old: [EntityFields], _ new: [EntityFields], _ body: (_ old: EntityFields?, _ new: EntityFields?) -> Void
  ) {
    walk(old, new) { oldPlace, newPlace, isSame in
      if !isSame { body(oldPlace.map { old[$0] }, newPlace.map { new[$0] }) }
    }
  }
}

extension [EntityFields] {
  /// Place of the first entity whose id is not less, in a list in the order of ids.
  public func firstPlace(ofID id: String) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if let other = self[middle]["id"]?.string, other < id { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
