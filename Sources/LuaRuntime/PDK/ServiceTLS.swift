import PluginKit

/// `kong.service.set_tls_*` and the retry callback: how the upstream of one request is reached beyond its service.
/// Source: Kong fact, pdk §3.
enum ServiceTLSNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction(
      "kong.service.set_tls_verify", .serviceTarget, level: .lax, arguments: "on",
      "Whether the upstream's certificate is verified."
    ) { (call) throws(LuaFault) in
      guard let on = call.boolean(0) else { throw LuaFault("argument must be a boolean") }
      try change(call) { $0.verifies = on }
    },
    PDKFunction(
      "kong.service.set_tls_verify_depth", .serviceTarget, level: .lax, arguments: "depth",
      "Sets how long the upstream's chain of certificates may be."
    ) { (call) throws(LuaFault) in
      guard let number = call.number(0) else { throw LuaFault("argument must be a number") }
      guard let depth = Int(exactly: number), (0...64).contains(depth) else {
        throw LuaFault("argument must be a whole number between 0 and 64")
      }
      // Kong compatibility: the TLS library has no such limit, so that none is promised.
      call.returnsFailure("the length of the upstream's chain of certificates cannot be limited to \(depth)")
    },
    PDKFunction("service.tls_store", .serviceTarget, level: .internal, wants: .tables, "Trusted certificates as PEM.") {
      (call) throws(LuaFault) in
      let certificates = call.value(0).list.compactMap(\.text)
      try change(call) { $0.trustedPEM = certificates }
    },
    PDKFunction("service.tls_cert_key", .serviceTarget, level: .internal, wants: .tables, "Chain and key as PEM.") {
      (call) throws(LuaFault) in
      let chain = call.value(0).list.compactMap(\.text)
      let key = try call.requireString(1, "key must be a parsed cdata object")
      guard !chain.isEmpty else { throw LuaFault("chain must be a parsed cdata object") }
      try change(call) {
        $0.certificatePEM = chain
        $0.keyPEM = key
      }
    },
    PDKFunction("service.retry_callback", .access, level: .internal, "Has the callback run before each retry.") {
      (call) throws(LuaFault) in
      let host = call.host
      let key = host.pluginKey
      let plugin = host.pluginName ?? "callback"
      try call.context.willRetry = { context in
        (context.loop.scriptHost as? LuaHost)?.runRetryCallback(key: key, plugin: plugin, context)
      }
    },
  ]

  /// Functions that the prelude makes over those above.
  static let declarations: [PreludeFunction] = [
    PreludeFunction(
      "kong.service.set_tls_cert_key", .serviceTarget, level: .lax, arguments: "chain, key",
      "Shows the upstream a certificate; both are objects of `resty.openssl` or `ngx.ssl`."),
    PreludeFunction(
      "kong.service.set_tls_verify_store", .serviceTarget, level: .lax, arguments: "store",
      "Sets what the upstream's certificate is verified with, a `resty.openssl.x509.store`."),
    PreludeFunction(
      "kong.service.set_target_retry_callback", .access, level: .lax, arguments: "callback",
      "Runs a function in the balancer phase before each further attempt; it may set another target."),
  ]

  private static func change(_ call: LuaCall, _ body: (inout UpstreamTLSOverride) -> Void) throws(LuaFault) {
    let context = try call.context
    var tls = context.upstream.tls ?? UpstreamTLSOverride()
    body(&tls)
    context.upstream.tls = tls
    call.returns(true)
  }
}
