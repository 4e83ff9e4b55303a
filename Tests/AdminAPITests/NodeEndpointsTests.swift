import EntityModel
import Hummingbird
import Storage
import Testing

@testable import AdminAPI

@Suite("What the node tells over HTTP")
struct NodeEndpointsTests {
  @Test("the root document tells Kong's version, Sluice's own, and the plugins")
  func root() async throws {
    try await AdminRig().run { (admin) async throws in
      try await admin.call("POST", "/plugins", ["name": "correlation-id"])
      let root = try await admin.call("GET", "/")
      #expect(root.status == 200 && root["version"] == "3.15.0.0" && root["tagline"] == "Welcome to kong")
      #expect(root["sluice"] == ["version": "0.1.2"] && root["configuration.pg_password"] == "******")
      #expect(root["plugins.available_on_server.rate-limiting"] == ["version": "3.15.0", "priority": 910])
      #expect(root["plugins.enabled_in_cluster"] == ["correlation-id"])
      #expect(root["pids"] == ["master": 42, "workers": [1, 2]])
      let enabled = try await admin.call("GET", "/plugins/enabled")
      #expect(enabled["enabled_plugins"] == ["acl", "correlation-id", "rate-limiting"])
    }
  }

  @Test("the status tells of database, memory in the unit asked for, and requests")
  func status() async throws {
    try await AdminRig().run { (admin) async throws in
      let status = try await admin.call("GET", "/status")
      #expect(status["database.reachable"] == true && status["server.total_requests"] == 7)
      #expect(status["memory.workers_lua_vms.1"] == ["pid": 2, "http_allocated_gc": "1.50 MiB"])
      func shown(_ query: String) async throws -> JSONValue? {
        try await admin.call("GET", "/status?\(query)")["memory.workers_lua_vms.1.http_allocated_gc"]
      }
      #expect(try await shown("unit=b") == 1_572_864)
      #expect(try await shown("unit=K&scale=0") == "1536 KiB")
      #expect(try await shown("unit=g&scale=5") == "0.00146 GiB")
      for query in ["unit=x", "scale=x", "scale=-1", "scale=99999999999999999999"] {
        #expect(try await admin.call("GET", "/status?\(query)").status == 400)
      }
    }
  }

  @Test("what Kong tells of caches, timers and its resolver is told as far as there is any")
  func diagnostics() async throws {
    try await AdminRig().run { (admin) async throws in
      #expect(try await admin.call("GET", "/cache/services:x").status == 404)
      #expect(try await admin.call("DELETE", "/cache/services:x").status == 204)
      #expect(try await admin.call("DELETE", "/cache").status == 204)
      let timers = try await admin.call("GET", "/timers")
      #expect(timers.status == 200 && timers["worker.count"] == 2 && timers["stats.sys.total"] == 0)
      #expect(try await admin.call("GET", "/status/dns").status == 501)
    }
  }

  @Test("schemas of credentials can be read also where there are no such credentials")
  func credentialSchemas() async throws {
    try await AdminRig().run { (admin) async throws in
      for name in ["acls", "keyauth_credentials", "consumer_groups", "consumer_group_consumers", "cloned_plugins"] {
        #expect(try await admin.call("GET", "/schemas/\(name)")["fields"]?.array?.isEmpty == false)
      }
      for name in ["basicauth_credentials", "jwt_secrets"] {
        #expect(try await admin.call("GET", "/schemas/\(name)")["fields"]?.array?.isEmpty == false)
        #expect(try await admin.call("POST", "/schemas/\(name)/validate", [:]).status == 404)
      }
    }
  }

  @Test("schemas are shown and validate without storing")
  func schemas() async throws {
    try await AdminRig().run { (admin) async throws in
      let services = try await admin.call("GET", "/schemas/services")
      #expect(services["fields"]?.array?.contains { $0["retries"]?["default"] == 5 } == true)
      #expect(try await admin.call("GET", "/schemas/plugins/rate-limiting")["fields"]?.array?.count == 2)
      #expect(try await admin.call("GET", "/schemas/nope").json == ["message": "No entity named 'nope'"])
      #expect(try await admin.call("GET", "/schemas/plugins/nope").json == ["message": "No plugin named 'nope'"])
      let good = try await admin.call("POST", "/schemas/services/validate", ["host": "a.b"])
      #expect(good.status == 200 && good.json == ["message": "schema validation successful"])
      let bad: JSONValue = ["name": "rate-limiting", "config": ["garbage": 1, "minute": 1]]
      #expect(
        try await admin.call("POST", "/schemas/plugins/validate", bad)["message"]
          == "schema violation (config.garbage: unknown field)")
      #expect(try await admin.call("POST", "/schemas/nope/validate", [:]).status == 404)
      #expect(try await admin.call("GET", "/services")["data"] == [])
    }
  }

  @Test("HEAD is GET without its body; OPTIONS names the methods")
  func headAndOptions() async throws {
    try await AdminRig().run { (admin) async throws in
      let get = try await admin.call("GET", "/services")
      let head = try await admin.call("HEAD", "/services")
      #expect(head.status == 200 && head.text.isEmpty && head.header("Content-Length") == get.header("Content-Length"))
      #expect(try await admin.call("HEAD", "/services/none").status == 404)
      let options = try await admin.send(
        "OPTIONS", "/services/none", body: nil, type: nil, headers: [.accessControlRequestHeaders: "X-A"])
      #expect(options.status == 204 && options.header("Allow") == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT")
      #expect(options.header("Access-Control-Allow-Methods") == options.header("Allow"))
      #expect(options.header("Access-Control-Allow-Headers") == "X-A")
      #expect(try await admin.call("OPTIONS", "/nope").status == 404)
      #expect(try await admin.call("OPTIONS", "/").header("Access-Control-Allow-Headers") == "Content-Type")
    }
  }

  @Test("methods, paths and bodies that do not fit get Kong's answers")
  func refusals() async throws {
    try await AdminRig().run { (admin) async throws in
      for (method, path) in [("PATCH", "/services"), ("DELETE", "/services"), ("POST", "/services/x"),
        ("POST", "/status"), ("GET", "/schemas/plugins/validate"), ("PROPFIND", "/services"), ("POST", "/"),
      ] {
        let answer = try await admin.call(method, path, method == "GET" ? nil : [:])
        #expect(answer.status == 405 && answer["message"] == "Method not allowed", "\(method) \(path)")
      }
      for path in ["/nope", "/services/x/nope", "/services/x/routes/y/z/w", "//services", "/schemas"] {
        #expect(try await admin.call("GET", path).json == ["message": "Not found"], "\(path)")
      }
      #expect(try await admin.send("POST", "/services", body: "{", type: "application/json")["message"]
        == "Cannot parse JSON body")
      #expect(try await admin.send("GET", "/services", body: "{", type: "application/json").status == 200)
      #expect(try await admin.send("POST", "/services", body: "x", type: "text/plain").status == 415)
      #expect(try await admin.call("POST", "/services").status == 400)
      let twice = try await admin.send(
        "POST", "/services", body: "{}", type: nil,
        headers: [.contentType: "application/json", .contentType: "application/json"])
      #expect(twice.status == 400 && twice.text == "Multiple Content-Type headers not allowed")
      let many = (0...1000).map { "a\($0)=1" }.joined(separator: "&")
      #expect(try await admin.call("GET", "/services?\(many)").json == ["message": "Too many arguments"])
    }
  }

  @Test("every answer has the common headers, the settings permitting")
  func commonHeaders() async throws {
    try await AdminRig().run { (admin) async throws in
      let answer = try await admin.send("GET", "/nope", body: nil, type: nil, headers: [.origin: "http://a.example"])
      #expect(answer.header("Content-Type") == "application/json; charset=utf-8")
      #expect(answer.header("Access-Control-Allow-Origin") == "http://a.example")
      #expect(answer.header("Access-Control-Allow-Credentials") == "true")
      #expect(answer.header("Server") == "kong/3.15.0.0-enterprise-edition")
      #expect(answer.header("X-Kong-Admin-Latency").flatMap(Int.init) != nil)
      #expect(try await admin.call("GET", "/").header("Access-Control-Allow-Origin") == "*")
    }
    var rig = AdminRig()
    rig.configuration.headers = ["off"]
    rig.configuration.allowedOrigins = ["http://console.example", "http://other.example"]
    try await rig.run { (admin) async throws in
      let answer = try await admin.send("GET", "/", body: nil, type: nil, headers: [.origin: "http://evil.example"])
      #expect(answer.header("Access-Control-Allow-Origin") == "http://console.example")
      #expect(answer.header("Server") == nil && answer.header("X-Kong-Admin-Latency") == nil)
      let other = try await admin.send("GET", "/", body: nil, type: nil, headers: [.origin: "http://other.example"])
      #expect(other.header("Access-Control-Allow-Origin") == "http://other.example")
    }
  }

  @Test("with a database /config is refused; without one it is read and replaced")
  func config() async throws {
    let refusal: JSONValue = [
      "message": "this endpoint is only available when Kong is configured to not use a database"
    ]
    try await AdminRig().run { (admin) async throws in
      #expect(try await admin.call("GET", "/config").json == refusal)
      let post = try await admin.call("POST", "/config", ["config": "_format_version: '3.0'"])
      #expect(post.status == 400 && post.json == refusal)
    }
    var rig = AdminRig()
    rig.configuration.usesDatabase = false
    let node = rig.node
    try await rig.run { (admin) async throws in
      #expect(try await admin.call("GET", "/config")["config"] == "_format_version: \"3.0\"\n")
      let yaml = "_format_version: '3.0'"
      #expect(try await admin.call("POST", "/config?check_hash=1", ["config": .string(yaml)]).status == 201)
      let again = try await admin.send("POST", "/config?check_hash=1", body: yaml, type: "text/yaml")
      #expect(again.status == 304 && again.text.isEmpty)
      #expect(try await admin.form("POST", "/config", "config=_format_version%3A%20'3.0'").status == 201)
      let json = try await admin.call("POST", "/config", ["_format_version": "3.0", "config": "x"])
      #expect(json.status == 201 && json["services.a.id"] == "a")
      let bad = try await admin.send("POST", "/config?flatten_errors=on", body: "a: 1", type: "application/yaml")
      #expect(bad.status == 400 && bad["code"] == 14 && bad["flattened_errors"] == [])
      let empty = try await admin.call("POST", "/config", ["config": " "])
      #expect(empty.status == 400 && empty["message"] == "expected a declarative configuration")
      #expect(node.state.withLock { $0.loads[0] } == yaml)
    }
  }

  @Test("a control plane lists its data planes; another node says that it is none")
  func dataPlanes() async throws {
    try await AdminRig().run { (admin) async throws in
      #expect(try await admin.call("GET", "/clustering/data-planes").status == 400)
      #expect(try await admin.call("GET", "/clustering/status").status == 400)
    }
    let planes: [EntityFields] = (1...3).map { number in
      [
        "id": .string("\(number)1111111-2222-4333-8444-555555555555"), "hostname": "h", "ip": "10.0.0.1",
        "config_hash": "x", "last_seen": 5, "sync_status": "normal",
      ]
    }
    var rig = AdminRig()
    rig.node = TestNode(dataPlanes: planes)
    try await rig.run { (admin) async throws in
      let first = try await admin.call("GET", "/clustering/data-planes?size=2")
      #expect(first["data"]?.array?.count == 2)
      let second = try await admin.call("GET", try #require(first["next"]?.string))
      #expect(second["data.0.id"] == planes[2]["id"] && second["next"] == .null)
      #expect(try await admin.call("GET", "/clustering/data-planes?offset=x")["code"] == 7)
      let status = try await admin.call("GET", "/clustering/status")
      #expect(status.header("Deprecation") == "true")
      #expect(
        status["11111111-2222-4333-8444-555555555555"]
          == ["hostname": "h", "ip": "10.0.0.1", "config_hash": "x", "last_seen": 5])
    }
  }

  @Test("the log level is told and changed")
  func logLevel() async throws {
    try await AdminRig().run { (admin) async throws in
      #expect(try await admin.call("GET", "/debug/node/log-level")["message"] == "log level: notice")
      #expect(try await admin.call("PUT", "/debug/node/log-level/debug?timeout=0")["message"] == "log level changed")
      #expect(try await admin.call("GET", "/debug/node/log-level")["message"] == "log level: debug")
      #expect(try await admin.call("PUT", "/debug/node/log-level/loud").status == 400)
      #expect(try await admin.call("PUT", "/debug/node/log-level/info?timeout=-5").status == 400)
    }
  }

  @Test("the default workspace may be named, another is not found")
  func workspaces() async throws {
    try await AdminRig().run { (admin) async throws in
      #expect(try await admin.call("GET", "/default/workspaces/default")["name"] == "default")
      #expect(try await admin.call("GET", "/workspaces")["data"]?.array?.count == 1)
      #expect(try await admin.call("GET", "/workspaces/other").status == 404)
      #expect(try await admin.call("POST", "/default/services", ["name": "s", "host": "a.b"]).status == 201)
      #expect(try await admin.call("GET", "/services/s").status == 200)
      #expect(try await admin.call("GET", "/other/services").json == ["message": "Workspace 'other' not found"])
    }
  }

  @Test("/custom-plugins exists only while streaming is on; clones do not depend on it")
  func streamingSwitch() async throws {
    var rig = AdminRig()
    rig.configuration.isStreamingEnabled = false
    try await rig.run { (admin) async throws in
      for path in ["/custom-plugins", "/custom-plugins/x", "/default/custom-plugins"] {
        let answer = try await admin.call("GET", path)
        #expect(answer.status == 404)
        #expect(answer["message"]?.string?.contains("custom_plugin_streaming_enabled") == true)
      }
      #expect(try await admin.call("POST", "/custom-plugins", ["name": "x"]).status == 404)
      #expect(try await admin.call("GET", "/schemas/custom_plugins").status == 404)
      #expect(try await admin.call("GET", "/cloned-plugins").status == 200)
      let paths = try await admin.call("GET", "/endpoints")["data"]?.array ?? []
      #expect(!paths.contains("/custom-plugins") && paths.contains("/cloned-plugins/{cloned_plugins}"))
    }
  }

  @Test("the endpoints list and the reference name every path")
  func reference() async throws {
    try await AdminRig().run { (admin) async throws in
      let paths = try await admin.call("GET", "/endpoints")["data"]?.array?.compactMap(\.string) ?? []
      for path in [
        "/", "/consumers/{consumers}/acls/{acls}", "/certificates/{certificates}/snis", "/snis/{snis}/certificate",
        "/services/{services}/client_certificate", "/upstreams/{upstreams}/targets/{targets}", "/custom-plugins",
        "/plugins/{plugins}/consumer", "/routes/{routes}/plugins", "/schemas/{db_entity_name}/validate",
      ] { #expect(paths.contains(path), "\(path)") }
      #expect(Set(paths).count == paths.count)
      #expect(paths.first == "/")
      let page = AdminEndpoints.referenceMarkdown()
      for path in paths { #expect(page.contains("| `\(path)` |"), "\(path)") }
      #expect(page.contains("| `/services` | GET, POST |"))
    }
  }

  @Test("the Status API tells whether the node is ready, and has nothing else")
  func statusSurface() async throws {
    var rig = AdminRig()
    rig.configuration.surface = .status
    let node = rig.node
    try await rig.run { (admin) async throws in
      #expect(try await admin.call("GET", "/status").status == 200)
      #expect(try await admin.call("GET", "/status/ready").json == ["message": "ready"])
      node.state.withLock { $0.isReachable = false }
      #expect(try await admin.call("GET", "/status/ready").status == 503)
      node.state.withLock {
        $0.isReachable = nil
        $0.hash = ConfigSnapshot.emptyHash
      }
      #expect(try await admin.call("GET", "/status/ready").status == 503)
      #expect(try await admin.call("GET", "/status")["database"] == nil)
      #expect(try await admin.call("GET", "/services").status == 404)
      #expect(try await admin.call("POST", "/status/ready", [:]).status == 405)
    }
  }

  @Test("without a database entities are read, and every write is refused with 405 and code 12")
  func withoutDatabase() async throws {
    var rig = AdminRig()
    rig.configuration.usesDatabase = false
    let store = MemoryStore(rules: rig.rules)
    let loader = DeclarativeLoader(rules: rig.rules)
    _ = store.replace(
      with: try loader.load("_format_version: '3.0'\nservices:\n- name: s\n  host: a.b\n  routes: [{paths: [/a]}]\n"))
    try await rig.run(over: store) { (admin) async throws in
      let service = try await admin.call("GET", "/services/s")
      #expect(service.status == 200)
      #expect(try await admin.call("GET", "/services/s/routes")["data"]?.array?.count == 1)
      for (method, path) in [
        ("POST", "/services"), ("PUT", "/services/s"), ("PATCH", "/services/s"), ("DELETE", "/services/s"),
      ] {
        let refused = try await admin.call(method, path, method == "DELETE" ? nil : ["host": "c.d"])
        #expect(refused.status == 405 && refused["code"] == 12, "\(method)")
        #expect(refused["message"]?.string?.hasSuffix("'services' entities when not using a database") == true)
      }
      #expect(try await admin.call("POST", "/schemas/services/validate", ["host": "a.b"]).status == 200)
      #expect(try await admin.call("PUT", "/debug/node/log-level/debug").status == 405)
    }
  }
}
