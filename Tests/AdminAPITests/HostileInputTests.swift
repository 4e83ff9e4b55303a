import EntityModel
import Hummingbird
import Testing

@testable import AdminAPI

@Suite("Hostile input never crashes and is never answered 500")
struct HostileInputTests {
  static let oddPaths = [
    "/services/%00", "/services/%ff%fe", "/services/a%00b", "/services/%zz", "/services/%", "/services/%2",
    "/services/\(String(repeating: "a", count: 60000))", "/services/%2e%2e%2f", "/consumers/'%20OR%201=1--",
    "/services/..;/", "/tags/%00", "/tags/%f0%9f%92%a9", "/schemas/%00", "/schemas/plugins/%27",
    "/upstreams/%00/targets/%00", "/services?size=%00", "/services?offset=%ff", "/services?tags=%00",
    "/services?offset=bnVsbA==", "/services?offset=WzFd", "/services?offset=eyJpZCI6MX0=", "/services?size=-0",
    "/services?size=1e2", "/services?size=+5", "/services?&&&==&=", "/services?%5B%5D=1", "/?%ff=1", "*",
    "/%64efault/services", "/default/default/services", "/\u{7f}", "/consumers?custom_id=%00",
    "/debug/node/log-level/%00", "/workspaces/%ff", "/clustering/data-planes?size=99999999999999999999",
  ]

  @Test("odd paths and queries")
  func paths() async throws {
    try await AdminRig().run { (admin) async throws in
      for path in Self.oddPaths {
        for method in ["GET", "DELETE", "PATCH", "PUT", "OPTIONS", "HEAD"] {
          let body: JSONValue? = method == "PATCH" || method == "PUT" ? ["host": "a.b"] : nil
          #expect(try await admin.call(method, path, body).status < 500, "\(method) \(path)")
        }
      }
    }
  }

  static let oddBodies: [[UInt8]] = [
    Array(String(repeating: "[", count: 100_000).utf8), Array(String(repeating: "{\"a\":", count: 100_000).utf8),
    Array("{\"host\":\"a\\u0000b\"}".utf8), Array("{\"host\":\"\\ud800\"}".utf8), [0x7B, 0x22, 0xFF, 0x22, 0x7D],
    Array("{\"port\":1e400}".utf8), Array("{\"port\":123456789012345678901234567890}".utf8), [0], [],
    Array("{\"port\":-0.0,\"retries\":9223372036854775808,\"host\":\"a.b\"}".utf8),
    Array("{\"created_at\":1e300,\"host\":\"a.b\"}".utf8), Array("{\"id\":{\"a\":1},\"host\":[[]]}".utf8),
    Array("{\"tags\":{\"1\":\"a\"},\"client_certificate\":5,\"ca_certificates\":[{}]}".utf8),
    Array("{\"name\":\"\\u0000\",\"host\":\"a.b\",\"tags\":[\"\\u0000\",null,[],{}]}".utf8),
    Array("{\"url\":\"http://[::1\"}".utf8), Array("{\"url\":\"http://a:99999999999999999999/\"}".utf8),
    Array("{\"\":\"\",\"@entity\":1,\"host\":\"a.b\"}".utf8), Array("\u{feff}{}".utf8),
    Array("{\"service\":{\"id\":{},\"name\":[]},\"paths\":[\"~/((((\"],\"headers\":{\"\":[]}}".utf8),
    Array("{\"config\":[[[[]]]],\"name\":\"rate-limiting\",\"protocols\":{\"a\":{}}}".utf8),
    Array("{\"name\":[\"rate-limiting\"],\"config\":\"x\"}".utf8),
    Array("{\"username\":\"\\u0000\\u0000\"}".utf8),
    Array("{\"target\":\"[::1]:99999999\",\"weight\":1e30}".utf8),
  ]

  @Test("odd bodies in every encoding, for every entity")
  func bodies() async throws {
    try await AdminRig().run { (admin) async throws in
      for (body, kind) in Self.oddBodies.flatMap({ body in EntityCatalogue.all.map { (body, $0) } }) {
        guard let path = kind.adminPath else { continue }
        let others = [
          "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "multipart/form-data; boundary=\"",
          "text/plain", "application/json;;;=\"\\",
        ]
        for type in ["application/json"] + (kind.name == "plugins" ? others : []) {
          let post = try await admin.send("POST", "/\(path)", bytes: body, type: type)
          #expect(post.status < 500, "POST /\(path) \(type): \(post.text)")
        }
        let put = try await admin.send("PUT", "/\(path)/some-name", bytes: body, type: "application/json")
        #expect(put.status < 500, "PUT /\(path): \(put.text)")
        let validate = try await admin.send(
          "POST", "/schemas/\(kind.name)/validate", bytes: body, type: "application/json")
        #expect(validate.status < 500, "validate \(kind.name): \(validate.text)")
      }
    }
  }

  @Test("a body larger than the limit is answered 413, whether it says its length or not")
  func largeBody() async throws {
    var rig = AdminRig()
    rig.configuration.maximumBodySize = 1000
    try await rig.run { (admin) async throws in
      let body = "{\"host\":\"\(String(repeating: "a", count: 2000))\"}"
      let answer = try await admin.send("POST", "/services", body: body, type: "application/json")
      #expect(answer.status == 413 && answer["message"]?.string?.contains("1000 bytes") == true)
      #expect(try await admin.call("POST", "/services", ["host": "a.b"]).status == 201)
    }
  }
}
