/// Addresses, event loops and certificates of the listeners.
public struct ListenerSettings: SettingSection {
  static let title = "Listeners and TLS"

  public let proxyListen = Setting(
    "proxy_listen", .listeners,
    default: "0.0.0.0:8000 reuseport backlog=16384, 0.0.0.0:8443 http2 ssl reuseport backlog=16384",
    "Addresses on which the node takes requests to proxy. Port 0 takes a free port.")

  public let adminListen = Setting(
    "admin_listen", .listeners, default: "127.0.0.1:8001, 127.0.0.1:8444 ssl",
    """
    Addresses of the Admin API. Whoever reaches them rules the gateway: keep them private. Kong compatibility: without
    `http2`, which the Admin API does not speak.
    """)

  public let statusListen = Setting(
    "status_listen", .listeners, default: "127.0.0.1:8007 reuseport backlog=16384",
    "Addresses of the Status API: health and readiness, read-only.")

  public let workerProcesses = Setting(
    "nginx_worker_processes", .workers, default: "auto",
    "Number of event loops that proxy requests; `auto` makes one per core.")

  public let workerShutdownTimeout = Setting(
    "nginx_main_worker_shutdown_timeout", .nginxTime, default: "30s",
    """
    How long requests in flight may take to finish after SIGTERM before their connections are closed. Kong
    compatibility: unlimited there by default.
    """)

  public let sslCert = Setting(
    "ssl_cert", .pemList,
    """
    Certificates of the TLS addresses of `proxy_listen`, for names that no SNI entity covers. If unset, a self-signed
    one is made at the first start.
    """)

  public let sslCertKey = Setting(
    "ssl_cert_key", .pemList, secret: true, "Private keys of `ssl_cert`, in the same order.")

  public let adminSSLCert = Setting(
    "admin_ssl_cert", .pemList, "Certificates of the TLS addresses of `admin_listen`; see `ssl_cert`.")

  public let adminSSLCertKey = Setting(
    "admin_ssl_cert_key", .pemList, secret: true, "Private keys of `admin_ssl_cert`, in the same order.")

  public let statusSSLCert = Setting(
    "status_ssl_cert", .pemList, "Certificates of the TLS addresses of `status_listen`; see `ssl_cert`.")

  public let statusSSLCertKey = Setting(
    "status_ssl_cert_key", .pemList, secret: true, "Private keys of `status_ssl_cert`, in the same order.")
}
