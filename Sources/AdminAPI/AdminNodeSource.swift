import EntityModel

/// What the Admin API tells about the node it runs on, and the few things it can make the node do.
///
/// Implemented by the gateway. All members may be used from any task at any time.
public protocol AdminNodeSource: Sendable {
  /// What does not change while the process runs.
  var identity: NodeIdentity { get }

  /// The settings by name as `/` shows them, secrets replaced.
  var configuration: [String: JSONValue] { get async }

  var statistics: NodeStatistics { get async }

  /// Names of the plugins that the operator trusts: they run without a limit of CPU time.
  var trustedPlugins: Set<String> { get async }

  /// What Lua plugins have come to.
  var luaMetrics: [NodeMetric] { get async }

  /// Whether the database answers; nil on a node without one.
  var isDatabaseReachable: Bool? { get async }

  /// 32 hexadecimal digits of the running configuration; nil on a node with a database.
  var configurationHash: String? { get async }

  /// The data planes that this control plane knows, as `/clustering/data-planes` shows them and in the order of their
  /// ids; nil on a node that is no control plane.
  var dataPlanes: [EntityFields]? { get async }

  /// The running configuration as a declarative file in YAML (`GET /config`). Asked only with `database=off`.
  func declarativeConfiguration() async throws(AdminRefusal) -> String

  /// Replaces the running configuration by a declarative file, or leaves it as it is (`POST /config`). Asked only with
  /// `database=off`.
  ///
  /// - Parameters:
  ///   - text: JSON or YAML as it was sent.
  ///   - checksHash: answer `.unchanged` if the text has the hash of the running configuration.
  ///   - flattensErrors: list every bad entity in `flattened_errors`.
  /// - Throws: the whole answer for a text that is refused (400, code 14) or cannot be taken now (429, 503).
  func loadConfiguration(
    text: String, checksHash: Bool, flattensErrors: Bool
  ) async throws(AdminRefusal) -> ConfigurationLoad

  /// The level below which nothing is logged, in Kong's words (`debug`, `info`, `notice`, `warn`, `error`, …).
  var logLevel: String { get async }

  /// Changes the log level.
  ///
  /// - Parameter timeout: seconds after which the configured level holds again; nil or 0 for never.
  /// - Throws: 400 for a level that does not exist.
  func setLogLevel(_ level: String, timeout: Int?) async throws(AdminRefusal)
}

extension AdminNodeSource {
  public var trustedPlugins: Set<String> { [] }
  public var luaMetrics: [NodeMetric] { [] }
}

/// What of a node does not change while its process runs.
public struct NodeIdentity: Sendable, Hashable {
  /// UUID of the node.
  public var id: String
  public var hostname: String
  public var processID: Int
  /// Ids of the workers as `/` lists them; Sluice's event loops are threads of one process.
  public var workerIDs: [Int]
  /// For example `LuaJIT 2.1`; nil without Lua.
  public var luaVersion: String?

  public init(id: String, hostname: String, processID: Int, workerIDs: [Int], luaVersion: String? = nil) {
    self.id = id
    self.hostname = hostname
    self.processID = processID
    self.workerIDs = workerIDs
    self.luaVersion = luaVersion
  }
}

/// Counters of the proxy since the process started. Source: Kong fact, admin-api §5 (`/status`).
public struct NodeStatistics: Sendable, Hashable {
  public var connectionsAccepted = 0
  public var connectionsHandled = 0
  public var connectionsActive = 0
  public var connectionsReading = 0
  public var connectionsWriting = 0
  public var connectionsWaiting = 0
  public var totalRequests = 0
  public var runningTimers = 0
  public var pendingTimers = 0
  /// Bytes that the Lua state of each worker holds, in the order of `NodeIdentity.workerIDs`.
  public var luaMemory: [Int] = []

  public init() {}
}

/// What became of a configuration that `/config` was given.
public enum ConfigurationLoad: Sendable, Hashable {
  /// It runs now; its entities by collection and id.
  case loaded([String: JSONValue])
  /// It runs already.
  case unchanged
}
