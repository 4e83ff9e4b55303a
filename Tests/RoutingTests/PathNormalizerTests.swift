import Testing

@testable import Routing

@Suite struct PathNormalizerTests {
  @Test(
    "paths are brought into their normal form",
    arguments: [
      ("/", "/"), ("/n/y", "/n/y"), ("/n/y/z/..", "/n/y/"), ("/n/./y", "/n/y"), ("/n/../zzz", "/zzz"),
      ("/zzz/../n/q", "/n/q"), ("/n//y///z", "/n/y/z"), ("//n/y", "/n/y"), ("/n/y//", "/n/y/"), ("//", "/"),
      ("/.", "/"), ("/./", "/"), ("/a/..", "/"), ("/a/../", "/"), ("/a/./", "/a/"), ("/a//../b", "/b"),
      ("/n/%7euser", "/n/~user"), ("/n/x/%2e%2E/y", "/n/y"), ("/n%2Fy", "/n%2Fy"), ("/n/a%2fb", "/n/a%2Fb"),
      ("/n/a%20b", "/n/a b"), ("/n/a%3Fb", "/n/a%3Fb"), ("/a%25b", "/a%25b"), ("/a%2525", "/a%2525"),
      ("/caf%c3%a9", "/café"), ("/.hidden/..x/x..", "/.hidden/..x/x.."), ("/...", "/..."), ("/a%5Cb", "/a\\b"),
      ("/%5b%5D", "/%5B%5D"), ("/a/b/c/../../d", "/a/d"),
    ])
  func normalForm(_ path: String, _ expected: String) throws {
    var output: [UInt8] = [1, 2, 3]
    let changed = try Array(path.utf8).withUnsafeBytes { try PathNormalizer.normalize($0, into: &output) }
    #expect(String(decoding: output, as: UTF8.self) == expected)
    #expect(changed == (path != expected))
  }

  @Test(
    "paths that are broken or leave the root are refused",
    arguments: [
      ("", PathNormalizer.Failure.notAbsolute), ("x/y", .notAbsolute), ("*", .notAbsolute),
      ("/n/y%4", .malformedEscape),
      ("/%", .malformedEscape), ("/%zz", .malformedEscape), ("/%+1", .malformedEscape), ("/a%00b", .nul),
      ("/a\0", .nul),
      ("/../x", .aboveRoot), ("/..", .aboveRoot), ("/a/../..", .aboveRoot), ("/a//../../b", .aboveRoot),
      ("/%2e%2e/x", .aboveRoot), ("/a/..%2f..%2fx", .aboveRoot), ("/a%2F..%2F../..", .aboveRoot),
    ])
  func refused(_ path: String, _ failure: PathNormalizer.Failure) {
    var output: [UInt8] = []
    #expect(throws: failure) {
      try Array(path.utf8).withUnsafeBytes { try PathNormalizer.normalize($0, into: &output) }
    }
  }

  @Test("any bytes end in a refusal or in a form that stays as it is, without dot segments and doubled slashes")
  func idempotent() {
    var random = SeededGenerator(seed: 7)
    let pieces = ["/", "/", ".", "..", "%2e", "%2F", "%41", "%25", "a", "b", "é", "%", "%c3", "?", "//", "%20"]
    for _ in 0..<4000 {
      let path =
        "/" + (0..<Int.random(in: 0..<9, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
      var once: [UInt8] = []
      do {
        try Array(path.utf8).withUnsafeBytes { _ = try PathNormalizer.normalize($0, into: &once) }
      } catch { continue }
      let text = String(decoding: once, as: UTF8.self)
      #expect(text.hasPrefix("/"), "\(path)")
      #expect(!text.contains("//"), "\(path)")
      #expect(!text.split(separator: "/").contains { $0 == "." || $0 == ".." }, "\(path)")
      var escaped: [UInt8] = []
      once.withUnsafeBytes { UpstreamPath.escape($0, into: &escaped) }
      var twice: [UInt8] = []
      #expect(throws: Never.self, "\(path)") {
        try escaped.withUnsafeBytes { _ = try PathNormalizer.normalize($0, into: &twice) }
      }
      #expect(twice == once, "\(path)")
    }
  }
}

/// Reproducible randomness (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
