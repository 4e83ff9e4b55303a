import EntityModel
import NIOCore
import NIOPosix
import PluginKit

/// What the `resty.*` modules of cryptography are made of. Source: Kong fact, pdk §8.
///
/// Keys and certificates are bytes that the module's objects hold; nothing of a library is kept between calls.
enum CryptoNamespace {
  /// Bits of the largest RSA key that is made.
  private static let largestKey = 4096
  /// The most that one derivation may cost; about a second.
  private static let derivationLimit: UInt64 = 4_000_000
  private static let memoryLimit: UInt64 = 32 << 20

  static let functions: [PDKFunction] = digests + keys + certificates

  private static let digests: [PDKFunction] = [
    attempt("crypto.digest") { (call) throws(NativeCrypto.Failure) in
      call.returns(try NativeCrypto.digest(text(call, 0), bytes(call, 1)))
    },
    attempt("crypto.hmac") { (call) throws(NativeCrypto.Failure) in
      call.returns(try NativeCrypto.hmac(text(call, 0), key: bytes(call, 1), bytes(call, 2)))
    },
    attempt("crypto.cipher_facts") { (call) throws(NativeCrypto.Failure) in
      let facts = try NativeCrypto.facts(ofCipher: text(call, 0))
      call.returns(Int(facts.key_length))
      call.returns(Int(facts.iv_length))
      call.returns(Int(facts.block_size))
      call.returns(facts.is_aead)
    },
    // name, encrypts, key, iv, data, no_padding, additional, tag
    attempt("crypto.cipher") { (call) throws(NativeCrypto.Failure) in
      let made = try NativeCrypto.cipher(
        NativeCrypto.CipherInput(
          algorithm: text(call, 0), encrypts: call.isTruthy(1), key: bytes(call, 2), iv: bytes(call, 3),
          data: bytes(call, 4), hasPadding: !call.isTruthy(5), additional: bytes(call, 6), tag: bytes(call, 7)))
      call.returns(made.text)
      if !made.tag.isEmpty { call.returns(made.tag) }
    },
    .controlling(
      "crypto.derive", .any, level: .internal, arguments: "options", wants: .tables, "Derives a key, off the loop.",
      { (call) throws(LuaFault) in
        let options = call.value(0)
        func number(_ key: String, _ fallback: UInt64) -> UInt64 {
          guard case .number(let number) = options[key] else { return fallback }
          return UInt64(exactly: number.rounded()) ?? 0
        }
        var derivation = NativeCrypto.Derivation()
        derivation.kind = options["kind"].text ?? ""
        derivation.digest = options["digest"].text ?? "SHA256"
        derivation.secret = options["secret"].scalarBytes ?? []
        derivation.salt = options["salt"].scalarBytes ?? []
        derivation.info = options["info"].scalarBytes ?? []
        derivation.iterations = number("iterations", 1)
        derivation.cost = number("cost", 1)
        derivation.blockSize = number("block_size", 8)
        derivation.parallelism = number("parallelism", 1)
        derivation.mode = Int32(min(number("mode", 0), 2))
        derivation.length = Int(min(number("length", 32), 65536))
        let memory = derivation.cost.multipliedReportingOverflow(by: derivation.blockSize)
        let work = memory.partialValue.multipliedReportingOverflow(by: derivation.parallelism)
        guard derivation.iterations <= derivationLimit, !memory.overflow, !work.overflow,
          memory.partialValue <= memoryLimit / 128, work.partialValue <= derivationLimit
        else {
          call.returnsFailure("this derivation would cost too much")
          return .returned
        }
        let job = derivation
        return .wait(offLoop({ try? NativeCrypto.derive(job) }) { call, result in
          if let result { call.returns(result) } else { call.returnsFailure("key derivation failed") }
        })
      }),
  ]

  private static let keys: [PDKFunction] = [
    attempt("crypto.key_read") { (call) throws(NativeCrypto.Failure) in
      let pair = try NativeCrypto.readKey(bytes(call, 0), passphrase: bytes(call, 1))
      call.returns(pair.private)
      call.returns(pair.public)
    },
    .controlling(
      "crypto.key_generate", .any, level: .internal, arguments: "kind, bits, curve", "Makes a key; RSA off the loop.",
      { (call) throws(LuaFault) in
        let kind = text(call, 0)
        let curve = text(call, 2)
        guard let bits = call.number(1).flatMap({ Int32(exactly: $0) }), kind != "RSA" || (1024...4096).contains(bits)
        else {
          call.returnsFailure("RSA keys have 1024 to \(largestKey) bits here")
          return .returned
        }
        @Sendable func make() -> Result<[[UInt8]], NativeCrypto.Failure> {
          do throws(NativeCrypto.Failure) {
            let pair = try NativeCrypto.generateKey(kind, bits: bits, curve: curve)
            return .success([pair.private, pair.public])
          } catch {
            return .failure(error)
          }
        }
        @Sendable func give(_ call: LuaCall, _ result: Result<[[UInt8]], NativeCrypto.Failure>?) {
          switch result {
          case .success(let pair):
            call.returns(pair[0])
            call.returns(pair[1])
          case .failure(let failure): call.returnsFailure(failure.sentence)
          case nil: call.returnsFailure("no thread to make the key on")
          }
        }
        if kind == "RSA" { return .wait(offLoop(make, then: give)) }
        give(call, make())
        return .returned
      }),
    // kind, {name = bytes}, is_private
    attempt("crypto.key_make", wants: .tables) { (call) throws(NativeCrypto.Failure) in
      var parameters: [(name: String, value: [UInt8])] = []
      if case .table(let items, _) = call.value(1) {
        for item in items {
          guard let name = item.key.text, let value = item.value.scalarBytes else { continue }
          parameters.append((name, value))
        }
      }
      let pair = try NativeCrypto.makeKey(text(call, 0), parameters, isPrivate: call.isTruthy(2))
      call.returns(pair.private)
      call.returns(pair.public)
    },
    attempt("crypto.key_pem") { (call) throws(NativeCrypto.Failure) in
      call.returns(
        try NativeCrypto.pem(ofKey: bytes(call, 0), isPrivate: call.isTruthy(1), isTraditional: call.isTruthy(2)))
    },
    attempt("crypto.key_facts") { (call) throws(NativeCrypto.Failure) in
      let facts = try NativeCrypto.describe(key: bytes(call, 0), isPrivate: call.isTruthy(1))
      call.returns(facts.kind)
      call.returns(facts.bits)
      call.returns(facts.identifier)
    },
    attempt("crypto.key_parameter") { (call) throws(NativeCrypto.Failure) in
      call.returns(
        try NativeCrypto.parameter(text(call, 2), ofKey: bytes(call, 0), isPrivate: call.isTruthy(1)))
    },
    // key, data, digest, padding, salt_length, is_raw
    attempt("crypto.sign") { (call) throws(NativeCrypto.Failure) in
      call.returns(try NativeCrypto.sign(bytes(call, 1), key: bytes(call, 0), signatureOptions(call, from: 2)))
    },
    // key, signature, data, digest, padding, salt_length, is_raw
    attempt("crypto.verify") { (call) throws(NativeCrypto.Failure) in
      call.returns(
        try NativeCrypto.verify(
          bytes(call, 1), of: bytes(call, 2), key: bytes(call, 0), signatureOptions(call, from: 3)))
    },
    // key, encrypts, data, padding, digest
    attempt("crypto.transform") { (call) throws(NativeCrypto.Failure) in
      call.returns(
        try NativeCrypto.transform(
          bytes(call, 2), key: bytes(call, 0), encrypts: call.isTruthy(1), padding: integer(call, 3, 0),
          digest: text(call, 4)))
    },
    attempt("crypto.agree") { (call) throws(NativeCrypto.Failure) in
      call.returns(try NativeCrypto.agree(key: bytes(call, 0), peer: bytes(call, 1)))
    },
  ]

  private static let certificates: [PDKFunction] = [
    attempt("crypto.certificates") { (call) throws(NativeCrypto.Failure) in
      let certificates = NativeCrypto.split(try NativeCrypto.certificateList(bytes(call, 0)))
      call.beginList(certificates.count)
      for certificate in certificates { call.returns(certificate) }
    },
    attempt("crypto.certificate_pem") { (call) throws(NativeCrypto.Failure) in
      call.returns(try NativeCrypto.pem(ofCertificate: bytes(call, 0)))
    },
    attempt("crypto.certificate_field") { (call) throws(NativeCrypto.Failure) in
      call.returns(try NativeCrypto.field(text(call, 1), ofCertificate: bytes(call, 0)))
    },
    attempt("crypto.certificate_name") { (call) throws(NativeCrypto.Failure) in
      list(call, try NativeCrypto.nameParts(ofCertificate: bytes(call, 0), isIssuer: call.isTruthy(1)))
    },
    attempt("crypto.certificate_alternatives") { (call) throws(NativeCrypto.Failure) in
      list(call, try NativeCrypto.alternatives(ofCertificate: bytes(call, 0)))
    },
    // certificate, name or place (from 0): name, text, is_critical
    attempt("crypto.certificate_extension") { (call) throws(NativeCrypto.Failure) in
      let found = try NativeCrypto.certificateExtension(
        bytes(call, 0), name: call.string(1), place: integer(call, 1, 0))
      guard let found else { return call.returnNil() }
      call.returns(found.name)
      call.returns(found.text)
      call.returns(found.isCritical)
    },
    attempt("crypto.certificate_host") { (call) throws(NativeCrypto.Failure) in
      let host = text(call, 1)
      call.returns(try NativeCrypto.matches(bytes(call, 0), host: host, isAddress: IPAddress(host) != nil))
    },
    attempt("crypto.certificate_signed_by") { (call) throws(NativeCrypto.Failure) in
      call.returns(try NativeCrypto.isSigned(bytes(call, 0), by: bytes(call, 1)))
    },
    // certificate, trusted, uses_system_roots, chain: true, or false and why
    attempt("crypto.certificate_verify", wants: .tables) { (call) throws(NativeCrypto.Failure) in
      let reason = try NativeCrypto.distrust(
        bytes(call, 0), trusted: call.value(1).list.compactMap(\.scalarBytes), usesSystemRoots: call.isTruthy(2),
        chain: call.value(3).list.compactMap(\.scalarBytes))
      call.returns(reason == nil)
      if let reason { call.returns(reason) }
    },
  ]

  // MARK: Helpers of declarations

  private typealias Attempt = @Sendable (LuaCall) throws(NativeCrypto.Failure) -> Void

  /// A function that returns nil and a sentence when it fails.
  private static func attempt(
    _ name: String, wants: PDKFunction.Wants = [], _ body: @escaping Attempt
  ) -> PDKFunction {
    PDKFunction(name, .any, level: .internal, wants: wants, "") { (call) throws(LuaFault) in
      do throws(NativeCrypto.Failure) {
        try body(call)
      } catch {
        call.returnsFailure(error.sentence)
      }
    }
  }

  private static func bytes(_ call: LuaCall, _ index: Int) -> [UInt8] {
    if let bytes = call.bytes(index) { return [UInt8](bytes) }
    return call.isTable(index) ? [] : call.value(index).scalarBytes ?? []
  }

  private static func text(_ call: LuaCall, _ index: Int) -> String { call.text(index) ?? "" }

  private static func integer(_ call: LuaCall, _ index: Int, _ fallback: Int32) -> Int32 {
    call.number(index).flatMap { Int32(exactly: $0) } ?? fallback
  }

  private static func signatureOptions(_ call: LuaCall, from index: Int) -> NativeCrypto.SignatureOptions {
    NativeCrypto.SignatureOptions(
      digest: text(call, index), padding: integer(call, index + 1, 0), saltLength: integer(call, index + 2, -100),
      isRaw: call.isTruthy(index + 3))
  }

  private static func list(_ call: LuaCall, _ texts: [[UInt8]]) {
    call.beginList(texts.count)
    for text in texts { call.returns(text) }
  }

  /// A wait for work that would hold the event loop.
  static func offLoop<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value?, then give: @escaping @Sendable (LuaCall, Value?) -> Void
  ) -> LuaWait {
    LuaWait { _, eventLoop, completion in
      // The completion runs on the event loop that waits.
      nonisolated(unsafe) let completion = completion
      NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { work() }.whenComplete { result in
        let value = (try? result.get()) ?? nil
        completion { give($0, value) }
      }
    }
  }
}
