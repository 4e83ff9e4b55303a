import PluginKit

/// `kong.client.tls`: the client's side of the TLS handshake. Source: Kong fact, pdk §4.
///
/// Kong compatibility: this gateway asks no client for a certificate, so that there is none to look at.
enum ClientTLSNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction(
      "kong.client.tls.request_client_certificate", .certificate, level: .lax, arguments: "ca_certs",
      "Fails with a sentence: clients are not asked for certificates."
    ) { (call) throws(LuaFault) in
      call.returnsFailure("this gateway does not ask clients for certificates")
    },
    PDKFunction(
      "kong.client.tls.disable_session_reuse", .certificate, level: .lax, "Nothing to do: no session is resumed."
    ) { (call) throws(LuaFault) in call.returns(true) },
    PDKFunction(
      "kong.client.tls.get_full_client_certificate_chain", .clientCertificate, level: .lax,
      "PEM of the client's certificates; nil, since clients are not asked for any."
    ) { (call) throws(LuaFault) in
      _ = try call.context
      call.returnNil()
    },
    PDKFunction(
      "kong.client.tls.set_client_verify", .clientVerify, level: .lax, arguments: "result",
      "Sets what `ngx.var.ssl_client_verify` and log entries say: `SUCCESS`, `NONE` or `FAILED:` and a reason."
    ) { (call) throws(LuaFault) in
      let result = try call.requireString(0, "verification result must be a string")
      guard result == "SUCCESS" || result == "NONE" || result.hasPrefix("FAILED:") else {
        throw LuaFault("unknown client verify value: \(result) accepts: \"SUCCESS\", \"NONE\", \"FAILED:<reason>\"")
      }
      try call.context.clientCertificateVerification = result
    },
  ]
}
