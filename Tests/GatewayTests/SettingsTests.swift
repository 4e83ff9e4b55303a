import EntityModel
import Foundation
import Testing

@testable import Gateway

@Suite("Settings: reading")
struct SettingsTests {
  private func load(
    _ file: String? = nil, _ environment: [String: String] = [:]
  ) throws -> (settings: GatewaySettings, warnings: [String]) {
    try GatewaySettings.load(fileText: file, path: "gateway.conf", environment: environment)
  }

  private func problems(_ file: String? = nil, _ environment: [String: String] = [:]) -> [SettingProblem] {
    do {
      _ = try load(file, environment)
      return []
    } catch let error as SettingsError {
      return error.problems
    } catch {
      return []
    }
  }

  @Test("without any source every setting has its documented default")
  func defaults() throws {
    let (settings, warnings) = try load()
    #expect(warnings.isEmpty)
    #expect(settings.role == .traditional)
    #expect(settings.database == .sqlite)
    #expect(settings.proxyListen.map(\.port) == [8000, 8443])
    #expect(settings.proxyListen[1].ssl && settings.proxyListen[1].http2 && settings.proxyListen[1].reusePort)
    #expect(settings.proxyListen[0].backlog == 16384)
    #expect(settings.adminListen.map(\.text) == ["127.0.0.1:8001", "127.0.0.1:8444 ssl"])
    #expect(settings.statusListen.map(\.port) == [8007])
    #expect(settings.headers.tokens == [
      .server, .via, .proxyLatency, .responseLatency, .adminLatency, .upstreamLatency, .requestID,
    ])
    #expect(settings.untrustedLua == .strict)
    #expect(settings.clusterMaxPayload == 16 * 1024 * 1024)
    #expect(settings.clientBodyBufferSize == 8192)
    #expect(settings.upstreamKeepaliveIdleTimeout == .seconds(60))
    #expect(settings.workerProcesses.resolved >= 1)
    #expect(settings.nodeID == nil)
    #expect(!settings.customPluginStreamingEnabled)
    #expect(settings.resolvedSQLitePath == "/usr/local/sluice/sluice.db")
  }

  @Test("SLUICE_ comes before KONG_, KONG_ before the file, the file before the default")
  func precedence() throws {
    let file = "log_level = warn\nlua_max_uri_args = 7\nlua_max_req_headers = 8\n"
    let environment = [
      "KONG_LOG_LEVEL": "error", "SLUICE_LOG_LEVEL": "debug", "KONG_LUA_MAX_URI_ARGS": "9", "PATH": "/bin",
    ]
    let settings = try load(file, environment).settings
    #expect(settings.logLevel == .debug)
    #expect(settings.luaMaxURIArguments == 9)
    #expect(settings.luaMaxRequestHeaders == 8)
    #expect(settings.luaMaxResponseHeaders == 100)
    #expect(settings.origin(of: "log_level") == .environment(variable: "SLUICE_LOG_LEVEL"))
    #expect(settings.origin(of: "lua_max_req_headers") == .file(path: "gateway.conf", line: 3))
  }

  @Test("an empty value counts as not given and does not hide a lower source")
  func emptyValues() throws {
    let settings = try load("log_level = warn\nprefix =\n", ["SLUICE_LOG_LEVEL": "", "KONG_LOG_LEVEL": " "]).settings
    #expect(settings.logLevel == .warn)
    #expect(settings.prefix == "/usr/local/sluice")
  }

  @Test("a file takes comments, blanks, quotes, escaped hashes, and the last of two lines")
  func fileRules() throws {
    let file = """
      # first
        log_level=info   # why
      log_level = error
      prefix = "/var/lib/my # gateway"
      real_ip_header = 'X-Client-IP'   # quoted
      node_hostname = a\\#b#c
      PROXY_LISTEN = off
      """
    let settings = try load(file).settings
    #expect(settings.logLevel == .error)
    #expect(settings.prefix == "/var/lib/my # gateway")
    #expect(settings.realIPHeader == "X-Client-IP")
    #expect(settings.nodeHostname == "a#b#c")
    #expect(settings.proxyListen.isEmpty)
  }

  @Test("lines that are no settings are errors with their number")
  func brokenLines() {
    let found = problems("log_level\n\nprefix = \"open\nmy key = 1\n")
    #expect(found.map(\.origin) == [1, 3, 4].map { .file(path: "gateway.conf", line: $0) })
  }

  @Test("an unknown name is a warning with the nearest known one")
  func unknownNames() throws {
    let warnings = try load("proxy_listne = off\n", ["SLUICE_LOGLEVEL": "info", "KONG_ROLES": "x"]).warnings
    #expect(warnings.count == 3)
    #expect(warnings[0].contains("\"loglevel\" (environment variable SLUICE_LOGLEVEL)"))
    #expect(warnings[0].contains("did you mean \"log_level\"?"))
    #expect(warnings[1].contains("did you mean \"proxy_listen\"?") && warnings[1].contains("gateway.conf line 1"))
    #expect(warnings[2].contains("did you mean \"role\"?"))
  }

  @Test("a setting that only Kong serves is a warning that says so")
  func peerNames() throws {
    let warnings = try load(nil, [
      "KONG_PG_HOST": "db", "KONG_NGINX_PROXY_PROXY_BUFFERING": "off", "KONG_LICENSE_DATA": "{}",
    ]).warnings
    #expect(warnings.count == 3)
    #expect(warnings.allSatisfy { $0.contains("Sluice does not serve it yet") })
  }

  @Test("variables that a container platform sets for a service of that name are no settings")
  func serviceLinks() throws {
    let warnings = try load(nil, [
      "KONG_PROXY_SERVICE_HOST": "10.0.0.1", "KONG_PROXY_SERVICE_PORT": "80", "KONG_PROXY_PORT": "tcp://10.0.0.1:80",
      "KONG_PROXY_PORT_80_TCP_ADDR": "10.0.0.1", "SLUICE_PORT": "tcp://10.0.0.2:80",
    ]).warnings
    #expect(warnings.isEmpty)
  }

  @Test("all bad values are reported at once, with name, source, value and what is accepted")
  func badValues() throws {
    let found = problems("database = postgres\n", [
      "KONG_LUA_MAX_URI_ARGS": "1001", "SLUICE_LOG_LEVEL": "loud", "KONG_TRUSTED_IPS": "10.0.0.0/8,here",
      "KONG_ROUTER_FLAVOR": "expressions", "KONG_ENFORCE_RBAC": "on", "KONG_PROXY_LISTEN": "0.0.0.0:80 fast",
    ])
    #expect(found.compactMap(\.setting).sorted() == [
      "database", "enforce_rbac", "log_level", "lua_max_uri_args", "proxy_listen", "router_flavor", "trusted_ips",
    ])
    let texts = Dictionary(uniqueKeysWithValues: found.map { ($0.setting ?? "", $0.description) })
    #expect(
      texts["lua_max_uri_args"] == "lua_max_uri_args (environment variable KONG_LUA_MAX_URI_ARGS): "
        + "\"1001\" is out of range; accepted: a whole number from 1 to 1000")
    #expect(texts["database"]?.contains("PostgreSQL comes in a later version") == true)
    #expect(texts["database"]?.contains("gateway.conf line 1") == true)
    #expect(texts["router_flavor"]?.contains("traditional_compatible") == true)
    #expect(texts["trusted_ips"]?.contains("\"here\"") == true)
    #expect(texts["proxy_listen"]?.contains("unknown flag \"fast\"") == true)
  }

  @Test("a missing file is an error that names it")
  func missingFile() {
    #expect(throws: SettingsError.self) {
      try GatewaySettings.load(file: "/nowhere/gateway.conf", environment: [:])
    }
  }

  @Test("roles ask for what they need")
  func roles() throws {
    #expect(problems(nil, ["KONG_ROLE": "data_plane"]).compactMap(\.setting).sorted() == [
      "cluster_cert", "cluster_cert_key", "cluster_control_plane",
    ])
    let cluster = [
      "KONG_CLUSTER_CERT": "/c.crt", "KONG_CLUSTER_CERT_KEY": "/c.key", "KONG_CLUSTER_CONTROL_PLANE": "cp:8005",
    ]
    let plane = try load(nil, cluster.merging(["KONG_ROLE": "data_plane"]) { $1 }).settings
    #expect(plane.database == .off)
    #expect(plane.clusterControlPlane == HostAndPort(host: "cp", port: 8005))
    #expect(plane.clusterCert == .path("/c.crt"))
    let wrong = cluster.merging(["KONG_ROLE": "data_plane", "KONG_DATABASE": "sqlite"]) { $1 }
    #expect(problems(nil, wrong).map(\.setting) == ["database"])
    let empty = cluster.merging(["KONG_ROLE": "control_plane", "KONG_DATABASE": "off"]) { $1 }
    #expect(problems(nil, empty).map(\.setting) == ["database"])
    let pki = cluster.merging(["KONG_ROLE": "control_plane", "KONG_CLUSTER_MTLS": "pki"]) { $1 }
    #expect(problems(nil, pki).map(\.setting) == ["cluster_mtls"])
  }

  @Test("certificates come with their keys, and two declarative sources exclude one another")
  func pairs() {
    let found = problems(nil, [
      "KONG_SSL_CERT": "/a.crt,/b.crt", "KONG_SSL_CERT_KEY": "/a.key", "KONG_DECLARATIVE_CONFIG": "a.yml",
      "KONG_DECLARATIVE_CONFIG_STRING": "{}", "KONG_REAL_IP_HEADER": "proxy_protocol",
    ])
    #expect(found.compactMap(\.setting) == ["ssl_cert", "declarative_config", "real_ip_header"])
  }
}
