import Testing

@testable import Routing

@Suite struct UpstreamPathTests {
  @Test(
    "the matched prefix is stripped and the service path put before the rest",
    arguments: [
      ("", "/k", 2, "/"), ("", "/k/x", 2, "/x"), ("/", "/k/", 2, "/"), ("/s", "/k", 2, "/s"), ("/s", "/k/", 2, "/s/"),
      ("/s", "/k/x/", 2, "/s/x/"), ("/s/", "/k", 2, "/s"), ("/s/", "/k/", 2, "/s/"), ("/s/", "/k/x", 2, "/s/x"),
      ("/s", "/kx", 2, "/s/x"), ("/s/", "/kx", 2, "/s/x"), ("/s", "/k/", 3, "/s/"), ("/s", "/k/x", 3, "/s/x"),
      ("/s/", "/k/", 3, "/s/"), ("/s", "/", 1, "/s"), ("/s/", "/", 1, "/s/"), ("/s", "/x", 1, "/s/x"),
      ("/s/deep", "/k..", 2, "/s/deep"), ("/s/deep", "/k.", 2, "/s/deep"), ("/s", "/k../x", 2, "/s/x"),
      ("/s", "/k./x", 2, "/s/x"), ("/s", "/k.html", 2, "/s/.html"), ("/s", "/k...", 2, "/s/..."),
      ("/s%20p/a", "/k/b c", 2, "/s%20p/a/b%20c"), ("/s/t/u", "/deep/a/b/c", 9, "/s/t/u/c"),
    ])
  func stripped(_ service: String, _ request: String, _ matched: Int, _ expected: String) {
    #expect(build(service, request, matched, strip: true) == expected)
  }

  @Test(
    "without strip_path the whole path follows the service path",
    arguments: [
      ("", "/k", "/k"), ("", "/", "/"), ("/", "/k/", "/k/"), ("/", "/kx", "/kx"), ("/s", "/k/x/", "/s/k/x/"),
      ("/s/", "/k", "/s/k"), ("/s/", "/kx", "/s/kx"), ("/s", "/", "/s"), ("/s/", "/", "/s/"),
    ])
  func kept(_ service: String, _ request: String, _ expected: String) {
    #expect(build(service, request, 2, strip: false) == expected)
  }

  @Test(
    "a route without paths strips nothing",
    arguments: [("/s", "/", "/s"), ("/s", "/x", "/s/x"), ("/s/", "/", "/s/"), ("", "/x/", "/x/"), ("", "/", "/")])
  func withoutPaths(_ service: String, _ request: String, _ expected: String) {
    #expect(build(service, request, nil, strip: true) == expected)
    #expect(build(service, request, nil, strip: false) == expected)
  }

  @Test("what may not stand in a path is escaped, what may and what is escaped stays")
  func escaping() {
    #expect(escape("/{a}|b^c`d") == "/%7Ba%7D%7Cb%5Ec%60d")
    #expect(escape("/\"a\"<b>\\ \u{1}\n") == "/%22a%22%3Cb%3E%5C%20%01%0A")
    #expect(escape("/é%2F%25") == "/%C3%A9%2F%25")
    let kept = "/!#$&'()*+,/:;=?@[]AZaz09-_.~"
    #expect(escape(kept) == kept)
  }

  private func build(_ service: String, _ request: String, _ matched: Int?, strip: Bool) -> String {
    var output: [UInt8] = [9]
    Array(service.utf8).withUnsafeBytes { service in
      Array(request.utf8).withUnsafeBytes { request in
        UpstreamPath.build(
          servicePath: service, requestPath: request, matchedLength: matched, stripPath: strip, into: &output)
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  private func escape(_ path: String) -> String {
    var output: [UInt8] = []
    Array(path.utf8).withUnsafeBytes { UpstreamPath.escape($0, into: &output) }
    return String(decoding: output, as: UTF8.self)
  }
}
