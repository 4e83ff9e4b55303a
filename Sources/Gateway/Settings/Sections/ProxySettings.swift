/// How requests are read, routed, forwarded and answered.
public struct ProxySettings: SettingSection {
  static let title = "Proxy"

  public let routerFlavor = Setting(
    "router_flavor", .choice as SettingKind<RouterFlavor>, default: "traditional_compatible",
    "The language of routes and their order of precedence.")

  public let headers = Setting(
    "headers", .responseHeaders, default: "server_tokens, latency_tokens, X-Kong-Request-Id",
    """
    Headers that the gateway adds to responses. `server_tokens` stands for `Server` and `Via`; `latency_tokens` for the
    proxy, response, admin and upstream latencies; `advanced_latency_tokens` for all latencies. Plugins may still add
    their own.
    """)

  public let headersUpstream = Setting(
    "headers_upstream", .upstreamHeaders, default: "X-Kong-Request-Id",
    "Headers that the gateway adds to requests on their way upstream.")

  public let viaHeaderCompliesWithRFC = Setting(
    "via_header_comply_rfc", .onOff, default: "off",
    "Whether `Via` carries the bare name `kong` instead of name and version, whose slash RFC 9110 does not allow.")

  public let allowDebugHeader = Setting(
    "allow_debug_header", .onOff, default: "off",
    "Whether a request with `Kong-Debug: 1` is answered with the names and ids of its route and service.")

  public let trustedIPs = Setting(
    "trusted_ips", .trustedPeers,
    """
    Peers that are believed in what they say of the client: their `X-Forwarded-*` headers are kept, and
    `real_ip_header` is read. `0.0.0.0/0,::/0` trusts everyone.
    """)

  public let realIPHeader = Setting(
    "real_ip_header", .text, default: "X-Real-IP",
    "Header in which a trusted peer names the client's address; `proxy_protocol` takes it from the PROXY protocol.")

  public let realIPRecursive = Setting(
    "real_ip_recursive", .onOff, default: "off",
    "Whether trusted addresses at the end of `real_ip_header` are skipped to find the client's.")

  public let errorDefaultType = Setting(
    "error_default_type", .choice as SettingKind<ErrorContentType>, default: "text/plain",
    "Content type of errors for requests that name none in `Accept`.")

  public let upstreamKeepalivePoolSize = Setting(
    "upstream_keepalive_pool_size", .integer(0...1_000_000), default: "512",
    "Idle connections kept to upstreams, per event loop; 0 closes each after its request.")

  public let upstreamKeepaliveMaxRequests = Setting(
    "upstream_keepalive_max_requests", .integer(0...Int.max), default: "10000",
    "Requests after which an upstream connection is closed; 0 for no limit.")

  public let upstreamKeepaliveIdleTimeout = Setting(
    "upstream_keepalive_idle_timeout", .seconds, default: "60", unit: "seconds",
    "How long an idle upstream connection is kept; 0 for no limit.")

  public let clientBodyBufferSize = Setting(
    "nginx_http_client_body_buffer_size", .size, default: "8k", unit: "bytes",
    "How much of a request body plugins can read. Bodies that no plugin reads are streamed and never held.")

  public let clientMaxBodySize = Setting(
    "nginx_http_client_max_body_size", .size, default: "0", unit: "bytes",
    "The largest request body that is taken; more is answered 413. 0 for no limit.")

  public let adminClientMaxBodySize = Setting(
    "nginx_admin_client_max_body_size", .size, default: "10m", unit: "bytes",
    "The largest request body that the Admin API takes.")

  public let largeClientHeaderBuffers = Setting(
    "nginx_http_large_client_header_buffers", .buffers, default: "4 8k",
    "Room for a request's head: number of buffers and the size of each, which also bounds a single line.")

  public let keepaliveRequests = Setting(
    "nginx_http_keepalive_requests", .integer(1...Int.max), default: "10000",
    "Requests after which a client's connection is closed.")
}
