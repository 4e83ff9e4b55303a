import Crypto
import EntityModel
import Testing
import _CryptoExtras

@testable import BundledPlugins

/// The published examples, written out from the specifications.
@Suite("openid-connect: signed tokens")
struct SignedTokenTests {
  // MARK: RFC 7515 appendix A

  private static let payload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

  private static let hs256 =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + payload + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

  private static let hs256Key: [UInt8] = Base64URL.decoded(
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow") ?? []

  private static let rs256 =
    "eyJhbGciOiJSUzI1NiJ9." + payload + "."
    + "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9C"
    + "UAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6"
    + "_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0"
    + "igcN_IoypGlUPQGe77Rw"

  private static let rsaKey: JSONValue = [
    "kty": "RSA",
    "n": .string(
      "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ"
        + "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTB"
        + "EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91"
        + "kzk2PAcDTW9gb54h4FRWyuXpoQ"),
    "e": "AQAB",
  ]

  private static let es256 =
    "eyJhbGciOiJFUzI1NiJ9." + payload + "."
    + "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

  private static let ecKey: JSONValue = [
    "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
  ]

  /// RFC 7520 §4.1 to §4.4 share this payload.
  private static let cookbookPayload =
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgY"
    + "W5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZi"
    + "B0by4"

  private func token(_ text: String) throws -> SignedToken { try #require(SignedToken(text)) }

  @Test("the RS256 and ES256 examples of RFC 7515 verify with their keys, and with no other")
  func published() throws {
    let rsa = try #require(KeySet(["keys": [Self.rsaKey]]))
    let ec = try #require(KeySet(["keys": [Self.ecKey]]))
    let first = try token(Self.rs256)
    #expect(first.algorithm == .rs256)
    #expect(first.claims["iss"] == "joe")
    #expect(rsa.signer(of: first) != nil)
    #expect(ec.signer(of: first) == nil)
    let second = try token(Self.es256)
    #expect(ec.signer(of: second) != nil)
    #expect(rsa.signer(of: second) == nil)
  }

  @Test("the HS256 example of RFC 7515 verifies")
  func sharedSecret() throws {
    let token = try token(Self.hs256)
    let code = Array(HMAC<SHA256>.authenticationCode(for: token.signedBytes, using: SymmetricKey(data: Self.hs256Key)))
    #expect(code == token.signature)
  }

  @Test("the Ed25519 example of RFC 8037 verifies")
  func edwards() throws {
    let key: JSONValue = ["kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"]
    let verifier = try #require(VerificationKey(key))
    let signed = Array("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".utf8)
    let signature = try #require(
      Base64URL.decoded("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"))
    #expect(verifier.isValid(signature, over: signed, by: .edDSA))
    #expect(!verifier.isValid(signature, over: signed + [0], by: .edDSA))
  }

  @Test("the HS256 example of RFC 7520 verifies; its payload is no JSON, so it is no token of ours")
  func cookbook() throws {
    #expect(SignedToken("eyJhbGciOiJIUzI1NiJ9." + Self.cookbookPayload + ".AAAA") == nil)
    let text = try #require(Base64URL.decoded(Self.cookbookPayload))
    #expect(String(decoding: text, as: UTF8.self).hasPrefix("It\u{2019}s a dangerous business, Frodo"))
    // RFC 7520 §4.4.2: HS256 with the key of §3.5.
    let key = try #require(Base64URL.decoded("hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"))
    let header = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9."
    let signed = header + Self.cookbookPayload
    let code = HMAC<SHA256>.authenticationCode(for: Array(signed.utf8), using: SymmetricKey(data: key))
    #expect(Base64URL.encoded(Array(code)) == "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0")
  }

  // MARK: Every algorithm, with keys made here

  @Test(
    "what an algorithm signs its own key verifies, and one changed byte is noticed",
    arguments: SignatureAlgorithm.allCases.filter { $0.family != .hmac })
  func everyAlgorithm(_ algorithm: SignatureAlgorithm) throws {
    let (privateKey, publicKey) = try TestKey.pair(for: algorithm, id: "k")
    let signer = try #require(SigningKey(privateKey, algorithm: algorithm))
    let text = try #require(
      TokenSigning.token(claims: ["sub": "alice"], algorithm: algorithm, keyID: "k") { try signer.signature(over: $0) })
    let keys = try #require(KeySet(["keys": [publicKey]]))
    let token = try token(text)
    #expect(keys.signer(of: token) != nil)
    var parts = text.split(separator: ".").map(String.init)
    parts[1] = Base64URL.encoded(Array(#"{"sub":"mallory"}"#.utf8))
    #expect(keys.signer(of: try self.token(parts.joined(separator: "."))) == nil)
    #expect(keys.signer(of: try self.token(text.split(separator: ".").prefix(2).joined(separator: ".") + ".")) == nil)
  }

  @Test("shared secrets sign and verify only with algorithms of shared secrets", arguments: SignatureAlgorithm.allCases)
  func secrets(_ algorithm: SignatureAlgorithm) throws {
    let secret = try #require(SharedSecret("a secret"))
    let signature = secret.signature(over: [1, 2, 3], by: algorithm)
    #expect((signature != nil) == (algorithm.family == .hmac))
    if let signature {
      #expect(secret.isValid(signature, over: [1, 2, 3], by: algorithm))
      #expect(!secret.isValid(signature, over: [1, 2, 4], by: algorithm))
    }
    #expect(SharedSecret("") == nil)
  }

  // MARK: Attacks

  @Test("no key set verifies a token of algorithm none, nor one signed with the text of a public key")
  func confusion() throws {
    let keys = try #require(KeySet(["keys": [Self.rsaKey, Self.ecKey, ["kty": "oct", "k": "c2VjcmV0", "kid": "o"]]]))
    #expect(keys.keys.count == 2)
    for name in ["none", "None", "nOnE", ""] {
      let header = Base64URL.encoded(JSONValue.object(["alg": .string(name)]).serialized())
      let unsigned = try token(header + "." + Self.payload + ".")
      #expect(unsigned.algorithm == nil)
      #expect(keys.signer(of: unsigned) == nil)
    }
    let modulus = try #require(Self.rsaKey["n"]?.string)
    let secret = try #require(SharedSecret(modulus))
    let forged = try #require(
      TokenSigning.token(claims: ["iss": "joe"], algorithm: .hs256, keyID: nil) {
        secret.signature(over: $0, by: .hs256)
      })
    #expect(keys.signer(of: try token(forged)) == nil)
  }

  @Test("a key is used for its own algorithm, use and curve only")
  func keyRestrictions() throws {
    func with(_ changes: [String: JSONValue]) -> JSONValue {
      .object((Self.rsaKey.object ?? [:]).merging(changes) { _, new in new })
    }
    let token = try token(Self.rs256)
    #expect(try #require(VerificationKey(with(["alg": "RS256", "use": "sig"]))).fits(.rs256))
    #expect(try #require(VerificationKey(with(["alg": "PS256"]))).fits(.rs256) == false)
    for changes: [String: JSONValue] in [
      ["use": "enc"], ["key_ops": ["encrypt"]], ["alg": "RSA-OAEP"], ["n": "AQAB"], ["n": "not base64!"], ["e": ""],
      ["n": 5], ["kty": "oct"], ["kty": .null], ["e": .string(String(repeating: "A", count: 4000))],
    ] {
      #expect(VerificationKey(with(changes)) == nil)
    }
    #expect(VerificationKey(["kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"]) == nil)
    let other = try #require(KeySet(["keys": [with(["kid": "one"])]]))
    #expect(other.signer(of: token) != nil)
    let critical = Base64URL.encoded(Array(#"{"alg":"RS256","crit":["exp"],"exp":1}"#.utf8))
    #expect(other.signer(of: try self.token(critical + "." + Self.payload + ".AAAA")) == nil)
  }

  @Test(
    "what is no signed token is told from one",
    arguments: [
      "", ".", "..", "a.b", "a.b.c", "e30.e30", "e30.e30.e30.e30", "e30.e30.=", "e30.W10.", "W10.e30.", "e30.e30.A",
      "e31.e30.", "opaque-token", "e30.e30.e30.e30.e30",
    ])
  func malformed(_ text: String) {
    #expect(SignedToken(text) == nil)
  }

  @Test("tokens and nesting are bounded")
  func bounds() {
    #expect(SignedToken(String(repeating: "a", count: 70_000)) == nil)
    let deep = Base64URL.encoded(Array((String(repeating: "[", count: 40_000)).utf8))
    #expect(SignedToken("e30." + deep + ".") == nil)
    let many = JSONValue.object(["keys": .array(Array(repeating: Self.ecKey, count: 1000))])
    #expect(KeySet(many)?.keys.count == KeySet.maximumCount)
    for document: JSONValue in [[], "keys", ["keys": 1], ["keys": ["a": 1]], .null] { #expect(KeySet(document) == nil) }
    #expect(KeySet(["keys": [1, "a", [], .null, ["kty": 1]]])?.keys.isEmpty == true)
  }

  @Test("base64url is read strictly")
  func encoding() {
    #expect(Base64URL.decoded("-_8") == [0xFB, 0xFF])
    #expect(Base64URL.encoded([0xFB, 0xFF]) == "-_8")
    for text in ["-_9", "+/8", "-_8=", "A", "A A", "é"] { #expect(Base64URL.decoded(text) == nil) }
    for count in 0..<10 {
      let bytes = (0..<count).map { UInt8($0 * 37 & 255) }
      #expect(Base64URL.decoded(Base64URL.encoded(bytes)) == bytes)
    }
  }

  @Test(
    "each element of a requirement is all of its words, one element is enough",
    arguments: [
      (["a b"], ["a", "b", "c"], true), (["a b"], ["a"], false), (["a b", "c"], ["c"], true), (["a"], [], false),
      ([" "], ["a"], false),
    ])
  func requirement(_ required: [String], _ words: [String], _ expected: Bool) throws {
    #expect(try #require(ClaimRequirement(path: ["scope"], required: required)).isMet(by: words) == expected)
    #expect(ClaimRequirement(path: ["scope"], required: []) == nil)
  }

  @Test("claims are found by paths and split into words")
  func claims() {
    let claims = Claims([
      "scope": "a  b", "realm": ["access": ["roles": ["x", 1, true, .null, []]]], "n": 5, "gone": .null,
    ])
    #expect(claims.words(at: ["scope"]) == ["a", "b"])
    #expect(claims.words(at: ["realm", "access", "roles"]) == ["x", "1", "true"])
    #expect(claims.words(at: ["n"]) == ["5"])
    #expect(claims.words(at: ["gone"]).isEmpty && claims.text(at: ["gone"]) == nil)
    #expect(claims.text(at: ["realm", "access"]) == nil)
  }
}

/// Keys of the tests, as JSON Web Keys.
enum TestKey {
  /// A private key and its public half.
  static func pair(for algorithm: SignatureAlgorithm, id: String) throws -> (JSONValue, JSONValue) {
    var members: [String: JSONValue] = ["kid": .string(id)]
    func set(_ name: String, _ bytes: some Sequence<UInt8>) { members[name] = .string(Base64URL.encoded(bytes)) }
    func curve(_ name: String, _ point: some Sequence<UInt8>, _ scalar: some Sequence<UInt8>) {
      let point = Array(point)
      members["kty"] = "EC"
      members["crv"] = .string(name)
      set("x", point.prefix(point.count / 2))
      set("y", point.suffix(point.count / 2))
      set("d", scalar)
    }
    switch algorithm {
    case .es256:
      let key = P256.Signing.PrivateKey()
      curve("P-256", key.publicKey.rawRepresentation, key.rawRepresentation)
    case .es384:
      let key = P384.Signing.PrivateKey()
      curve("P-384", key.publicKey.rawRepresentation, key.rawRepresentation)
    case .es512:
      let key = P521.Signing.PrivateKey()
      curve("P-521", key.publicKey.rawRepresentation, key.rawRepresentation)
    case .edDSA:
      let key = Curve25519.Signing.PrivateKey()
      members["kty"] = "OKP"
      members["crv"] = "Ed25519"
      set("x", key.publicKey.rawRepresentation)
      set("d", key.rawRepresentation)
    default:
      members.merge(rsa) { own, _ in own }
    }
    var publicMembers = members
    for name in ["d", "p", "q"] { publicMembers[name] = nil }
    return (.object(members), .object(publicMembers))
  }

  /// The key of RFC 7515 appendix A.2.
  private static let rsa: [String: JSONValue] = [
    "kty": "RSA", "e": "AQAB",
    "n": .string(
      "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ"
        + "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTB"
        + "EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91"
        + "kzk2PAcDTW9gb54h4FRWyuXpoQ"),
    "d": .string(
      "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO"
        + "-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0Z"
        + "HHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWS"
        + "eWjnczT0QU91p1DhOVRuOopznQ"),
    "p": .string(
      "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2"
        + "KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc"),
    "q": .string(
      "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_"
        + "HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc"),
  ]
}
