import EntityModel
import Testing

@testable import BundledPlugins

@Suite("openid-connect: configuration")
struct OpenIDConnectSchemaTests {
  private func config(_ config: JSONValue) throws -> JSONValue? {
    try PluginTestBed.validated(OpenIDConnect.definition, config)["config"]
  }

  private func violation(_ config: JSONValue) -> JSONValue? {
    do {
      _ = try PluginTestBed.validated(OpenIDConnect.definition, config)
      return nil
    } catch let error as SchemaViolations {
      return error.fields["config"]
    } catch {
      return .string("\(error)")
    }
  }

  @Test("only the issuer is required, and the rest has its defaults")
  func defaults() throws {
    #expect(violation([:])?["issuer"] == "required field missing")
    let config = try #require(try config(["issuer": "https://op.example"]))
    #expect(config["auth_methods"]?.array?.count == 9)
    #expect(config["upstream_access_token_header"] == "authorization:bearer")
    #expect(config["hide_credentials"] == true)
    #expect(config["session_cookie_name"] == "session")
    #expect(config["session_rolling_timeout"] == 3600)
    #expect(config["redis"]?["port"] == 6379)
    #expect(config["token_exchange"] == .null)
    #expect(config["proof_of_possession_mtls_from_header"] == .null)
    #expect(config.object?.count == 234)
  }

  @Test(
    "what is not honoured is refused with a sentence",
    arguments: [
      ["session_storage": "redis"], ["cluster_cache_strategy": "redis"], ["proof_of_possession_dpop": "strict"],
      ["proof_of_possession_mtls": "optional"], ["http_version": 1.0], ["response_mode": "jwt"],
      ["response_type": ["id_token"]], ["verify_parameters": true], ["resolve_distributed_claims": true],
      ["require_pushed_authorization_requests": true], ["require_signed_request_object": true],
      ["token_endpoint_auth_method": "tls_client_auth"], ["client_auth": ["none", "self_signed_tls_client_auth"]],
      ["session_remember": true], ["session_store_metadata": true], ["userinfo_accept": "application/jwt"],
      ["introspection_accept": "application/jwt"], ["cache_ttl_resurrect": 5], ["tls_client_auth_ssl_verify": false],
      ["upstream_user_info_jwt_header": "x"], ["token_exchange_endpoint": "https://op.example/exchange"],
      ["token_exchange": ["subject_token_issuers": [["issuer": "x"]]]],
      ["proof_of_possession_mtls_from_header": ["ca_certificates": [], "certificate_header_name": "x"]],
    ] as [JSONValue])
  func refused(_ part: JSONValue) throws {
    let members = try #require(part.object)
    let name = try #require(members.keys.first)
    let message = violation(.object(members.merging(["issuer": "https://op.example"]) { old, _ in old }))?[name]?.string
    #expect(["available", "not ", "only", "no JWT"].contains { message?.contains($0) == true })
  }

  @Test("principals are refused in their place, and what says the default passes")
  func harmless() throws {
    #expect(
      violation(["issuer": "https://op.example", "principals": ["enabled": true]])?["principals"]?["enabled"] != nil)
    #expect(
      violation([
        "issuer": "https://op.example", "principals": ["enabled": false], "session_storage": "cookie",
        "http_version": 1.1, "response_type": ["code"], "require_signed_request_object": false,
      ]) == nil)
  }

  @Test("the single claim path of older configurations still counts")
  func shorthand() throws {
    let config = try config(["issuer": "https://op.example", "consumer_claim": ["a", "b"]])
    #expect(config?["consumer_claims"] == [["a", "b"]])
  }
}
