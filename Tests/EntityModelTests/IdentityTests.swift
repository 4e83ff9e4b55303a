import Testing

@testable import EntityModel

@Suite("Ids and hashes")
struct IdentityTests {
  @Test("random ids are version 4 and differ")
  func random() {
    let ids = Set((0..<100).map { _ in UUIDText.random() })
    #expect(ids.count == 100)
    for id in ids {
      let characters = Array(id)
      #expect(UUIDText.isUUID(id) && characters[14] == "4" && "89ab".contains(characters[19]))
    }
  }

  @Test("the form of a UUID is 36 characters, in either case")
  func form() {
    #expect(UUIDText.isUUID("11111111-ABCD-4111-8111-111111111111"))
    #expect(UUIDText.isUUID("00000000-0000-0000-0000-000000000000"))
    #expect(!UUIDText.isUUID("11111111-abcd-4111-8111-11111111111"))
    #expect(!UUIDText.isUUID("11111111xabcd-4111-8111-111111111111"))
    #expect(!UUIDText.isUUID("g1111111-abcd-4111-8111-111111111111"))
  }

  @Test("version 5 ids follow the RFC")
  func version5() {
    // The name www.example.com in the name space of domain names, RFC 9562 appendix A.4.
    let id = DeterministicID.uuid5(namespace: "6ba7b810-9dad-11d1-80b4-00c04fd430c8", name: "www.example.com")
    #expect(id == "2ed6657d-e927-568b-95e1-2665a8aea6a2")
    #expect(DeterministicID.uuid5(namespace: "none", name: "x") == nil)
  }

  @Test("an entity of a file has the same id wherever the file is read")
  func deterministic() {
    let first = DeterministicID.id(of: ["name": "a"], in: .services)
    #expect(first == DeterministicID.id(of: ["name": "a", "host": "b"], in: .services))
    #expect(first != DeterministicID.id(of: ["name": "a"], in: .routes))
    #expect(DeterministicID.id(of: ["host": "b"], in: .services) == nil)
    let plugin = DeterministicID.id(of: ["name": "acl"], in: .plugins)
    #expect(plugin != nil)
    #expect(plugin != DeterministicID.id(of: ["name": "acl", "route": ["id": "1"]], in: .plugins))
    #expect(DeterministicID.id(of: ["name": "acl", "instance_name": "x"], in: .plugins) != plugin)
    let target = DeterministicID.id(of: ["target": "a:80", "upstream": ["id": "1"]], in: .targets)
    let sibling = DeterministicID.id(of: ["target": "a:80", "upstream": ["id": "2"]], in: .targets)
    #expect(target != nil && target != sibling)
    #expect(DeterministicID.id(of: ["target": "a:80"], in: .targets) == nil)
    #expect(DeterministicID.id(of: ["group": "a"], in: .acls) == nil)
  }

  @Test("the canonical text is hashed with MD5")
  func canonicalText() {
    #expect(ConfigHash.md5(of: "abc") == "900150983cd24fb0d6963f7d28e17f72")
    #expect(ConfigHash.md5(ofText: "abc".utf8) == "900150983cd24fb0d6963f7d28e17f72")
    // a:1;b:/null/;c:x;true;
    #expect(ConfigHash.md5(of: ["c": ["x", true], "a": 1, "b": nil]) == ConfigHash.md5(of: "a:1;b:/null/;c:x;true;"))
    #expect(ConfigHash.md5(of: []) == ConfigHash.md5(of: "{}"))
    #expect(ConfigHash.md5(of: [1, 2, 3, 4, 5]) == ConfigHash.md5(of: "1;2;3;4;5"))
    #expect(ConfigHash.md5(of: [1, 2, 3, 4, 5, 6]) == ConfigHash.md5(of: "1;2;3;4;5;6;"))
    #expect(ConfigHash.md5(of: 0.5) == ConfigHash.md5(of: "0.5"))
  }

  @Test("a configuration has a hash for each part, and zeros for a part that is not there")
  func parts() {
    let empty = ConfigHash.hash(of: [:])
    #expect(empty.parts["routes"] == ConfigSnapshot.emptyHash)
    let base = ConfigHash.hash(of: ["services": [["id": "1", "name": "a"]], "consumers": [["id": "2"]]])
    #expect(base.hash.utf8.count == 32 && base.parts["config"] == base.hash && base.hash != empty.hash)
    let other = ConfigHash.hash(of: ["services": [["id": "1", "name": "a"]], "consumers": [["id": "3"]]])
    #expect(other.parts["services"] == base.parts["services"] && other.hash != base.hash)
    #expect(Set(base.parts.keys) == ["config", "routes", "services", "plugins", "upstreams", "targets"])
  }

  @Test("a large configuration is hashed in bounded space and still depends on all of it")
  func folding() {
    func entities(_ last: String) -> [String: [EntityFields]] {
      let text = JSONValue.string(String(repeating: "x", count: 500))
      let bulk: [EntityFields] = (0..<3000).map { ["id": .string("\($0)"), "schema": text] }
      return ["custom_plugins": bulk + [["id": .string(last)]]]
    }
    #expect(ConfigHash.hash(of: entities("a")).hash == ConfigHash.hash(of: entities("a")).hash)
    #expect(ConfigHash.hash(of: entities("a")).hash != ConfigHash.hash(of: entities("b")).hash)
  }
}
