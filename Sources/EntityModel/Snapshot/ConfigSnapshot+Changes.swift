extension ConfigSnapshot {
  /// Walks over two lists of entities in the order of their ids, together.
  ///
  /// Calls `body` with the places of each entity in both lists (nil where it is missing) and whether it is the same in
  /// both. The calls are in the order of the second list. Parts that both lists share are not looked into.
  public static func walk(
    _ old: EntityList, _ new: EntityList, _ body: (_ old: Int?, _ new: Int?, _ isSame: Bool) -> Void
  ) {
    var left = Cursor(old)
    var right = Cursor(new)
    while let oldPart = left.part, let newPart = right.part {
      if left.row == 0, right.row == 0, oldPart === newPart {
        for row in oldPart.rows.indices { body(left.place + row, right.place + row, true) }
        left.skipPart()
        right.skipPart()
        continue
      }
      switch Pair(oldPart.rows[left.row], newPart.rows[right.row]) {
      case .same: body(left.place, right.place, true)
      case .changed: body(left.place, right.place, false)
      case .onlyOld:
        body(left.place, nil, false)
        left.advance()
        continue
      case .onlyNew:
        body(nil, right.place, false)
        right.advance()
        continue
      }
      left.advance()
      right.advance()
    }
    while left.part != nil {
      body(left.place, nil, false)
      left.advance()
    }
    while right.part != nil {
      body(nil, right.place, false)
      right.advance()
    }
  }

  /// Calls `body` with each entity that is not the same in both lists, as it was and as it is. Parts that both lists
  /// share cost one comparison.
  public static func compare(
    _ old: EntityList, _ new: EntityList, _ body: (_ old: EntityFields?, _ new: EntityFields?) -> Void
  ) {
    var left = Cursor(old)
    var right = Cursor(new)
    while let oldPart = left.part, let newPart = right.part {
      if left.row == 0, right.row == 0, oldPart === newPart {
        left.skipPart()
        right.skipPart()
        continue
      }
      let before = oldPart.rows[left.row]
      let after = newPart.rows[right.row]
      switch Pair(before, after) {
      case .same: break
      case .changed: body(before, after)
      case .onlyOld:
        body(before, nil)
        left.advance()
        continue
      case .onlyNew:
        body(nil, after)
        right.advance()
        continue
      }
      left.advance()
      right.advance()
    }
    while let part = left.part {
      body(part.rows[left.row], nil)
      left.advance()
    }
    while let part = right.part {
      body(nil, part.rows[right.row])
      right.advance()
    }
  }

  /// How the next entities of two lists stand to one another.
  private enum Pair {
    case same, changed, onlyOld, onlyNew

    init(_ old: EntityFields, _ new: EntityFields) {
      if old == new {
        self = .same
        return
      }
      let oldID = old["id"]?.string ?? ""
      let newID = new["id"]?.string ?? ""
      self = oldID == newID ? .changed : oldID < newID ? .onlyOld : .onlyNew
    }
  }

  /// A place in a list.
  private struct Cursor {
    private let parts: [EntityPart]
    private var number = 0
    private(set) var row = 0
    private(set) var place = 0

    init(_ list: EntityList) { parts = list.parts }

    /// Nil at the end.
    var part: EntityPart? { number < parts.count ? parts[number] : nil }

    mutating func advance() {
      row += 1
      place += 1
      if row == parts[number].rows.count {
        row = 0
        number += 1
      }
    }

    mutating func skipPart() {
      place += parts[number].rows.count
      number += 1
    }
  }
}
