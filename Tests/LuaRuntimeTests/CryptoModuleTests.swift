import PluginKit
import Testing

@testable import LuaRuntime

/// `resty.openssl` and the modules beside it.
struct CryptoModuleTests {
  @Test("digests and codes have their known values")
  func digests() throws {
    #expect(
      try LuaFixture().answers(
        """
        local hex = require("resty.string").to_hex
        local d = require("resty.openssl.digest").new("sha256") d:update("a", "bc")
        local h = require("resty.openssl.hmac").new("Jefe", "sha256") h:update("what do ya want for nothing?")
        answer(hex(d:final()), hex(h:final()), (require("resty.openssl.digest").new("nonsense")))
        """) == [
          "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
          "\"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\"", "nil",
        ])
  }

  @Test("ciphers encrypt and decrypt, and a changed text of an AEAD cipher is refused")
  func ciphers() throws {
    #expect(
      try LuaFixture().answers(
        """
        local cipher = require "resty.openssl.cipher"
        local key, iv = ("k"):rep(32), ("i"):rep(16)
        local c = cipher.new("aes-256-cbc")
        local sealed = c:encrypt(key, iv, "secret")
        local g = cipher.new("aes-256-gcm")
        local text = g:encrypt(key, ("n"):rep(12), "secret", nil, "more")
        local tag = g:get_aead_tag()
        answer(c:decrypt(key, iv, sealed), #sealed, g:decrypt(key, ("n"):rep(12), text, nil, "more", tag),
          (g:decrypt(key, ("n"):rep(12), text, nil, "other", tag)), (cipher.new("none")), (c:encrypt("short", iv, "x")),
          require("resty.aes"):new(("k"):rep(16), nil, require("resty.aes").cipher(128, "cbc"), {iv = iv}):encrypt("x") ~= nil)
        """) == ["\"secret\"", "16", "\"secret\"", "nil", "nil", "nil", "true"])
  }

  @Test("keys are made, written, read, and sign")
  func keys() throws {
    #expect(
      try LuaFixture().answers(
        """
        local pkey = require "resty.openssl.pkey"
        local ec = pkey.new {type = "EC", curve = "prime256v1"}
        local signature = ec:sign("text", "sha256", nil, {ecdsa_use_raw = true})
        local public = pkey.new(ec:to_PEM("public"))
        local again = pkey.new(ec:tostring("private", "JWK"), {format = "JWK"})
        local ed = pkey.new {type = "Ed25519"}
        answer(#signature, public:verify(signature, "text", "sha256", nil, {ecdsa_use_raw = true}),
          public:verify(signature, "other", "sha256", nil, {ecdsa_use_raw = true}), public:is_private(),
          again:to_PEM("private") == ec:to_PEM("private"), ed:verify(ed:sign("x"), "x"), (pkey.new("nonsense")),
          (public:sign("x")), ec:get_key_type().sn, ec.__kind, ec.__index)
        """) == ["64", "true", "false", "false", "true", "true", "nil", "nil", "\"EC\"", "nil", "nil"])
  }

  @Test("tokens are signed and verified, and a key of another kind is not taken for a secret")
  func tokens() throws {
    #expect(
      try LuaFixture().answers(
        """
        local jwt = require "resty.jwt"
        local token = jwt:sign("secret", {header = {typ = "JWT", alg = "HS256"}, payload = {sub = "alice", exp = ngx.time() + 60}})
        local good, bad = jwt:verify("secret", token), jwt:verify("other", token)
        local old = jwt:verify("secret", jwt:sign("secret", {header = {alg = "HS256"}, payload = {exp = 1}}))
        local key = require("resty.openssl.pkey").new {type = "EC"}
        local es = jwt:sign(key:to_PEM("private"), {header = {alg = "ES256"}, payload = {a = 1}})
        answer(good.verified, good.payload.sub, bad.verified, old.verified, jwt:verify(key:to_PEM("public"), es).verified,
          jwt:verify("secret", "a.b").reason)
        """) == ["true", "\"alice\"", "false", "false", "true", "\"invalid jwt string\""])
  }

  @Test("a certificate tells its fields")
  func certificate() throws {
    let fixture = LuaFixture()
    #expect(
      try fixture.answers(
        """
        local x509 = require "resty.openssl.x509"
        local c = x509.new(conf.pem)
        local subject = c:get_subject_name()
        local store = require("resty.openssl.x509.store").new()
        local before, failure = store:verify(c)
        store:add(c)
        answer(c:get_version(), subject:find("CN").blob, c:get_not_after() > c:get_not_before(), before, failure ~= nil,
          store:verify(c), c:verify(c:get_pubkey()), c:get_subject_alt_name():tostring(), (x509.new("x")),
          c:get_basic_constraints("ca"))
        """, config: ["pem": .string(TestCertificate.pem)]) == [
          "3", "\"sluice.test\"", "true", "nil", "true", "true", "true", "\"DNS:sluice.test/IP:127.0.0.1\"", "nil",
          "true",
        ])
  }

  @Test("derivation happens off the event loop, and a too costly one is refused")
  func derivation() async throws {
    #expect(
      try LuaFixture().answers(
        """
        local kdf = require "resty.openssl.kdf"
        answer(select(2, kdf.derive {type = kdf.PBKDF2, outlen = 20, pass = "p", salt = "s", pbkdf2_iter = 1e9}))
        """) == ["\"this derivation would cost too much\""])
    var derivation = NativeCrypto.Derivation()
    derivation.kind = "PBKDF2"
    derivation.digest = "SHA1"
    derivation.secret = Array("password".utf8)
    derivation.salt = Array("salt".utf8)
    derivation.iterations = 2
    derivation.length = 20
    // RFC 6070, second case.
    #expect(
      String(decoding: TextTools.hexadecimal(try NativeCrypto.derive(derivation)), as: UTF8.self)
        == "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957")
  }
}

enum TestCertificate {
  static let pem = """
    -----BEGIN CERTIFICATE-----
    MIIBxDCCAWmgAwIBAgIUS2d0Sg82vkrRaUPzyPmwEMVnYPcwCgYIKoZIzj0EAwIw
    JzEPMA0GA1UECgwGU2x1aWNlMRQwEgYDVQQDDAtzbHVpY2UudGVzdDAgFw0yNjEx
    MjMwMTE3MTNaGA8yMTI2MTAzMDAxMTcxM1owJzEPMA0GA1UECgwGU2x1aWNlMRQw
    EgYDVQQDDAtzbHVpY2UudGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABC7X
    7Bq2hDUvXgapVtLEWG3BgaxSALQP5xmA9d3u16qxQF7DlOe+vHkuyDUUWIobpKcA
    iX+LUqY1eBDXUQB0LvujcTBvMB0GA1UdDgQWBBTf7gZmimQCsAqnoqXA3UEFlJUc
    wDAfBgNVHSMEGDAWgBTf7gZmimQCsAqnoqXA3UEFlJUcwDAPBgNVHRMBAf8EBTAD
    AQH/MBwGA1UdEQQVMBOCC3NsdWljZS50ZXN0hwR/AAABMAoGCCqGSM49BAMCA0kA
    MEYCIQD6o4PRtEoRgrn7GFdLRFGXtSsZ4iOwqxYShEANaRx9PgIhAKVXArmDKajR
    LcBwPs+R70FtCGG2jpWEXp5hQmpJqKGv
    -----END CERTIFICATE-----
    """
  static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAfKzw5HDDVzvsLAR
    ckLxtvXe16genJ3HEYE/OZBBhCahRANCAAQu1+watoQ1L14GqVbSxFhtwYGsUgC0
    D+cZgPXd7teqsUBew5Tnvrx5Lsg1FFiKG6SnAIl/i1KmNXgQ11EAdC77
    -----END PRIVATE KEY-----
    """
}
