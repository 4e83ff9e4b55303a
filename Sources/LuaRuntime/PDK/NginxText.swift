import Crypto
import EntityModel
import PluginKit

/// Encoding and hashing of `ngx`, and what modules need of it. Source: Kong fact, pdk §7.
enum NginxTextNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("ngx.encode_base64", .any, arguments: "text, no_padding", "Base64.") { (call) throws(LuaFault) in
      let bytes = try text(call, 0, "encode_base64")
      call.returns(TextTools.base64(bytes, padding: call.boolean(1) != true))
    },
    PDKFunction("ngx.decode_base64", .any, arguments: "text", "Bytes of Base64, nil if it is none.") {
      (call) throws(LuaFault) in
      guard let bytes = call.bytes(0) else { throw LuaFault("string argument only") }
      if let decoded = TextTools.base64Decoded(bytes) { call.returns(decoded) } else { call.returnNil() }
    },
    PDKFunction("text.encode_base64url", .any, level: .internal, "") { (call) throws(LuaFault) in
      call.returns(TextTools.base64(try text(call, 0, "encode_base64url"), padding: false, urlSafe: true))
    },
    PDKFunction("text.decode_base64url", .any, level: .internal, "") { (call) throws(LuaFault) in
      guard let bytes = call.bytes(0) else { throw LuaFault("string argument only") }
      if let decoded = TextTools.base64Decoded(bytes) {
        call.returns(decoded)
      } else {
        call.returnsFailure("invalid input")
      }
    },
    PDKFunction("ngx.escape_uri", .any, arguments: "text, kind", "Percent-encoded text.") { (call) throws(LuaFault) in
      let bytes = try text(call, 0, "escape_uri")
      call.returns(call.number(1) == 0 ? URLText.escapedURI(bytes) : URLText.escapedComponent(bytes))
    },
    PDKFunction("ngx.unescape_uri", .any, arguments: "text", "Text without percent-encoding.") {
      (call) throws(LuaFault) in
      call.returns(URLText.unescaped(try text(call, 0, "unescape_uri")))
    },
    PDKFunction("ngx.encode_args", .any, arguments: "args", wants: .tables, "Query of a table.") {
      (call) throws(LuaFault) in
      guard call.isTable(0) else {
        throw LuaFault("bad argument #1 to 'encode_args' (table expected, got \(call.typeName(0)))")
      }
      call.returns(try URLText.encoded(call.value(0), sorted: false))
    },
    PDKFunction("ngx.decode_args", .any, arguments: "text, max_args", "Table of a query.") { (call) throws(LuaFault) in
      let bytes = try text(call, 0, "decode_args")
      URLText.returnArguments(call, bytes, limit: NginxRequestNamespace.limit(call, 1, \.queryArguments))
    },
    PDKFunction("ngx.md5", .any, arguments: "text", "MD5 in hexadecimal.") { (call) throws(LuaFault) in
      call.returns(TextTools.hexadecimal(Insecure.MD5.hash(data: try text(call, 0, "md5"))))
    },
    PDKFunction("ngx.md5_bin", .any, arguments: "text", "MD5.") { (call) throws(LuaFault) in
      call.returns(Array(Insecure.MD5.hash(data: try text(call, 0, "md5_bin"))))
    },
    PDKFunction("ngx.sha1_bin", .any, arguments: "text", "SHA-1.") { (call) throws(LuaFault) in
      call.returns(Array(Insecure.SHA1.hash(data: try text(call, 0, "sha1_bin"))))
    },
    PDKFunction("ngx.hmac_sha1", .any, arguments: "key, text", "HMAC of SHA-1.") { (call) throws(LuaFault) in
      let key = SymmetricKey(data: try text(call, 0, "hmac_sha1"))
      call.returns(Array(HMAC<Insecure.SHA1>.authenticationCode(for: try text(call, 1, "hmac_sha1"), using: key)))
    },
    PDKFunction("ngx.crc32_short", .any, arguments: "text", "CRC-32.") { (call) throws(LuaFault) in
      call.returns(Double(TextTools.crc32(try text(call, 0, "crc32_short"))))
    },
    PDKFunction("ngx.crc32_long", .any, arguments: "text", "CRC-32.") { (call) throws(LuaFault) in
      call.returns(Double(TextTools.crc32(try text(call, 0, "crc32_long"))))
    },
    PDKFunction("ngx.quote_sql_str", .any, arguments: "text", "Text as an SQL string of MySQL.") {
      (call) throws(LuaFault) in
      var quoted: [UInt8] = [UInt8(ascii: "'")]
      for byte in try text(call, 0, "quote_sql_str") {
        switch byte {
        case 0: quoted += Array(#"\0"#.utf8)
        case 0x08: quoted += Array(#"\b"#.utf8)
        case 0x0A: quoted += Array(#"\n"#.utf8)
        case 0x0D: quoted += Array(#"\r"#.utf8)
        case 0x09: quoted += Array(#"\t"#.utf8)
        case 0x1A: quoted += Array(#"\Z"#.utf8)
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): quoted += [UInt8(ascii: "\\"), byte]
        default: quoted.append(byte)
        }
      }
      call.returns(quoted + [UInt8(ascii: "'")])
    },
    PDKFunction("text.digest", .any, level: .internal, "") { (call) throws(LuaFault) in
      let bytes = try text(call, 1, "digest")
      switch call.string(0) {
      case "md5": call.returns(Array(Insecure.MD5.hash(data: bytes)))
      case "sha1": call.returns(Array(Insecure.SHA1.hash(data: bytes)))
      case "sha224":
        guard let digest = try? NativeCrypto.digest("SHA224", bytes) else { return call.returnNil() }
        call.returns(digest)
      case "sha384": call.returns(Array(SHA384.hash(data: bytes)))
      case "sha512": call.returns(Array(SHA512.hash(data: bytes)))
      default: call.returns(Array(SHA256.hash(data: bytes)))
      }
    },
    PDKFunction("text.hex", .any, level: .internal, "") { (call) throws(LuaFault) in
      call.returns(TextTools.hexadecimal(try text(call, 0, "to_hex")))
    },
    PDKFunction("text.random_bytes", .any, level: .internal, "") { (call) throws(LuaFault) in
      let count = call.number(0).flatMap { Int(exactly: $0) } ?? -1
      guard (0...65536).contains(count) else { throw LuaFault("bad number of random bytes") }
      var generator = SystemRandomNumberGenerator()
      call.returns((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
    },
    PDKFunction("text.uuid", .any, level: .internal, "") { (call) throws(LuaFault) in call.returns(TextTools.uuid()) },
    PDKFunction("text.is_utf8", .any, level: .internal, "") { (call) throws(LuaFault) in
      let bytes = try text(call, 0, "validate_utf8")
      call.returns(String(validating: bytes, as: UTF8.self) != nil)
    },
    // address, list of addresses and ranges: the place of the first that holds it, 0 for none; nil and why for no address
    PDKFunction("text.in_ranges", .any, level: .internal, wants: .tables, "") { (call) throws(LuaFault) in
      guard let address = call.string(0).flatMap({ IPAddress($0) }) else {
        return call.returnsFailure("invalid ip address, not ipv4 and ipv6")
      }
      var place = 0
      for (index, range) in call.value(1).list.enumerated() {
        guard let text = range.text, let block = CIDRBlock(text) else { return call.returnsFailure("invalid range") }
        if place == 0, block.contains(address) { place = index + 1 }
      }
      call.returns(place)
    },
    PDKFunction("text.gzip", .any, level: .internal, "") { (call) throws(LuaFault) in
      guard let made = GzipCoding.compressed(try text(call, 0, "deflate_gzip")) else {
        return call.returnsFailure("compression failed")
      }
      call.returns(made)
    },
    PDKFunction("text.gunzip", .any, level: .internal, "") { (call) throws(LuaFault) in
      guard let made = GzipCoding.decompressed(try text(call, 0, "inflate_gzip"), limit: 16 << 20) else {
        return call.returnsFailure("decompression failed: no gzip data, or too much of it")
      }
      call.returns(made)
    },
    PDKFunction("text.ip_version", .any, level: .internal, "") { (call) throws(LuaFault) in
      guard let text = call.string(0), IPAddress(text) != nil else { return call.returnNil() }
      call.returns(text.contains(":") ? 6 : 4)
    },
  ]

  /// Bytes of a string or number.
  private static func text(_ call: LuaCall, _ index: Int, _ function: String) throws(LuaFault) -> [UInt8] {
    if let bytes = call.bytes(index) { return [UInt8](bytes) }
    if let bytes = call.value(index).scalarBytes { return bytes }
    if call.isNil(index) { return [] }
    throw LuaFault("bad argument #\(index + 1) to '\(function)' (string expected, got \(call.typeName(index)))")
  }
}
