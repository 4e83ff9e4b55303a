import CCrypto

/// Swift's face of `CCrypto`: bytes in, bytes out, a sentence when it fails.
enum NativeCrypto {
  struct Failure: Error {
    let sentence: String
  }

  typealias Bytes = [UInt8]

  private static func withInput<Result>(_ bytes: Bytes, _ body: (scr_input) throws -> Result) rethrows -> Result {
    try bytes.withUnsafeBytes { try body(scr_input(bytes: $0.baseAddress, length: $0.count)) }
  }

  private static func sentence(_ failure: scr_failure) -> String {
    withUnsafeBytes(of: failure.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  private static func take(_ bytes: inout scr_bytes) -> Bytes {
    defer { scr_release(&bytes) }
    return [UInt8](UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.length))
  }

  private static func made(_ body: (inout scr_bytes, inout scr_failure) -> Bool) throws(Failure) -> Bytes {
    var result = scr_bytes()
    var failure = scr_failure()
    guard body(&result, &failure) else { throw Failure(sentence: sentence(failure)) }
    return take(&result)
  }

  private static func twoMade(
    _ body: (inout scr_bytes, inout scr_bytes, inout scr_failure) -> Bool
  ) throws(Failure) -> (Bytes, Bytes) {
    var first = scr_bytes()
    var second = scr_bytes()
    var failure = scr_failure()
    guard body(&first, &second, &failure) else { throw Failure(sentence: sentence(failure)) }
    return (take(&first), take(&second))
  }

  // MARK: Digests and ciphers

  static func digest(_ algorithm: String, _ data: Bytes) throws(Failure) -> Bytes {
    try made { result, failure in withInput(data) { scr_digest(algorithm, $0, &result, &failure) } }
  }

  static func hmac(_ algorithm: String, key: Bytes, _ data: Bytes) throws(Failure) -> Bytes {
    try made { result, failure in
      withInput(key) { key in withInput(data) { scr_hmac(algorithm, key, $0, &result, &failure) } }
    }
  }

  static func facts(ofCipher algorithm: String) throws(Failure) -> scr_cipher_facts {
    var facts = scr_cipher_facts()
    var failure = scr_failure()
    guard scr_cipher_describe(algorithm, &facts, &failure) else { throw Failure(sentence: sentence(failure)) }
    return facts
  }

  struct CipherInput {
    var algorithm: String
    var encrypts: Bool
    var key: Bytes
    var iv: Bytes
    var data: Bytes
    var hasPadding: Bool
    var additional: Bytes
    var tag: Bytes
  }

  /// The other text, and the tag of a cipher that makes one.
  static func cipher(_ input: CipherInput) throws(Failure) -> (text: Bytes, tag: Bytes) {
    try twoMade { result, tag, failure in
      withInput(input.key) { key in
        withInput(input.iv) { iv in
          withInput(input.data) { data in
            withInput(input.additional) { additional in
              withInput(input.tag) { given in
                scr_cipher(
                  input.algorithm, input.encrypts, key, iv, data, input.hasPadding, additional, given, &result, &tag,
                  &failure)
              }
            }
          }
        }
      }
    }
  }

  struct Derivation: Sendable {
    var kind = ""
    var digest = "SHA256"
    var secret: Bytes = []
    var salt: Bytes = []
    var info: Bytes = []
    var iterations: UInt64 = 1
    var cost: UInt64 = 1
    var blockSize: UInt64 = 8
    var parallelism: UInt64 = 1
    var mode: Int32 = 0
    var length = 32
  }

  /// May take long: not for an event loop.
  static func derive(_ derivation: Derivation) throws(Failure) -> Bytes {
    try made { result, failure in
      withInput(derivation.secret) { secret in
        withInput(derivation.salt) { salt in
          withInput(derivation.info) { info in
            derivation.kind.withCString { kind in
              derivation.digest.withCString { digest in
                var native = scr_derivation(
                  kind: kind, digest: digest, secret: secret, salt: salt, info: info,
                  iterations: derivation.iterations, cost: derivation.cost, block_size: derivation.blockSize,
                  parallelism: derivation.parallelism, mode: derivation.mode, length: derivation.length)
                return scr_derive(&native, &result, &failure)
              }
            }
          }
        }
      }
    }
  }

  // MARK: Keys

  /// A key's two encodings; the private one is empty for a public key.
  typealias KeyPair = (private: Bytes, public: Bytes)

  static func readKey(_ text: Bytes, passphrase: Bytes) throws(Failure) -> KeyPair {
    try twoMade { secret, open, failure in
      withInput(text) { text in withInput(passphrase) { scr_key_read(text, $0, &secret, &open, &failure) } }
    }
  }

  /// Making an RSA key takes long: not for an event loop.
  static func generateKey(_ kind: String, bits: Int32, curve: String) throws(Failure) -> KeyPair {
    try twoMade { secret, open, failure in scr_key_generate(kind, bits, curve, &secret, &open, &failure) }
  }

  static func makeKey(
    _ kind: String, _ parameters: [(name: String, value: Bytes)], isPrivate: Bool
  ) throws(Failure) -> KeyPair {
    let names = parameters.map { Array($0.name.utf8CString) }
    let values = parameters.flatMap(\.value)
    return try twoMade { secret, open, failure in
      values.withUnsafeBytes { values in
        var pointers: [UnsafeMutablePointer<CChar>] = []
        defer { pointers.forEach { $0.deallocate() } }
        var natives: [scr_parameter] = []
        var place = 0
        for (name, parameter) in zip(names, parameters) {
          let pointer = UnsafeMutablePointer<CChar>.allocate(capacity: name.count)
          pointer.initialize(from: name, count: name.count)
          pointers.append(pointer)
          natives.append(
            scr_parameter(
              name: pointer,
              value: scr_input(bytes: values.baseAddress.map { $0 + place }, length: parameter.value.count)))
          place += parameter.value.count
        }
        return scr_key_make(kind, natives, natives.count, isPrivate, &secret, &open, &failure)
      }
    }
  }

  static func pem(ofKey key: Bytes, isPrivate: Bool, isTraditional: Bool) throws(Failure) -> Bytes {
    try made { result, failure in
      withInput(key) { scr_key_pem($0, isPrivate, isTraditional, &result, &failure) }
    }
  }

  static func describe(key: Bytes, isPrivate: Bool) throws(Failure) -> (kind: String, bits: Int, identifier: Int) {
    var kind = [CChar](repeating: 0, count: 32)
    var bits: Int32 = 0
    var identifier: Int32 = 0
    var failure = scr_failure()
    let isDescribed = withInput(key) { scr_key_describe($0, isPrivate, &kind, 32, &bits, &identifier, &failure) }
    guard isDescribed else { throw Failure(sentence: sentence(failure)) }
    let name = String(decoding: kind.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return (name, Int(bits), Int(identifier))
  }

  static func parameter(_ name: String, ofKey key: Bytes, isPrivate: Bool) throws(Failure) -> Bytes {
    try made { result, failure in
      withInput(key) { scr_key_parameter($0, isPrivate, name, &result, &failure) }
    }
  }

  struct SignatureOptions {
    var digest = ""
    var padding: Int32 = 0
    /// -100 for the library's own.
    var saltLength: Int32 = -100
    /// The data is a digest already.
    var isRaw = false
  }

  static func sign(_ data: Bytes, key: Bytes, _ options: SignatureOptions) throws(Failure) -> Bytes {
    try made { result, failure in
      withInput(key) { key in
        withInput(data) {
          scr_key_sign(
            key, options.digest, options.padding, options.saltLength, options.isRaw, $0, &result, &failure)
        }
      }
    }
  }

  static func verify(
    _ signature: Bytes, of data: Bytes, key: Bytes, _ options: SignatureOptions
  ) throws(Failure) -> Bool {
    var isValid = false
    var failure = scr_failure()
    let isKnown = withInput(key) { key in
      withInput(data) { data in
        withInput(signature) {
          scr_key_verify(
            key, options.digest, options.padding, options.saltLength, options.isRaw, data, $0, &isValid, &failure)
        }
      }
    }
    guard isKnown else { throw Failure(sentence: sentence(failure)) }
    return isValid
  }

  static func transform(
    _ data: Bytes, key: Bytes, encrypts: Bool, padding: Int32, digest: String
  ) throws(Failure) -> Bytes {
    try made { result, failure in
      withInput(key) { key in
        withInput(data) { data in
          encrypts
            ? scr_key_encrypt(key, padding, digest, data, &result, &failure)
            : scr_key_decrypt(key, padding, digest, data, &result, &failure)
        }
      }
    }
  }

  static func agree(key: Bytes, peer: Bytes) throws(Failure) -> Bytes {
    try made { result, failure in
      withInput(key) { key in withInput(peer) { scr_key_agree(key, $0, &result, &failure) } }
    }
  }

  // MARK: Certificates

  /// The certificates of a text, each after its length in four bytes.
  static func certificateList(_ text: Bytes) throws(Failure) -> Bytes {
    try made { result, failure in withInput(text) { scr_certificates_read($0, &result, &failure) } }
  }

  static func split(_ list: Bytes) -> [Bytes] {
    var found: [Bytes] = []
    var place = 0
    while place + 4 <= list.count {
      let length = list[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      place += 4
      guard length <= list.count - place else { break }
      found.append(Array(list[place..<place + length]))
      place += length
    }
    return found
  }

  static func joined(_ certificates: [Bytes]) -> Bytes {
    certificates.flatMap { certificate in
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: certificate.count >> $0) } + certificate
    }
  }

  static func pem(ofCertificate certificate: Bytes) throws(Failure) -> Bytes {
    try made { result, failure in withInput(certificate) { scr_certificate_pem($0, &result, &failure) } }
  }

  static func field(_ name: String, ofCertificate certificate: Bytes) throws(Failure) -> Bytes {
    try made { result, failure in withInput(certificate) { scr_certificate_field($0, name, &result, &failure) } }
  }

  /// Texts that end with the byte 0.
  static func nameParts(ofCertificate certificate: Bytes, isIssuer: Bool) throws(Failure) -> [Bytes] {
    terminated(
      try made { result, failure in withInput(certificate) { scr_certificate_name($0, isIssuer, &result, &failure) } })
  }

  static func alternatives(ofCertificate certificate: Bytes) throws(Failure) -> [Bytes] {
    terminated(
      try made { result, failure in withInput(certificate) { scr_certificate_alternatives($0, &result, &failure) } })
  }

  private static func terminated(_ bytes: Bytes) -> [Bytes] {
    var texts = bytes.split(separator: 0, omittingEmptySubsequences: false).map { Bytes($0) }
    if !texts.isEmpty { texts.removeLast() }
    return texts
  }

  struct Extension {
    var name: Bytes
    var text: Bytes
    var isCritical: Bool
  }

  /// Nil if there is none of that name or place.
  static func certificateExtension(
    _ certificate: Bytes, name: String?, place: Int32
  ) throws(Failure) -> Extension? {
    var isCritical = false
    let (text, shortName) = try twoMade { text, shortName, failure in
      withInput(certificate) { certificate in
        if let name {
          return scr_certificate_extension(certificate, name, 0, &isCritical, &text, &shortName, &failure)
        }
        return scr_certificate_extension(certificate, nil, place, &isCritical, &text, &shortName, &failure)
      }
    }
    return shortName.isEmpty ? nil : Extension(name: shortName, text: text, isCritical: isCritical)
  }

  static func matches(_ certificate: Bytes, host: String, isAddress: Bool) throws(Failure) -> Bool {
    try answer { result, failure in
      withInput(certificate) { scr_certificate_matches_host($0, host, isAddress, &result, &failure) }
    }
  }

  static func isSigned(_ certificate: Bytes, by publicKey: Bytes) throws(Failure) -> Bool {
    try answer { result, failure in
      withInput(certificate) { certificate in
        withInput(publicKey) { scr_certificate_signed_by(certificate, $0, &result, &failure) }
      }
    }
  }

  private static func answer(_ body: (inout Bool, inout scr_failure) -> Bool) throws(Failure) -> Bool {
    var result = false
    var failure = scr_failure()
    guard body(&result, &failure) else { throw Failure(sentence: sentence(failure)) }
    return result
  }

  /// Nil if the certificate is trusted, else why it is not.
  static func distrust(
    _ certificate: Bytes, trusted: [Bytes], usesSystemRoots: Bool, chain: [Bytes]
  ) throws(Failure) -> String? {
    var isValid = false
    var failure = scr_failure()
    let isKnown = withInput(certificate) { certificate in
      withInput(joined(trusted)) { trusted in
        withInput(joined(chain)) {
          scr_certificate_verify(certificate, trusted, usesSystemRoots, $0, &isValid, &failure)
        }
      }
    }
    guard isKnown else { throw Failure(sentence: sentence(failure)) }
    return isValid ? nil : sentence(failure)
  }
}
