import EntityModel
import Testing

@testable import AdminAPI

@Suite("Credentials and access groups of consumers")
struct CredentialTests {
  @Test("a key is made if none is given, and addressed by id or key, below its consumer and by itself")
  func keys() async throws {
    try await AdminRig().run { (admin) async throws in
      #expect(try await admin.call("POST", "/consumers", ["username": "amal"]).status == 201)
      let made = try await admin.call("POST", "/consumers/amal/key-auth", [:])
      #expect(made.status == 201 && made["ttl"] == .null)
      let key = made["key"]?.string ?? ""
      #expect(key.count == 32 && key.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
      let id = made["id"]?.string ?? ""
      for path in ["/consumers/amal/key-auth/\(key)", "/consumers/amal/key-auth/\(id)", "/key-auths/\(key)"] {
        #expect(try await admin.call("GET", path).json == made.json)
      }
      #expect(try await admin.call("GET", "/key-auths/\(key)/consumer")["username"] == "amal")
      let put = try await admin.call("PUT", "/consumers/amal/key-auth/mine", ["tags": ["a"]])
      #expect(put.status == 200 && put["key"] == "mine" && put["tags"] == ["a"])
      #expect(try await admin.call("GET", "/key-auths?tags=a")["data"]?.array?.count == 1)
      let taken = try await admin.call("POST", "/consumers/amal/key-auth", ["key": "mine"])
      #expect(taken.status == 409 && taken["code"] == 5)
      #expect(taken["message"] == "UNIQUE violation detected on '{key=\"mine\"}'")
      #expect(try await admin.call("DELETE", "/consumers/amal/key-auth/mine").status == 204)
      #expect(try await admin.call("GET", "/consumers/amal/key-auth")["data"]?.array?.count == 1)
      #expect(try await admin.call("DELETE", "/consumers/amal").status == 204)
      #expect(try await admin.call("GET", "/key-auths")["data"] == [])
    }
  }

  @Test("groups of acls are addressed by their name below their consumer, by id by themselves")
  func groups() async throws {
    try await AdminRig().run { (admin) async throws in
      for name in ["amal", "bea"] {
        #expect(try await admin.call("POST", "/consumers", ["username": .string(name)]).status == 201)
        let group = try await admin.call("POST", "/consumers/\(name)/acls", ["group": "staff"])
        #expect(group.status == 201)
      }
      let acl = try await admin.call("GET", "/consumers/amal/acls/staff")
      #expect(acl.status == 200 && acl["group"] == "staff")
      #expect(try await admin.call("GET", "/acls/\(acl["id"]?.string ?? "")").json == acl.json)
      let flat = try await admin.call("GET", "/acls/staff")
      #expect(flat.status == 400 && flat["code"] == 1)
      #expect(try await admin.call("GET", "/acls")["data"]?.array?.count == 2)
      let twice = try await admin.call("POST", "/consumers/amal/acls", ["group": "staff"])
      #expect(twice.status == 409 && twice["code"] == 5)
      let put = try await admin.call("PUT", "/consumers/amal/acls/guests", [:])
      #expect(put.status == 200 && put["group"] == "guests")
      let changed = try await admin.call("PATCH", "/consumers/amal/acls/guests", ["tags": ["x"]])
      #expect(changed["tags"] == ["x"] && changed["id"] == put["id"])
      #expect(try await admin.call("GET", "/acls?tags=x")["data"]?.array?.count == 1)
      #expect(try await admin.call("DELETE", "/consumers/amal/acls/staff").status == 204)
      #expect(try await admin.call("GET", "/consumers/amal/acls/staff").status == 404)
      #expect(try await admin.call("GET", "/consumers/bea/acls/staff").status == 200)
      #expect(try await admin.call("PATCH", "/consumers/bea/acls/none", ["tags": []]).status == 404)
    }
  }

  @Test("a ttl is shown as what remains of it, and starts again when it is written")
  func lifetime() async throws {
    let rig = AdminRig()
    try await rig.run { (admin) async throws in
      #expect(try await admin.call("POST", "/consumers", ["username": "amal"]).status == 201)
      let made = try await admin.call("POST", "/consumers/amal/key-auth", ["key": "k", "ttl": 100])
      #expect(made.status == 201 && made["ttl"] == 100)
      rig.clock.advance(by: 40)
      #expect(try await admin.call("GET", "/key-auths/k")["ttl"] == 60)
      let tagged = try await admin.call("PATCH", "/key-auths/k", ["tags": ["a"]])
      #expect(tagged["ttl"] == 60)
      #expect(try await admin.call("GET", "/consumers/amal/key-auth")["data.0.ttl"] == 60)
      #expect(try await admin.call("PATCH", "/key-auths/k", ["ttl": 500])["ttl"] == 500)
      rig.clock.advance(by: 400)
      #expect(try await admin.call("GET", "/key-auths/k")["ttl"] == 100)
      let put = try await admin.call("PUT", "/consumers/amal/key-auth/k", ["ttl": 50])
      #expect(put["ttl"] == 50 && put["id"] == made["id"])
      #expect(try await admin.call("PATCH", "/key-auths/k", ["ttl": nil])["ttl"] == .null)
      #expect(try await admin.call("PATCH", "/key-auths/k", ["ttl": 0])["ttl"] == .null)
      rig.clock.advance(by: 1_000_000)
      #expect(try await admin.call("GET", "/key-auths/k").status == 200)
      for bad: JSONValue in [-1, 100_000_001, "soon", 1_900_000_000] {
        let refused = try await admin.call("PATCH", "/key-auths/k", ["ttl": bad])
        #expect(refused.status == 400 && refused["fields.ttl"] != nil)
      }
    }
  }

  @Test("a key that has expired is gone, and its text is free")
  func expiry() async throws {
    let rig = AdminRig()
    try await rig.withRepository { repository in
      try await rig.run(over: repository) { (admin) async throws in
        #expect(try await admin.call("POST", "/consumers", ["username": "amal"]).status == 201)
        let made = try await admin.call("POST", "/consumers/amal/key-auth", ["key": "k", "ttl": 10])
        #expect(try await admin.call("POST", "/consumers/amal/key-auth", ["key": "other", "ttl": 10]).status == 201)
        #expect(try await admin.call("POST", "/consumers/amal/key-auth", ["key": "kept"]).status == 201)
        rig.clock.advance(by: 11)
        #expect(try await admin.call("GET", "/key-auths/k").status == 404)
        #expect(try await admin.call("GET", "/key-auths/\(made["id"]?.string ?? "")").status == 404)
        #expect(try await admin.call("PATCH", "/key-auths/k", ["tags": ["a"]]).status == 404)
        #expect(try await admin.call("GET", "/key-auths")["data"]?.array?.count == 1)
        let again = try await admin.call("POST", "/consumers/amal/key-auth", ["key": "k"])
        #expect(again.status == 201 && again["id"] != made["id"])
        #expect(try await repository.snapshot()["keyauth_credentials"].count == 2)
      }
    }
  }
}
