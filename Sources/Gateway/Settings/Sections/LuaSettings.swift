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

  public let luaSSLProtocols = Setting(
    "lua_ssl_protocols", .tlsVersions, default: "TLSv1.2 TLSv1.3",
    "Versions of TLS that sockets of Lua plugins speak: `ngx.socket.tcp` and `resty.http`.")

  public let tracingInstrumentations = Setting(
    "tracing_instrumentations", .instrumentations, default: "off",
    """
    Turns `kong.tracing` on: plugins make spans, and their log functions get them from `kong.tracing.process_span`.
    `request` adds a span `kong` of the request itself, from which all others descend, `balancer` one for each attempt
    to reach an upstream, `all` both. The other words turn tracing on, but the gateway makes no spans of its own for
    them and says so at start. While it is `off` spans take everything and keep nothing.
    """)

  public let tracingSamplingRate = Setting(
    "tracing_sampling_rate", .share, default: "0.01",
    "The share of traces whose spans `kong.tracing.process_span` gives: `1` for all. By the id of the trace.")

  public let exitEndsHeaderFilter = Setting(
    "pdk_response_exit_header_filter_early_exit", .onOff, default: "off",
    """
    Whether `kong.response.exit` in `header_filter` ends the phase: the rest of the function and the plugins after it
    are left out. While it is `off` both go on, and the response replaces the upstream's at the end.
    """)

  public let luaQuotaCPUTime = Setting(
    "lua_quota_cpu_time", .nginxTime, default: "50ms", own: true,
    """
    CPU time that one phase call of a Lua plugin may take, all parts between its waits together. A call that takes more
    is ended and cannot catch that: the client gets 500, the log names plugin, version, phase, limit and line, and
    `sluice_lua_limit_exceeded_total` counts it. `0` takes the limit away.
    """)

  public let luaQuotaLoadTime = Setting(
    "lua_quota_load_time", .nginxTime, default: "500ms", own: true,
    """
    CPU time that the code outside of a handler's functions may take: when the plugin is inspected on the control plane
    and when an event loop loads it. `0` takes the limit away.
    """)

  public let luaQuotaStateMemory = Setting(
    "lua_quota_state_memory", .size(atLeast: 16 << 20), default: "256m", own: true,
    "Memory of the Lua state of one event loop, all plugins together. A state that stays full is replaced by a new one."
  )

  public let luaQuotaPluginMemory = Setting(
    "lua_quota_plugin_memory", .size(atLeast: 0), default: "128m", own: true,
    """
    Memory that one version of a plugin may hold in the Lua state of one event loop, garbage that is not collected yet
    included. A plugin that keeps more is loaded anew; what it kept is lost. `0` takes the limit away.
    """)

  public let luaQuotaRequestMemory = Setting(
    "lua_quota_request_memory", .size(atLeast: 0), default: "64m", own: true,
    "Memory that the phase calls of one request may add to that of a plugin. `0` takes the limit away.")

  public let luaQuotaCoroutines = Setting(
    "lua_quota_coroutines", .integer(0...1_000_000), default: "1000", own: true,
    "How many coroutines one phase call may make. `0` takes the limit away.")

  public let luaQuotaStringSize = Setting(
    "lua_quota_string_size", .size(atLeast: 0), default: "16m", own: true,
    """
    Size of a string that `string.rep` makes. Other strings end at a quarter of `lua_quota_state_memory`. `0` stands for
    the default.
    """)

  public let luaQuotaPatternSteps = Setting(
    "lua_quota_pattern_steps", .integer(0...Int.max), default: "20000000", own: true,
    """
    Steps that one call of `string.find`, `match`, `gmatch` or `gsub` may take before it raises "pattern too complex".
    `0` stands for 1000000000. Regular expressions (`ngx.re`) have PCRE's own limits of matches, depth and memory, and
    end with the CPU time.
    """)

  public let luaQuotaOverrides = Setting(
    "lua_quota_overrides", .luaQuotaOverrides, own: true,
    """
    Other limits for single plugins: for each its name and any of `cpu_time=`, `load_time=`, `plugin_memory=`,
    `request_memory=`, `coroutines=`, `string_size=`, `pattern_steps=` and `trusted`, for example
    `report cpu_time=200ms plugin_memory=256m, scorer trusted`. `trusted` lets LuaJIT compile the plugin's code and
    takes its limits of CPU time away, since compiled loops cannot be stopped: a loop without end in such a plugin stops
    an event loop for good. The log says so at start, `/` shows `trusted` beside the plugin, and
    `sluice_lua_plugin_trusted` is 1. With `untrusted_lua = on` nothing is compiled.
    """)

  public let tlsCertificateVerify = Setting(
    "tls_certificate_verify", .onOff, default: "on",
    """
    Whether plugins must verify the servers that they connect to: a configuration with `ssl_verify` false is refused.
    Kong compatibility: services may still turn `tls_verify` off.
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
