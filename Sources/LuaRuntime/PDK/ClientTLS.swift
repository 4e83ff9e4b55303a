import Foundation
import PluginKit

/// `kong.client.tls`: the client's side of the TLS handshake. Source: Kong fact, pdk §4.
enum ClientTLSNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("client.ask_certificate", .certificate, level: .internal, wants: .tables, "Asks for a certificate.") {
      (call) throws(LuaFault) in
      let handshake = try handshake(call)
      handshake.asksForCertificate = true
      if call.isTable(0) { handshake.authorities = call.value(0).list.compactMap(\.text) }
      call.returns(true)
    },
    PDKFunction(
      "kong.client.tls.disable_session_reuse", .certificate, level: .lax,
      "The session of this connection cannot be resumed by another one."
    ) { (call) throws(LuaFault) in
      try handshake(call).refusesResumption = true
      call.returns(true)
    },
    PDKFunction(
      "kong.client.tls.get_full_client_certificate_chain", .clientCertificate, level: .lax,
      "PEM of the certificates that the client has shown, its own first; nil without."
    ) { (call) throws(LuaFault) in
      let certificates = try call.context.clientCertificates
      if certificates.isEmpty { call.returnNil() } else { call.returns(certificates.map(pem).joined()) }
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

  /// Functions that the prelude makes over those above.
  static let declarations: [PreludeFunction] = [
    PreludeFunction(
      "kong.client.tls.request_client_certificate", .certificate, level: .lax, arguments: "ca_certs",
      "Asks the client for a certificate; the names of `ca_certs`, a `resty.openssl.x509.chain` or `store`, help it to "
        + "choose. The handshake goes on without one, and nothing is verified.")
  ]

  static func pem(_ der: [UInt8]) -> String {
    let lines = Data(der).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
    return "-----BEGIN CERTIFICATE-----\n\(lines)\n-----END CERTIFICATE-----\n"
  }

  private static func handshake(_ call: LuaCall) throws(LuaFault) -> TLSHandshakeDemands {
    guard let handshake = try call.context.handshake else { throw LuaFault("no TLS handshake found") }
    return handshake
  }
}
