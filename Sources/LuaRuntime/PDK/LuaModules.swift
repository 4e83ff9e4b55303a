/// What `require` gives, from which mode on. The prelude makes the modules; a test holds the two together.
///
/// Source: Kong fact, pdk §8.
enum LuaModules {
  static let strict: [String] = [
    "bit", "coroutine", "math", "string", "table", "cjson", "cjson.safe", "kong.constants", "kong.meta",
    "kong.tools.cjson", "kong.tools.gzip",
    "kong.tools.http", "kong.tools.ip", "kong.tools.json", "kong.tools.mime_type", "kong.tools.rand",
    "kong.tools.sha1", "kong.tools.sha256", "kong.tools.string", "kong.tools.table", "kong.tools.time",
    "kong.tools.timestamp", "kong.tools.uri", "kong.tools.utils", "kong.tools.uuid", "kong.tools.yield", "ngx.base64",
    "ngx.re", "ngx.req", "ngx.resp", "ngx.semaphore", "pl.stringx", "pl.tablex", "resty.aes", "resty.cookie",
    "resty.core.time", "resty.hmac", "resty.ipmatcher", "resty.jit-uuid", "resty.jwt", "resty.jwt-validators",
    "resty.lock", "resty.lrucache", "resty.lrucache.pureffi", "resty.md5", "resty.openssl", "resty.openssl.cipher",
    "resty.openssl.digest", "resty.openssl.err", "resty.openssl.hmac", "resty.openssl.kdf", "resty.openssl.mac",
    "resty.openssl.pkey", "resty.openssl.rand", "resty.openssl.version", "resty.openssl.x509",
    "resty.openssl.x509.chain", "resty.openssl.x509.store", "resty.random", "resty.sha", "resty.sha1", "resty.sha224",
    "resty.sha256", "resty.sha384", "resty.sha512", "resty.string", "resty.upload", "socket.url", "string.buffer",
    "table.clear",
    "table.clone", "table.isarray", "table.isempty", "table.new", "table.nkeys", "tablepool", "version",
  ]

  /// Beyond the strict ones.
  static let lax: [String] = ["kong.concurrency", "resty.http", "resty.http_headers", "resty.redis"]

  static var refused: [String: String] { LuaPreludeText.refusedModules }

  /// Why modules whose names begin so cannot be required, unless there is more to say about one of them.
  static let refusedFamilies: [(prefix: String, reason: String)] = [
    ("kong.plugins.", "a streamed plugin is one schema and one handler; put what other files hold into the handler"),
    ("kong.db.", "the handler cannot reach the store; in the mode lax, kong.db reads entities"),
    ("resty.aws", "clients of clouds are not available in this gateway; use resty.http"),
    ("resty.azure", "clients of clouds are not available in this gateway; use resty.http"),
    ("resty.gcp", "clients of clouds are not available in this gateway; use resty.http"),
    ("pl.", "of Penlight there are pl.stringx and pl.tablex"),
  ]

  /// Why a module cannot be required; nil for one that is there and for one that nothing is known of.
  static func refusal(of name: String) -> String? {
    if let reason = refused[name] { return reason }
    guard !strictNames.contains(name), !lax.contains(name) else { return nil }
    return refusedFamilies.first { name.hasPrefix($0.prefix) }?.reason
  }

  static let functions: [PDKFunction] = [
    PDKFunction("module.level", .any, level: .internal, "From which mode on there is a module, and why there is none.")
    {
      (call) throws(LuaFault) in
      let name = call.string(0) ?? ""
      if strictNames.contains(name) {
        call.returns("strict")
      } else if lax.contains(name) {
        call.returns("lax")
      } else {
        call.returnNil()
        call.returns(refusal(of: name))
      }
    },
    PDKFunction("sandbox.lists", .any, level: .internal, "Modules and globals of the mode `sandbox`.") {
      (call) throws(LuaFault) in
      for list in [call.host.settings.sandboxModules, call.host.settings.sandboxGlobals] {
        call.beginTable(list.count)
        for name in list {
          call.returns(name)
          call.returns(true)
        }
      }
    },
  ]

  private static let strictNames = Set(strict)
}
