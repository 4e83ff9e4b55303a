import EntityModel
import Storage

/// What the node tells about itself. Source: Kong fact, admin-api §5 and clients (root document).
enum NodeEndpoints {
  static let all: [AdminEndpoint] = [
    AdminEndpoint(
      "/", "Tells version, settings and plugins of this node.", [.get: { _, services in try await root(services) }]),
    nodeStatus,
    AdminEndpoint(
      "/endpoints", "Lists every path of the Admin API.",
      [.get: { _, services in .ok(["data": .array(services.endpointPaths.map(JSONValue.string))]) }]),
    AdminEndpoint(
      "/plugins/enabled", "Lists the names of the plugins that instances may have: bundled, streamed and cloned.",
      [
        .get: { _, services in
          let names = await services.repository.pluginCatalogue.names
          return .ok(["enabled_plugins": .array(names.map(JSONValue.string))])
        }
      ]),
    AdminEndpoint(
      "/debug/node/log-level", "Tells the log level of this node.",
      [.get: { _, services in .message("log level: \(await services.node.logLevel)") }]),
    AdminEndpoint(
      "/debug/node/log-level/{log_level}", "Changes the log level of this node, for `?timeout=` seconds or until then.",
      [.put: { request, services in try await setLogLevel(request, services) }]),
  ]

  /// Also part of the Status API.
  static let nodeStatus = AdminEndpoint(
    "/status", "Tells whether the database answers, how much memory Lua holds, and what the proxy has done.",
    [.get: { request, services in try await status(request, services) }])

  private static func root(_ services: AdminServices) async throws -> AdminResponse {
    let configuration = services.configuration
    let identity = services.node.identity
    let statistics = await services.node.statistics
    let catalogue = await services.repository.pluginCatalogue
    let trusted = await services.node.trustedPlugins
    let available = catalogue.names.compactMap { name in
      catalogue[name].map { plugin in
        var shown: [String: JSONValue] = [
          "version": .string(plugin.version), "priority": .integer(Int64(plugin.priority)),
        ]
        if trusted.contains(name) { shown["trusted"] = true }
        return (name, JSONValue.object(shown))
      }
    }
    let configured = Set(try await services.repository.snapshot()["plugins"].compactMap { $0["name"]?.string })
    return .ok([
      "tagline": "Welcome to kong",
      "version": .string(configuration.kongVersion),
      "edition": "enterprise",
      "sluice": ["version": .string(configuration.sluiceVersion)],
      "hostname": .string(identity.hostname),
      "node_id": .string(identity.id),
      "timers": [
        "running": .integer(Int64(statistics.runningTimers)), "pending": .integer(Int64(statistics.pendingTimers)),
      ],
      "plugins": [
        "available_on_server": .object(Dictionary(available) { first, _ in first }),
        "enabled_in_cluster": .array(configured.sorted().map(JSONValue.string)),
      ],
      "lua_version": identity.luaVersion.map(JSONValue.string) ?? .null,
      "configuration": .object(await services.node.configuration),
      "pids": [
        "master": .integer(Int64(identity.processID)),
        "workers": .array(identity.workerIDs.map { .integer(Int64($0)) }),
      ],
    ])
  }

  private static func status(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let unit = try MemoryUnit(request.query)
    let statistics = await services.node.statistics
    let states = zip(services.node.identity.workerIDs, statistics.luaMemory).map { id, bytes in
      JSONValue.object(["pid": .integer(Int64(id)), "http_allocated_gc": unit.document(bytes: bytes)])
    }
    var document: [String: JSONValue] = [
      "memory": ["lua_shared_dicts": [:], "workers_lua_vms": .array(states)],
      "server": .object(
        [
          "connections_accepted": statistics.connectionsAccepted, "connections_handled": statistics.connectionsHandled,
          "connections_active": statistics.connectionsActive, "connections_reading": statistics.connectionsReading,
          "connections_writing": statistics.connectionsWriting, "connections_waiting": statistics.connectionsWaiting,
          "total_requests": statistics.totalRequests,
        ].mapValues { .integer(Int64($0)) }),
    ]
    if let isReachable = await services.node.isDatabaseReachable {
      document["database"] = ["reachable": .bool(isReachable)]
    }
    if let hash = await services.node.configurationHash { document["configuration_hash"] = .string(hash) }
    return .ok(document)
  }

  private static func setLogLevel(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    guard services.configuration.usesDatabase else {
      throw AdminRefusal.message(405, "the log level cannot be changed when not using a database")
    }
    var timeout: Int?
    if let text = request.query["timeout"] {
      guard let seconds = Int(text), (0...31_536_000).contains(seconds) else {
        throw AdminRefusal.message(
          400, "timeout must be a whole number of seconds between 0 and 31536000, not '\(text)'")
      }
      timeout = seconds
    }
    try await services.node.setLogLevel(request.parameters[0], timeout: timeout)
    return .message("log level changed")
  }
}

/// The unit of memory sizes in `/status`: `?unit=m` (`b`, `k`, `m`, `g`) and `?scale=2`, the digits after the point.
private struct MemoryUnit {
  private var shift = 20
  private var name = "MiB"
  private var scale = 2

  init(_ query: QueryArguments) throws(AdminRefusal) {
    if let unit = query["unit"] {
      let units = ["b": (0, ""), "k": (10, "KiB"), "m": (20, "MiB"), "g": (30, "GiB")]
      guard let chosen = units[unit.lowercased()] else {
        throw .message(400, "invalid unit '\(unit)', expected 'k/K', 'm/M', 'g/G' or 'b/B'")
      }
      (shift, name) = chosen
    }
    if let text = query["scale"] {
      guard let scale = Int(text), (0...9).contains(scale) else {
        throw .message(400, "invalid scale '\(text)', expected a whole number between 0 and 9")
      }
      self.scale = scale
    }
  }

  func document(bytes: Int) -> JSONValue {
    if shift == 0 { return .integer(Int64(bytes)) }
    var power = 1.0
    for _ in 0..<scale { power *= 10 }
    let rounded = (Double(bytes) / Double(1 << shift) * power).rounded()
    let whole = Int64(rounded / power)
    guard scale > 0 else { return .string("\(whole) \(name)") }
    let fraction = String(Int64(rounded - Double(whole) * power))
    return .string("\(whole).\(String(repeating: "0", count: max(0, scale - fraction.count)))\(fraction) \(name)")
  }
}
