import Testing

@testable import EntityModel

@Suite("Addresses and paths")
struct NetworkTests {
  @Test(
    "addresses are read and written in their canonical form",
    arguments: [
      ("10.0.0.1", "10.0.0.1"), ("::1", "::1"), ("::", "::"), ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
      ("[fe80::1]", "fe80::1"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
      ("1:2:3:4:5:6:0:8", "1:2:3:4:5:6:0:8"), ("1:2:3:4:5:6::", "1:2:3:4:5:6::"), ("::10.0.0.1", "::a00:1"),
    ])
  func canonical(text: String, canonical: String) {
    #expect(IPAddress(text)?.description == canonical)
  }

  @Test(
    "other text is no address",
    arguments: [
      "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.-4", "1..2.3", "a.b.c.d", ":::", "1::2::3", "12345::",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9", "[1.2.3.4]", "::g", "1.2.3.4::", " 1.2.3.4", "1.2.3.4:80",
    ])
  func refused(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test("a range contains the addresses with its prefix")
  func ranges() throws {
    let block = try #require(CIDRBlock("10.1.0.0/16"))
    #expect(block.contains(try #require(IPAddress("10.1.255.255"))))
    #expect(!block.contains(try #require(IPAddress("10.2.0.0"))))
    #expect(!block.contains(try #require(IPAddress("::10.1.0.1"))))
    let everything = try #require(CIDRBlock("0.0.0.0/0"))
    #expect(everything.contains(try #require(IPAddress("255.0.0.1"))))
    let wide = try #require(CIDRBlock("2001:db8::/33"))
    #expect(wide.contains(try #require(IPAddress("2001:db8:7fff::1"))))
    #expect(!wide.contains(try #require(IPAddress("2001:db8:8000::1"))))
    let narrow = try #require(CIDRBlock("2001:db8::1:0/112"))
    #expect(narrow.contains(try #require(IPAddress("2001:db8::1:ffff"))))
    #expect(!narrow.contains(try #require(IPAddress("2001:db8::2:0"))))
    #expect(try #require(CIDRBlock("::1")).prefixLength == 128)
  }

  @Test("malformed ranges are refused", arguments: ["10.0.0.0/33", "10.0.0.0/", "::/129", "10.0.0.0/8/8", "/8", "a/8"])
  func badRanges(text: String) {
    #expect(CIDRBlock(text) == nil)
  }

  @Test(
    "paths are normalized",
    arguments: [
      ("/", "/"), ("/a/b", "/a/b"), ("/a//b", "/a/b"), ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/../..", "/"),
      ("/a/b/..", "/a/"), ("/a/", "/a/"), ("/%61%2f%3a", "/a%2F%3A"), ("/a%20b", "/a b"), ("/%c3%a4", "/ä"),
      ("/a%zz", "/a%zz"), ("/%", "/%"), ("", ""), ("a/../b", "a/../b"),
    ])
  func normalization(path: String, normalized: String) {
    #expect(PathNormalization.normalized(path) == normalized)
  }

  @Test("URLs fall apart into what a service needs")
  func urls() {
    let parts = URLParts("https://user:secret@up.example.com:8443/p/q?x=1#y")
    #expect(parts.scheme == "https" && parts.host == "up.example.com" && parts.port == 8443 && parts.path == "/p/q")
    #expect(URLParts("http://[::1]:80/").host == "::1")
    #expect(URLParts("http://[::1]").port == nil)
    #expect(URLParts("example.com") == URLParts(path: "example.com"))
    #expect(URLParts("http://").host == nil)
  }
}

extension URLParts {
  fileprivate init(path: String) {
    self.init("")
    self.path = path
  }
}
