import Testing

@testable import EntityModel

@Suite("Routes, upstreams and certificates")
struct RouteValidationTests {
  let validator = PluginFixtures.validator()

  private func refused(_ input: EntityFields, _ definition: EntityDefinition = .routes) -> [String: JSONValue] {
    violations { () throws(SchemaViolations) in try validator.validateInsert(input, of: definition) }
  }

  @Test("a route is for https unless it says otherwise")
  func defaults() throws {
    let route = try validator.validateInsert(["paths": ["/a"]], of: .routes)
    #expect(route["protocols"] == ["https"] && route["https_redirect_status_code"] == 426)
    #expect(route["strip_path"] == true && route["preserve_host"] == false && route["path_handling"] == "v0")
  }

  @Test("a route needs a matcher that its protocols know")
  func matchers() {
    #expect(
      refused(["protocols": ["http", "https"]])["@entity"]
        == ["must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'"])
    #expect(
      refused(["protocols": ["http"]])["@entity"]
        == ["must set one of 'methods', 'hosts', 'headers', 'paths' when 'protocols' is 'http'"])
    #expect(
      refused(["protocols": ["grpc"]])["@entity"]
        == ["must set one of 'hosts', 'headers', 'paths' when 'protocols' is 'grpc'"])
    #expect(refused(["protocols": ["tls_passthrough"]])["@entity"]?.array?.count == 1)
    #expect(
      refused(["protocols": ["tcp"], "paths": ["/a"]])["paths"]
        == "cannot set 'paths' when 'protocols' is 'tcp', 'tls', 'tls_passthrough' or 'udp'")
    #expect(refused(["protocols": ["http"], "sources": [["ip": "10.0.0.1"]], "paths": ["/"]])["sources"] != nil)
  }

  @Test("protocols of different groups exclude each other")
  func groups() {
    #expect(
      refused(["protocols": ["http", "tcp"], "paths": ["/a"]])["protocols"]
        == "these sets are mutually exclusive: ('http'), ('tcp')")
    #expect(refused(["protocols": [], "paths": ["/a"]])["protocols"] == "length must be at least 1")
  }

  @Test("snis need TLS")
  func snis() throws {
    let found = refused(["protocols": ["http"], "paths": ["/a"], "snis": ["a.example.com"]])
    #expect(found["snis"] == "length must be 0")
    #expect(
      found["@entity"]
        == ["'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'"])
    #expect(refused(["paths": ["/a"], "snis": ["10.0.0.1"]])["snis"] == ["must not be an IP"])
    #expect(refused(["paths": ["/a"], "snis": ["a:80"]])["snis"] == ["must not have a port"])
    #expect(try validator.validateInsert(["snis": ["a.example.com"]], of: .routes)["snis"] == ["a.example.com"])
  }

  @Test("routes for gRPC never strip their path")
  func stripPath() throws {
    let route = try validator.validateInsert(["protocols": ["grpc"], "paths": ["/a"]], of: .routes)
    #expect(route["strip_path"] == false)
    #expect(refused(["protocols": ["grpcs"], "paths": ["/a"], "strip_path": true])["strip_path"] != nil)
  }

  @Test(
    "paths are plain and normalized, or regular expressions that compile",
    arguments: [
      ("a", "should start with: / (fixed path) or ~/ (regex path)"), ("/a//b", "must not have empty segments"),
      ("/a/../b", "non-normalized path, consider use '/b' instead"),
      ("/%61", "non-normalized path, consider use '/a' instead"),
      ("~a", "should start with: / (fixed path) or ~/ (regex path)"),
    ])
  func paths(path: String, message: String) {
    #expect(refused(["paths": ["/ok", .string(path)]])["paths"] == [nil, .string(message)])
  }

  @Test("a regular expression that does not compile is refused with its reason")
  func regexPaths() throws {
    let message = refused(["paths": ["~/a("]])["paths"]?.array?.first?.string ?? ""
    #expect(message.hasPrefix("invalid regex: '/a('"))
    let path: JSONValue = #"~/users/(?<id>\d+)$"#
    #expect(try validator.validateInsert(["paths": [path]], of: .routes)["paths"] == [path])
  }

  @Test(
    "hosts may have one wildcard at an end and a port",
    arguments: [
      ("*.*.example.com", "invalid wildcard: must have at most one wildcard"),
      ("a.*.example.com", "invalid wildcard: must be placed at leftmost or rightmost label"),
      ("*example.com", "invalid wildcard: must be placed at leftmost or rightmost label"),
      ("exa mple.com", "invalid value: exa mple.com"),
    ])
  func hosts(host: String, message: String) {
    #expect(refused(["hosts": [.string(host)]])["hosts"] == [.string(message)])
  }

  @Test("good hosts pass", arguments: ["a.example.com", "*.example.com", "example.*", "a:8443", "*.example.com:8443"])
  func goodHosts(host: String) throws {
    #expect(try validator.validateInsert(["hosts": [.string(host)]], of: .routes)["hosts"] == [.string(host)])
  }

  @Test("headers cannot hold the host; a bad pair gives its message without the key")
  func headers() {
    #expect(
      refused(["headers": ["HoSt": ["a"]]])["headers"]
        == "cannot contain 'host' header, which must be specified in the 'hosts' attribute")
    #expect(refused(["headers": ["x": "a"]])["headers"] == "expected an array")
    #expect(refused(["headers": ["x": [1]]])["headers"] == ["expected a string"])
    #expect(refused(["methods": ["get"]])["methods"] == ["invalid value: get"])
  }

  @Test("addresses of stream routes have an ip or a port")
  func sources() throws {
    #expect(
      refused(["protocols": ["tcp"], "sources": [["port": 80], [:]]])["sources"]
        == [nil, ["@entity": ["at least one of these fields must be non-empty: 'ip', 'port'"]]])
    let route = try validator.validateInsert(["protocols": ["tcp"], "sources": [["ip": "10.0.0.1"]]], of: .routes)
    #expect(route["sources"] == [["ip": "10.0.0.1", "port": nil]])
  }

  // MARK: Upstreams

  @Test("an upstream has all its health checks")
  func upstream() throws {
    let upstream = try validator.validateInsert(
      ["name": "u", "healthchecks": ["active": ["healthy": ["interval": 5]]]], of: .upstreams)
    let active = upstream["healthchecks"]?["active"]
    #expect(active?["healthy"] == ["http_statuses": [200, 302], "interval": 5, "successes": 0])
    #expect(active?["https_verify_certificate"] == true && active?["headers"] == .null)
    #expect(upstream["healthchecks"]?["threshold"] == 0)
    #expect(upstream["healthchecks"]?["passive"]?["unhealthy"]?["http_statuses"] == [429, 500, 503])
    #expect(upstream["sticky_sessions_cookie_path"] == "/")
  }

  @Test("names of upstreams are host names")
  func upstreamNames() {
    #expect(refused(["name": "10.0.0.1"], .upstreams) == ["name": "Invalid name ('10.0.0.1'); no ip addresses allowed"])
    #expect(refused(["name": "a:80"], .upstreams) == ["name": "Invalid name ('a:80'); no port allowed"])
    #expect(refused(["name": "a b"], .upstreams) == ["name": "Invalid name ('a b'); must be a valid hostname"])
  }

  @Test("hashing needs its companion fields")
  func hashing() throws {
    #expect(
      refused(["name": "u", "hash_on": "header"], .upstreams) == [
        "hash_on_header": "required field missing",
        "@entity": ["failed conditional validation given value of field 'hash_on'"],
      ])
    #expect(
      refused(["name": "u", "hash_fallback": "ip"], .upstreams)["hash_fallback"] == "expected one of: none")
    let found = refused(
      [
        "name": "u", "hash_on": "header", "hash_on_header": "x", "hash_fallback": "header", "hash_fallback_header": "x",
      ], .upstreams)
    #expect(
      found["@entity"]
        == ["values of these fields must be distinct: 'hash_on_header', 'hash_fallback_header'"])
    #expect(try validator.validateInsert(["name": "u", "hash_on": "ip"], of: .upstreams)["hash_on"] == "ip")
  }

  // MARK: Certificates

  @Test("a certificate and its key must belong together")
  func certificates() throws {
    typealias Pem = CertificateFixtures
    let good: EntityFields = ["cert": .string(Pem.leaf), "key": .string(Pem.leafKey), "snis": ["a.example.com"]]
    #expect(try validator.validateInsert(good, of: .certificates)["snis"] == ["a.example.com"])
    #expect(
      refused(["cert": .string(Pem.leaf), "key": .string(Pem.authorityKey)], .certificates)
        == ["@entity": ["certificate does not match key"]])
    let found = refused(["cert": "x", "key": "y"], .certificates)
    #expect(found["cert"]?.string?.hasPrefix("invalid certificate: ") == true)
    #expect(found["key"]?.string?.hasPrefix("invalid key: ") == true)
    #expect(
      refused(good.merging(["cert_alt": .string(Pem.rsa)]) { $1 }, .certificates)["@entity"]
        == ["all or none of these fields must be set: 'cert_alt', 'key_alt'"])
    let both = good.merging(["cert_alt": .string(Pem.rsa), "key_alt": .string(Pem.rsaKey)]) { $1 }
    #expect(try validator.validateInsert(both, of: .certificates)["cert_alt"] == .string(Pem.rsa))
    let same = good.merging(["cert_alt": .string(Pem.authority), "key_alt": .string(Pem.authorityKey)]) { $1 }
    #expect(refused(same, .certificates)["@entity"]?.array?.count == 1)
  }

  @Test("a vault reference stands for a certificate or key")
  func references() throws {
    let fields: EntityFields = ["cert": "{vault://env/cert}", "key": "{vault://env/key}"]
    #expect(try validator.validateInsert(fields, of: .certificates)["key"] == "{vault://env/key}")
  }

  @Test("a CA certificate is of an authority and gets its digest")
  func authorities() throws {
    let entity = try validator.validateInsert(["cert": .string(CertificateFixtures.authority)], of: .caCertificates)
    #expect(entity["cert_digest"] == .string(CertificateFixtures.authorityDigest))
    #expect(
      refused(["cert": .string(CertificateFixtures.leaf)], .caCertificates)["@entity"]
        == ["certificate does not appear to be a CA because it is missing the \"CA\" basic constraint"])
    let two = CertificateFixtures.authority + "\n" + CertificateFixtures.leaf
    #expect(
      refused(["cert": .string(two)], .caCertificates)["@entity"]
        == ["please submit only one certificate at a time"])
  }

  @Test("SNIs may be wildcards")
  func sniNames() throws {
    let certificate: JSONValue = ["id": "99999999-9999-4999-8999-999999999999"]
    for name in ["*", "*.example.com", "example.*", "example.com"] {
      let sni = try validator.validateInsert(["name": .string(name), "certificate": certificate], of: .snis)
      #expect(sni["name"] == .string(name))
    }
    #expect(refused(["name": "a:80", "certificate": certificate], .snis) == ["name": "must not have a port"])
  }
}
