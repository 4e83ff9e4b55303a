import EntityModel

/// A plugin, whatever its origin: bundled (Swift), streamed (Lua text) or cloned (its source under another name).
///
/// Everything after the registry (scoping, ordering, conditions, execution) knows only definitions.
public struct PluginDefinition: Sendable {
  public var description: PluginDescription
  public var phases: PhaseSet
  public var implementation: any PluginImplementation

  public init(description: PluginDescription, phases: PhaseSet, implementation: any PluginImplementation) {
    self.description = description
    self.phases = phases
    self.implementation = implementation
  }

  public var name: String { description.name }
  public var priority: Int { description.priority }
}

/// What turns a configured instance into something that runs.
public protocol PluginImplementation: Sendable {
  /// Makes the executable form of one instance.
  ///
  /// Called once per instance and snapshot, off the event loops; all parsing of the configuration belongs here.
  /// - Throws: `PluginCompileError` when the instance cannot run; the whole snapshot is refused with that reason.
  func makeExecutor(for instance: PluginInstance) throws(PluginCompileError) -> any PluginExecutor

  /// As `makeExecutor(for:)`, for plugins that need more of the snapshot than their own instance.
  func makeExecutor(
    for instance: PluginInstance, in context: PluginCompileContext
  ) throws(PluginCompileError) -> any PluginExecutor
}

extension PluginImplementation {
  public func makeExecutor(
    for instance: PluginInstance, in context: PluginCompileContext
  ) throws(PluginCompileError) -> any PluginExecutor {
    try makeExecutor(for: instance)
  }
}

/// A plugin whose executors use the snapshot's consumers or the log.
public protocol SnapshotAwarePluginImplementation: PluginImplementation {}

extension SnapshotAwarePluginImplementation {
  public func makeExecutor(for instance: PluginInstance) throws(PluginCompileError) -> any PluginExecutor {
    try makeExecutor(for: instance, in: .empty)
  }
}

/// Why a configured instance cannot run.
public struct PluginCompileError: Error, Sendable, CustomStringConvertible {
  public let plugin: String
  public let reason: String

  public init(plugin: String, reason: String) {
    self.plugin = plugin
    self.reason = reason
  }

  public var description: String { "plugin '\(plugin)': \(reason)" }
}

/// One configured plugin of a snapshot.
public struct PluginInstance: Sendable {
  public var id: String
  /// Name of the plugin, also of a clone or a streamed plugin.
  public var pluginName: String
  public var pluginVersion: String
  public var instanceName: String?
  /// The configuration as validated: every field present, unset ones null.
  public var config: JSONValue
  public var routeID: String?
  public var serviceID: String?
  public var consumerID: String?
  public var consumerGroupID: String?

  public init(
    id: String, pluginName: String, pluginVersion: String, instanceName: String? = nil, config: JSONValue,
    routeID: String? = nil, serviceID: String? = nil, consumerID: String? = nil, consumerGroupID: String? = nil
  ) {
    self.id = id
    self.pluginName = pluginName
    self.pluginVersion = pluginVersion
    self.instanceName = instanceName
    self.config = config
    self.routeID = routeID
    self.serviceID = serviceID
    self.consumerID = consumerID
    self.consumerGroupID = consumerGroupID
  }
}

/// The executable form of one configured plugin.
///
/// Shared by all event loops, hence `Sendable`; state of one loop lives behind `RequestContext.loop`.
public protocol PluginExecutor: Sendable {
  /// The phases in which `run` wants to be called.
  var phases: PhaseSet { get }

  /// Prepares what the executor needs on one event loop (say, loads Lua), before the snapshot is swapped in there.
  ///
  /// - Throws: `PluginCompileError`; the snapshot is then refused on every loop.
  func prepare(on loop: LoopServices) throws(PluginCompileError)

  /// Runs one phase of one request. Called on the request's event loop only; must not block.
  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome
}

extension PluginExecutor {
  public func prepare(on loop: LoopServices) throws(PluginCompileError) {}
}

/// How a phase of a plugin ended.
public enum PhaseOutcome {
  /// The plugin has returned. An early response, if it asked for one, is in `RequestContext.earlyResponse`.
  case finished
  /// The plugin waits; it calls `RequestContext.resume(_:)` once, later, on the same event loop.
  /// Only in certificate, rewrite, access and response.
  case suspended
  /// The plugin raised an error. The executor has logged it; the pipeline answers 500 where Kong does.
  case failed
}

/// The state of one event loop that executors share.
///
/// Confined to its loop: created by the composition root, used only on the loop's thread.
public final class LoopServices {
  /// The entities of the configuration that runs on a loop.
  public final class RunningEntities {
    public fileprivate(set) var entities: EntityIndex?
  }

  public let index: Int
  public let node: NodeInfo
  /// Owned by `LuaRuntime`: the loop's Lua state.
  public var scriptHost: AnyObject? {
    @inlinable _read { yield storedScriptHost }
    @inlinable _modify { yield &storedScriptHost }
  }
  @usableFromInline @exclusivity(unchecked) var storedScriptHost: AnyObject?
  /// The entities of the configuration that runs. Set by the proxy.
  public var entities: EntityIndex? {
    get { running.entities }
    set { running.entities = newValue }
  }
  /// For those who outlive the services, or are owned by them.
  public let running = RunningEntities()
  private var keptObjects: [ObjectIdentifier: AnyObject] = [:]
  /// The loop's connections and requests by the names of nginx's status page. Set by the proxy.
  public var connectionStatistics: (() -> [String: Int])?
  private let thread = ThreadMark()
  @exclusivity(unchecked) private var memories: [RequestMemory] = []

  /// To be called on the loop's thread.
  public init(index: Int, node: NodeInfo) {
    self.index = index
    self.node = node
  }

  /// The one object of its kind that plugins keep on this loop, whatever configuration runs; made at its first use.
  public func kept<Kept: AnyObject>(_ kind: Kept.Type, _ make: () -> Kept) -> Kept {
    if let kept = keptObjects[ObjectIdentifier(kind)] as? Kept { return kept }
    let kept = make()
    keptObjects[ObjectIdentifier(kind)] = kept
    return kept
  }

  // MARK: Memory of requests

  /// Requests whose memory is kept: as many as are usually at work at once, not as many as there are connections.
  private static let memoryLimit = 64

  /// Whether the caller runs on the thread that made these services.
  var isOnItsThread: Bool { thread.isCurrent }

  func takeMemory() -> RequestMemory { memories.popLast() ?? RequestMemory() }

  func giveMemory(_ memory: RequestMemory) {
    guard memories.count < Self.memoryLimit, memory.isWorthKeeping else { return }
    memory.clear()
    memories.append(memory)
  }
}
