/// The entities of one kind, in the order of their ids, in parts of about 64.
///
/// Lists of successive configurations share the parts in which nothing changed: taking such a list over, comparing it
/// and freeing it costs as much as its parts and not as much as its entities. Where a part ends follows from the ids
/// alone, so that the same entities lie in the same parts however a list came about.
public struct EntityList: Sendable {
  public private(set) var parts: [EntityPart]
  /// The place of each part's first entity.
  private var starts: [Int]
  public private(set) var count: Int

  public init() {
    parts = []
    starts = []
    count = 0
  }

  /// - Parameter rows: in the order of their ids.
  public init(_ rows: some Sequence<EntityFields>) { self.init(parts: Self.cut(Array(rows))) }

  /// - Parameter parts: those of other lists, or others; empty ones are left out.
  public init(parts: [EntityPart]) {
    self.parts = parts.allSatisfy { !$0.rows.isEmpty } ? parts : parts.filter { !$0.rows.isEmpty }
    starts = []
    starts.reserveCapacity(parts.count)
    count = 0
    for part in self.parts {
      starts.append(count)
      count += part.rows.count
    }
  }

  /// Whether a part ends before the entity with this id.
  public static func endsPart(before id: String) -> Bool {
    var hash: UInt32 = 2_166_136_261
    for byte in id.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return (hash ^ hash >> 15) & 63 == 0
  }

  private static func cut(_ rows: [EntityFields]) -> [EntityPart] {
    var parts: [EntityPart] = []
    var start = 0
    for place in rows.indices where place > start && endsPart(before: rows[place]["id"]?.string ?? "") {
      parts.append(EntityPart(Array(rows[start..<place])))
      start = place
    }
    if start < rows.count { parts.append(EntityPart(start == 0 ? rows : Array(rows[start...]))) }
    return parts
  }

  /// Whether the ids grow from each entity to the next, as they do in every configuration that was read.
  public var isInOrder: Bool {
    parts.allSatisfy(\.isInOrder)
      && zip(parts, parts.dropFirst()).allSatisfy { $0.lastID < $1.firstID }
  }

  /// Place of the first entity whose id is not less, in a list in the order of ids.
  public func firstPlace(ofID id: String) -> Int {
    guard let number = partNumber(ofID: id) else { return 0 }
    return starts[number] + parts[number].rows.firstPlace(ofID: id)
  }

  /// The entity with this id, in a list in the order of ids.
  public func entity(id: String) -> EntityFields? {
    guard let number = partNumber(ofID: id) else { return nil }
    let rows = parts[number].rows
    let place = rows.firstPlace(ofID: id)
    return place < rows.count && rows[place]["id"]?.string == id ? rows[place] : nil
  }

  /// The last part that begins with this id or a lesser one; nil when the id lies before all.
  private func partNumber(ofID id: String) -> Int? {
    var low = 0
    var high = parts.count
    while low < high {
      let middle = (low + high) / 2
      if parts[middle].firstID <= id { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? nil : low - 1
  }

  /// Puts an entity in its place, or takes the one with this id away. The list must be in the order of ids.
  public mutating func set(_ row: EntityFields?, id: String) {
    let number = partNumber(ofID: id) ?? 0
    guard number < parts.count else {
      if let row { self = EntityList([row]) }
      return
    }
    var rows = parts[number].rows
    let place = rows.firstPlace(ofID: id)
    let isPresent = place < rows.count && rows[place]["id"]?.string == id
    switch (row, isPresent) {
    case (let row?, true): rows[place] = row
    case (let row?, false): rows.insert(row, at: place)
    case (nil, true): rows.remove(at: place)
    case (nil, false): return
    }
    // What begins a part may now be another entity, in this part or in the one that it continues.
    let first = number > 0 && !Self.endsPart(before: rows.first?["id"]?.string ?? "") ? number - 1 : number
    let before = first < number ? parts[first].rows : []
    var made = parts
    made.replaceSubrange(first...number, with: Self.cut(before + rows))
    self = EntityList(parts: made)
  }
}

extension EntityList: RandomAccessCollection {
  public struct Iterator: IteratorProtocol {
    let parts: [EntityPart]
    var part = 0
    var row = 0

    public mutating func next() -> EntityFields? {
      guard part < parts.count else { return nil }
      let rows = parts[part].rows
      defer {
        row += 1
        if row == rows.count {
          part += 1
          row = 0
        }
      }
      return rows[row]
    }
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { count }
  public var isEmpty: Bool { count == 0 }

  public subscript(place: Int) -> EntityFields {
    precondition(place >= 0 && place < count, "no entity at this place of the list")
    var low = 0
    var high = parts.count - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if starts[middle] <= place { low = middle } else { high = middle - 1 }
    }
    return parts[low].rows[place - starts[low]]
  }

  public func makeIterator() -> Iterator { Iterator(parts: parts) }
}

extension EntityList: Hashable, ExpressibleByArrayLiteral {
  public init(arrayLiteral elements: EntityFields...) { self.init(elements) }

  /// Parts that both share are not looked into.
  public static func == (left: EntityList, right: EntityList) -> Bool {
    guard left.count == right.count else { return false }
    if left.hasSameParts(as: right) { return true }
    if left.starts == right.starts {
      return zip(left.parts, right.parts).allSatisfy { $0 === $1 || $0.rows == $1.rows }
    }
    return left.elementsEqual(right)
  }

  /// Whether both consist of the same parts, which is known without looking into them.
  public func hasSameParts(as other: EntityList) -> Bool {
    parts.count == other.parts.count && zip(parts, other.parts).allSatisfy { $0 === $1 }
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(count)
    for row in self { hasher.combine(row) }
  }
}
