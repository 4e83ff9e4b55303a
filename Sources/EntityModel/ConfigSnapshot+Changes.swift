extension ConfigSnapshot {
  /// Walks over two lists of entities in the order of their ids, together.
  ///
  /// Calls `body` with the places of each entity in both lists (nil where it is missing) and whether it is the same in
  /// both. The calls are in the order of the second list. Entities that share their storage, as those of successive snapshots do, are compared in constant time.
  public static func walk(
    _ old: [EntityFields], _ new: [EntityFields],
    _ body: (_ old: Int?, _ new: Int?, _ isSame: Bool) -> Void
  ) {
    var oldPlace = 0
    var newPlace = 0
    while oldPlace < old.count, newPlace < new.count {
      if old[oldPlace] == new[newPlace] {
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
