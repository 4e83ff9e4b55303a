/// What Lua plugins may do.
public struct LuaSettings: SettingSection {
  static let title = "Lua"

  public let untrustedLua = Setting(
    "untrusted_lua", .choice as SettingKind<UntrustedLua>, default: "strict",
    """
    What Lua from the configuration (streamed plugins, serverless functions) may do. `off` refuses it; `strict` gives
    pure functions and the plugin API; `lax` adds network, cache and reading of entities; `sandbox` is Kong's older
    mode, widened by the two settings below; `on` lifts every restriction.
    """)

  public let untrustedLuaSandboxRequires = Setting(
    "untrusted_lua_sandbox_requires", .list("a comma-separated list of Lua modules"),
    "Modules that `require` gives with `untrusted_lua = sandbox`.")

  public let untrustedLuaSandboxEnvironment = Setting(
    "untrusted_lua_sandbox_environment", .list("a comma-separated list of global names"),
    "Globals that exist with `untrusted_lua = sandbox`.")

  public let luaSSLTrustedCertificate = Setting(
    "lua_ssl_trusted_certificate", .trustedCertificates, default: "system",
    """
    Certificates of the authorities that vouch for servers: those that plugins connect to, and those of services with
    `tls_verify` that name no CA certificates. `system` stands for those of the operating system.
    """)

  public let luaMaxRequestHeaders = Setting(
    "lua_max_req_headers", .integer(1...1000), default: "100",
    "How many request headers plugins read by default. All are forwarded.")

  public let luaMaxResponseHeaders = Setting(
    "lua_max_resp_headers", .integer(1...1000), default: "100",
    "How many response headers plugins read by default. All are forwarded.")

  public let luaMaxURIArguments = Setting(
    "lua_max_uri_args", .integer(1...1000), default: "100",
    "How many query arguments plugins read by default. All are forwarded.")

  public let luaMaxPostArguments = Setting(
    "lua_max_post_args", .integer(1...1000), default: "100",
    "How many arguments of a form body plugins read by default. All are forwarded.")
}
