import Testing

@testable import Proxy

@Suite("Collections whose copies share")
struct SharedCollectionTests {
  @Test("a map is what a dictionary is, and its copies stay what they were", arguments: 1...4)
  func map(seed: Int) {
    var state = UInt64(seed)
    func roll(_ sides: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(sides))
    }
    var map = SharedMap<Int>()
    var plain: [String: Int] = [:]
    var kept: [(map: SharedMap<Int>, plain: [String: Int])] = []
    let keys = (0..<3000).map { "key \($0)" }
    for step in 0..<6000 {
      let key = keys[roll(keys.count)]
      let value = roll(4) == 0 ? nil : step
      map[key] = value
      plain[key] = value
      #expect(map[key] == plain[key] && map.count == plain.count)
      if step % 1000 == 0 { kept.append((map, plain)) }
    }
    for (map, plain) in kept + [(map, plain)] {
      #expect(map.count == plain.count)
      #expect(keys.allSatisfy { map[$0] == plain[$0] })
    }
  }

  @Test("an array is what an array is, and its copies stay what they were")
  func array() {
    for count in [0, 1, 63, 64, 65, 1000] {
      let plain = Array(0..<count)
      var shared = SharedArray(plain)
      let before = shared
      #expect(Array(shared) == plain && shared.count == count)
      for place in stride(from: 0, to: count, by: 7) { shared[place] = -place }
      #expect(Array(shared) == plain.map { $0 % 7 == 0 ? -$0 : $0 })
      #expect(Array(before) == plain)
    }
  }
}
