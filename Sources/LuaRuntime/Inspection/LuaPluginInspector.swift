import EntityModel
import Synchronization

/// Looks at the two Lua texts of a streamed plugin before it is stored.
///
/// Each text is evaluated in a fresh, sandboxed state with limits of time and memory, apart from the states that serve
/// requests. Results are kept by content, so that a definition is looked at once however often it is read.
/// Safe to use from any thread; blocks for about the time limit per text at most (four times as long on a machine that
/// is busy otherwise), so keep it off the event loops.
/// Source: Kong fact, plugin-entity §4 and §8, schema-library §10.
public final class LuaPluginInspector: StreamedPluginInspector {
  /// What one text may use up.
  public struct Limits: Sendable {
    /// Processor time for one text.
    public var time: Duration
    /// Memory of one state.
    public var memoryBytes: Int
    public var sourceBytes: Int
    /// Bounds of coroutines, strings and patterns, as when the plugin runs.
    public var quota: LuaQuota

    public init(
      time: Duration = .seconds(1), memoryBytes: Int = 64 << 20, sourceBytes: Int = 1 << 20,
      quota: LuaQuota = LuaQuota()
    ) {
      self.time = time
      self.memoryBytes = max(memoryBytes, 4 << 20)
      self.sourceBytes = sourceBytes
      self.quota = quota
    }
  }

  private let limits: Limits
  private let schemaEnvironment = InspectionEnvironment.schema
  private let handlerEnvironment: InspectionEnvironment
  private let cache = Mutex(Cache())

  /// - Parameters:
  ///   - modules: what handlers may `require`; the modules that the runtime provides.
  ///   - mode: what they may do once they run, so that what they keep at their top level is there.
  public init(limits: Limits = Limits(), modules: [String] = SandboxModules.strict, mode: SandboxMode = .strict) {
    self.limits = limits
    handlerEnvironment = .handler(modules: modules, mode: mode)
  }

  public func inspect(
    name: String, schema: String, handler: String
  ) throws(SchemaViolations) -> StreamedPluginInspection {
    let key = Cache.Key(name: name, schema: schema, handler: handler)
    if let known = cache.withLock({ $0[key] }) { return try known.get() }
    let (outcome, isLasting) = inspect(key)
    // A text that was too slow may be fast enough on a less busy machine.
    if isLasting { cache.withLock { $0.insert(outcome, for: key) } }
    return try outcome.get()
  }

  /// The name that a schema gives its plugin; nil if the text cannot be evaluated or gives none.
  ///
  /// - Parameter supposed: What a schema gets that asks for its plugin's name.
  public func name(inSchema schema: String, supposed: String = "plugin") -> String? {
    do throws(ChunkInspection.Refusal) {
      let tree = try ChunkInspection(
        chunk: .schema, environment: schemaEnvironment, plugin: supposed, limits: limits
      ).evaluate(schema)
      if case .string(let name)? = tree["name"] { return name }
      return nil
    } catch {
      return nil
    }
  }

  private func inspect(_ key: Cache.Key) -> (outcome: Cache.Outcome, isLasting: Bool) {
    var violations = SchemaViolations()
    var isLasting = true
    var pluginSchema: PluginSchema?
    do throws(ChunkInspection.Refusal) {
      let tree = try ChunkInspection(
        chunk: .schema, environment: schemaEnvironment, plugin: key.name, limits: limits
      ).evaluate(key.schema)
      do throws(SchemaViolations) {
        pluginSchema = try SchemaReader.read(tree, expectedName: key.name)
      } catch {
        violations.fields.merge(error.fields) { $1 }
      }
    } catch {
      violations.fields["schema"] = .string(error.message)
      isLasting = error.isLasting
    }

    var properties: (priority: Int, version: String, phases: [String])?
    do throws(ChunkInspection.Refusal) {
      let tree = try ChunkInspection(
        chunk: .handler, environment: handlerEnvironment, plugin: key.name, limits: limits
      ).evaluate(key.handler)
      properties = try HandlerReader.read(tree)
    } catch {
      violations.fields["handler"] = .string(error.message)
      isLasting = isLasting && error.isLasting
    }

    guard let pluginSchema, let properties else { return (.failure(violations), isLasting) }
    return (
      .success(
        StreamedPluginInspection(
          schema: pluginSchema, priority: properties.priority, version: properties.version, phases: properties.phases)),
      isLasting
    )
  }

  /// The last outcomes, the oldest of which make room for new ones.
  private struct Cache {
    typealias Outcome = Result<StreamedPluginInspection, SchemaViolations>

    /// The content itself, so that no two contents can be taken for one another.
    struct Key: Hashable {
      var name: String
      var schema: String
      var handler: String

      var size: Int { name.utf8.count + schema.utf8.count + handler.utf8.count }
    }

    private static let countLimit = 256
    private static let sizeLimit = 16 << 20

    private var outcomes: [Key: Outcome] = [:]
    private var order: [Key] = []
    private var size = 0

    subscript(key: Key) -> Outcome? { outcomes[key] }

    mutating func insert(_ outcome: Outcome, for key: Key) {
      guard outcomes.updateValue(outcome, forKey: key) == nil else { return }
      order.append(key)
      size += key.size
      while order.count > Self.countLimit || size > Self.sizeLimit, !order.isEmpty {
        let oldest = order.removeFirst()
        outcomes[oldest] = nil
        size -= oldest.size
      }
    }
  }
}
