import Testing

@testable import EntityModel

/// A linear congruential generator, so that a failure can be seen again.
private struct Dice {
  var state: UInt64

  mutating func roll(_ sides: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(sides))
  }
}

@Suite("Lists of entities in parts")
struct EntityListTests {
  private func row(_ number: Int, _ value: Int) -> EntityFields {
    ["id": .string(id(number)), "name": .string("name-\(number % 7)"), "value": .integer(Int64(value))]
  }

  private func id(_ number: Int) -> String { "id-" + String(100_000 + number * 37 % 3001) }

  @Test("after any changes a list is a sorted array, in the parts of a list made at once", arguments: 1...6)
  func editing(seed: Int) {
    var dice = Dice(state: UInt64(seed))
    var list = EntityList()
    var plain: [String: EntityFields] = [:]
    for step in 0..<1500 {
      let number = dice.roll(seed < 3 ? 40 : 1000)
      let row = dice.roll(3) == 0 ? nil : row(number, step)
      list.set(row, id: id(number))
      plain[id(number)] = row
      guard step % 50 == 0 else { continue }
      let rows = plain.keys.sorted().compactMap { plain[$0] }
      let fresh = EntityList(rows)
      #expect(Array(list) == rows && list.count == rows.count && list.isEmpty == rows.isEmpty)
      #expect(list.parts.map(\.rows) == fresh.parts.map(\.rows))
      #expect(list == fresh && list.hashValue == fresh.hashValue && list.isInOrder)
      for place in rows.indices { #expect(list[place] == rows[place]) }
      for number in 0..<40 {
        #expect(list.entity(id: id(number)) == plain[id(number)])
        #expect(list.firstPlace(ofID: id(number)) == rows.firstIndex { $0["id"]!.string! >= id(number) } ?? rows.count)
      }
    }
  }

  @Test("one change leaves all other parts the same objects")
  func sharing() {
    let list = EntityList((0..<2000).map { row($0, 0) }.sorted { $0["id"]!.string! < $1["id"]!.string! })
    var changed = list
    changed.set(row(5, 1), id: id(5))
    let other = zip(list.parts, changed.parts).count { $0 !== $1 }
    #expect(other == 1 && list.parts.count == changed.parts.count && list.parts.count > 10)
    #expect(list != changed && list.hasSameParts(as: list) && !list.hasSameParts(as: changed))
  }

  @Test("walking and comparing find the changes that a look at every entity finds", arguments: 1...6)
  func comparing(seed: Int) {
    var dice = Dice(state: UInt64(seed))
    var old = EntityList()
    for number in 0..<600 { old.set(row(number, 0), id: id(number)) }
    for step in 1...60 {
      var new = old
      for _ in 0...dice.roll(seed * 3) {
        let number = dice.roll(700)
        new.set(dice.roll(3) == 0 ? nil : row(number, step), id: id(number))
      }
      var compared: [String: (EntityFields?, EntityFields?)] = [:]
      ConfigSnapshot.compare(old, new) { before, after in
        compared[(before ?? after)?["id"]?.string ?? ""] = (before, after)
      }
      var walked: [EntityFields] = []
      var left: [String: EntityFields] = [:]
      ConfigSnapshot.walk(old, new) { before, after, isSame in
        if let after { walked.append(new[after]) }
        if isSame { #expect(before.map { old[$0] } == after.map { new[$0] }) }
        if after == nil, let before { left[old[before]["id"]!.string!] = old[before] }
      }
      #expect(walked == Array(new))
      for number in 0..<700 {
        let (before, after) = (old.entity(id: id(number)), new.entity(id: id(number)))
        let found = compared[id(number)]
        #expect((found != nil) == (before != after))
        if let found { #expect(found.0 == before && found.1 == after) }
        #expect((left[id(number)] != nil) == (before != nil && after == nil))
      }
      old = new
    }
  }

  @Test("hashing after changes gives what hashing at once gives")
  func hashing() {
    var dice = Dice(state: 9)
    var hasher = ConfigHasher()
    var list = EntityList()
    for step in 0..<200 {
      let number = dice.roll(300)
      list.set(dice.roll(4) == 0 ? nil : row(number, step), id: id(number))
      let entities = ["routes": list, "acls": list].filter { !$0.value.isEmpty }
      let (hash, parts) = hasher.hash(of: entities)
      let fresh = ConfigHash.hash(of: entities.mapValues { Array($0) })
      #expect(hash == fresh.hash && parts == fresh.parts)
    }
  }

  @Test("a part knows the names in it")
  func names() {
    #expect(EntityPart([row(1, 0), row(2, 0), row(8, 0)]).names == ["name-1", "name-2"])
  }
}
