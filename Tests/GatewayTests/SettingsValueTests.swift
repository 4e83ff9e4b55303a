import EntityModel
import Foundation
import Testing

@testable import Gateway

@Suite("Settings: values")
struct SettingsValueTests {
  private func value<Value>(_ kind: SettingKind<Value>, _ text: String) -> Value? {
    try? kind.parse(text)
  }

  @Test("sizes take k, m and g, and refuse what does not fit")
  func sizes() {
    #expect(value(SettingKind<Int>.size, "8k") == 8192)
    #expect(value(SettingKind<Int>.size, "10M") == 10 << 20)
    #expect(value(SettingKind<Int>.size, "2g") == 2 << 30)
    #expect(value(SettingKind<Int>.size, "77") == 77)
    for bad in ["", "k", "-1", "1.5k", "9223372036854775807k", "8kb"] {
      #expect(value(SettingKind<Int>.size, bad) == nil, "\(bad)")
    }
  }

  @Test("times take nginx's units alone and together")
  func times() {
    #expect(value(SettingKind<Duration>.nginxTime, "30s") == .seconds(30))
    #expect(value(SettingKind<Duration>.nginxTime, "30") == .seconds(30))
    #expect(value(SettingKind<Duration>.nginxTime, "1h 30m") == .seconds(5400))
    #expect(value(SettingKind<Duration>.nginxTime, "500ms") == .milliseconds(500))
    for bad in ["", " ", "s", "1x", "-1", "99999999999999999999s", "999999999999999999w"] {
      #expect(value(SettingKind<Duration>.nginxTime, bad) == nil, "\(bad)")
    }
    #expect(value(SettingKind<Duration>.seconds, "0.5") == .milliseconds(500))
    for bad in ["nan", "inf", "-1", "1s", "1e300"] {
      #expect(value(SettingKind<Duration>.seconds, bad) == nil, "\(bad)")
    }
  }

  @Test("versions of TLS, instrumentations and shares are read as Kong writes them")
  func luaValues() {
    #expect(
      value(SettingKind<TLSVersionRange>.tlsVersions, "TLSv1.3 TLSv1.2")
        == TLSVersionRange(oldest: .tlsv12, newest: .tlsv13))
    for bad in ["", "SSLv3", "TLSv1.1 TLSv1.3", "TLSv1.4"] {
      #expect(value(SettingKind<TLSVersionRange>.tlsVersions, bad) == nil, "\(bad)")
    }
    #expect(value(SettingKind<[TracingInstrumentation]>.instrumentations, "off") == [])
    #expect(value(SettingKind<[TracingInstrumentation]>.instrumentations, "request, balancer") == [.request, .balancer])
    #expect(value(SettingKind<[TracingInstrumentation]>.instrumentations, "requests") == nil)
    #expect(value(SettingKind<Double>.share, "0.25") == 0.25)
    for bad in ["-0.1", "1.1", "nan", ""] { #expect(value(SettingKind<Double>.share, bad) == nil, "\(bad)") }
  }

  @Test("addresses take names, IPv6 in brackets, and flags in any order")
  func listeners() {
    let all = value(SettingKind<[ListenAddress]>.listeners, "[::1]:8443 ssl http2, gateway.local:80 backlog=5 bind")
    #expect(all?.map(\.host) == ["::1", "gateway.local"])
    #expect(all?.map(\.ssl) == [true, false])
    #expect(all?.last?.backlog == 5)
    #expect(value(SettingKind<[ListenAddress]>.listeners, "off")?.isEmpty == true)
    for bad in ["8000", "0.0.0.0:65536", "::1:80", "0.0.0.0:80 backlog=0", "off, 0.0.0.0:80", ":80", "a b:80"] {
      #expect(value(SettingKind<[ListenAddress]>.listeners, bad) == nil, "\(bad)")
    }
  }

  @Test("headers are named alone, in groups, in any case, or off")
  func headers() {
    let text = "via, Advanced_Latency_Tokens,x-kong-upstream-status"
    let set = value(SettingKind<ResponseHeaderSet>.responseHeaders, text)
    #expect(set?.tokens.count == 9)
    #expect(set?.contains(.server) == false)
    #expect(value(SettingKind<ResponseHeaderSet>.responseHeaders, "off")?.tokens.isEmpty == true)
    #expect(value(SettingKind<ResponseHeaderSet>.responseHeaders, "X-Other") == nil)
  }

  @Test("certificates are paths, texts or texts in base64")
  func pem() throws {
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    #expect(PEMSource(parsing: text) == .content(text))
    #expect(PEMSource(parsing: text.replacingOccurrences(of: "\n", with: "\\n")) == .content(text))
    #expect(PEMSource(parsing: Data(text.utf8).base64EncodedString()) == .content(text))
    #expect(PEMSource(parsing: "/etc/cluster.crt") == .path("/etc/cluster.crt"))
    #expect(throws: PEMSourceError.self) { try PEMSource.path("missing.crt").read(relativeTo: "/nowhere") }
  }

  @Test("ports, labels, UUIDs and name servers are checked entry by entry")
  func entries() {
    #expect(value(SettingKind<[Int: Int]>.portMap, "80:8000, 443:8443") == [8000: 80, 8443: 443])
    #expect(value(SettingKind<[Int: Int]>.portMap, "80:0") == nil)
    #expect(value(SettingKind<[String: String]>.labels, "a:b,region:eu-1") == ["a": "b", "region": "eu-1"])
    #expect(value(SettingKind<[String: String]>.labels, "a:-b") == nil)
    #expect(value(SettingKind<String>.uuid, "7F3A0B2C-1111-4222-8333-0123456789AB") != nil)
    #expect(value(SettingKind<String>.uuid, "7f3a") == nil)
    #expect(value(SettingKind<[String]>.nameServers, "8.8.8.8,[::1]:53,::1")?.count == 3)
    #expect(value(SettingKind<[String]>.nameServers, "resolver.local") == nil)
    #expect(value(SettingKind<BufferSet>.buffers, "4 8k") == BufferSet(count: 4, size: 8192))
    #expect(value(SettingKind<LogDestination>.log, "off") == LogDestination(path: nil, format: nil))
  }
}

@Suite("Settings: declarations")
struct SettingDeclarationTests {
  @Test("every name is declared once and documented, and none is also listed as Kong's alone")
  func catalogue() {
    let names = SettingCatalogue.declarations.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(PeerSettingNames.all.isDisjoint(with: names))
    #expect(SettingCatalogue.declarations.allSatisfy { !$0.documentation.isEmpty && !$0.section.isEmpty })
    #expect(names.count > 60)
  }

  @Test("what plugins see hides secrets and leaves out what is unset")
  func redaction() throws {
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    let settings = try GatewaySettings.load(
      fileText: nil, path: "",
      environment: [
        "KONG_ROLE": "control_plane", "KONG_CLUSTER_CERT": "/c.crt", "KONG_CLUSTER_CERT_KEY": key,
        "KONG_SSL_CERT": "/a.crt", "KONG_SSL_CERT_KEY": "/a.key",
      ]
    ).settings
    let shown = settings.redacted()
    #expect(shown["cluster_cert_key"] == "******")
    #expect(shown["ssl_cert_key"] == ["******"])
    #expect(shown["cluster_cert"] == "/c.crt")
    #expect(shown["node_id"] == nil)
    #expect(shown["custom_plugin_streaming_enabled"] == false)
    #expect(shown["lua_max_uri_args"] == 100)
    #expect(shown["proxy_listeners"]?.array?.first?["port"] == 8000)
    #expect(shown["headers"] == ["server_tokens", "latency_tokens", "X-Kong-Request-Id"])
    #expect(!shown.values.contains { $0.string?.contains("PRIVATE") == true })
  }

  @Test("a bad secret is not repeated in its error")
  func secretErrors() {
    #expect(throws: SettingsError.self) {
      do throws(SettingsError) {
        _ = try GatewaySettings.load(
          fileText: nil, path: "", environment: ["KONG_CLUSTER_CERT_KEY": "{vault://env/key}"])
      } catch {
        #expect(!error.description.contains("env/key"))
        throw error
      }
    }
  }

  @Test("the reference page names every setting with its default")
  func reference() {
    let page = GatewaySettings.referenceMarkdown()
    for declaration in SettingCatalogue.declarations {
      #expect(page.contains("### \(declaration.name)\n"))
    }
    #expect(page.contains("- Default: `127.0.0.1:8001, 127.0.0.1:8444 ssl`"))
  }

  @Test("limits of one Lua plugin: keys and values, and what is wrong with each bad entry")
  func luaQuotaOverrides() throws {
    let overrides = try SettingKind.luaQuotaOverrides.parse(
      "report cpu_time=200ms plugin_memory=256m coroutines=9, scorer trusted pattern_steps=5")
    #expect(overrides.map(\.plugin) == ["report", "scorer"])
    #expect(overrides[0].cpuTime == .milliseconds(200))
    #expect(overrides[0].pluginMemory == 256 << 20)
    #expect(overrides[0].coroutines == 9)
    #expect(overrides[0].loadTime == nil && !overrides[0].isTrusted)
    #expect(overrides[1].isTrusted && overrides[1].patternSteps == 5)
    #expect(try SettingKind.luaQuotaOverrides.parse("").isEmpty)
    for (bad, reason) in [
      ("report", "says nothing about the plugin \"report\""), ("cpu_time=1s", "does not begin with the name"),
      ("a speed=9", "\"speed=9\" for \"a\", which is no limit"), ("a cpu_time=fast", "which is not a time"),
      ("a trust", "neither key=value nor `trusted`"), ("a trusted, a coroutines=1", "names the plugin \"a\" twice"),
    ] {
      do {
        _ = try SettingKind.luaQuotaOverrides.parse(bad)
        Issue.record("\(bad) was accepted")
      } catch {
        #expect(error.reason.contains(reason), "\(error.reason)")
      }
    }
  }
}
