/// Where the node lives, what it logs and which plugins it loads.
public struct GeneralSettings: SettingSection {
  static let title = "General"

  public let prefix = Setting(
    "prefix", .path, default: "/usr/local/sluice",
    """
    Working directory of the node: its identity, logs, embedded database and last-good configuration lie here. Each
    process needs a prefix of its own. Kong compatibility: Kong's default is `/usr/local/kong/`; a second program must
    not write there.
    """)

  public let logLevel = Setting(
    "log_level", .choice as SettingKind<LogLevel>, default: "notice",
    "The least severe message that the error logs take.")

  public let proxyAccessLog = Setting(
    "proxy_access_log", .log, default: "logs/access.log", "Log of proxied requests. `/dev/stdout` is a path, too.")

  public let proxyErrorLog = Setting(
    "proxy_error_log", .log, default: "logs/error.log", "Log of what the node and its plugins have to say.")

  public let adminAccessLog = Setting(
    "admin_access_log", .log, default: "logs/admin_access.log",
    "Log of Admin API requests and, on a control plane, of data planes that connect.")

  public let adminErrorLog = Setting(
    "admin_error_log", .log, default: "logs/error.log", "Log of failures of the Admin API.")

  public let plugins = Setting(
    "plugins", .list("`off`, or a comma-separated list of plugin names and `bundled`"), default: "bundled",
    """
    Plugins that this node loads. `bundled` stands for all that come with the program; `off` loads none. Streamed
    plugins are configuration and need no entry.
    """)

  public let nodeID = Setting(
    "node_id", SettingKind.uuid.orUnset(),
    "Identity of the node in its cluster. If unset, one is made at the first start and kept under `prefix`.")

  public let nodeHostname = Setting(
    "node_hostname", SettingKind.text.orUnset(), own: true,
    "Name under which the node reports itself. If unset, the name of the machine.")

  public let portMaps = Setting(
    "port_maps", .portMap,
    """
    Ports that clients see where a load balancer or a container maps them, for example `80:8000, 443:8443`. Routing by
    port, `X-Forwarded-Port` and logs use the public port.
    """)

  public let customPluginStreamingEnabled = Setting(
    "custom_plugin_streaming_enabled", .onOff, default: "off",
    """
    Whether custom plugins are configuration: the `/custom-plugins` endpoint exists, and this node takes streamed
    definitions and runs them. A data plane with `off` gets neither definitions nor their instances.
    """)

  public let enforceRBAC = Setting(
    "enforce_rbac", .choice as SettingKind<AdminAccessControl>, default: "off", "Access control of the Admin API.")
}
