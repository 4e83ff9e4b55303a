/// Where a plugin comes from.
public enum PluginOrigin: Sendable, Hashable {
  case bundled
  case streamed
  /// A clone of the named plugin.
  case cloned(of: String)
}

/// What validation needs to know of one plugin.
public struct PluginDescription: Sendable {
  public var name: String
  public var origin: PluginOrigin
  public var priority: Int
  public var version: String
  public var schema: PluginSchema
  /// False for pre-function and post-function, whose instances may not have a condition.
  public var allowsCondition: Bool

  public init(
    name: String, origin: PluginOrigin, priority: Int, version: String, schema: PluginSchema,
    allowsCondition: Bool = true
  ) {
    self.name = name
    self.origin = origin
    self.priority = priority
    self.version = version
    self.schema = schema
    self.allowsCondition = allowsCondition
  }
}

/// Every plugin that instances may name at one moment: bundled, streamed and cloned.
public struct PluginCatalogue: Sendable {
  private var descriptions: [String: PluginDescription]

  public init(_ descriptions: some Sequence<PluginDescription> = []) {
    self.descriptions = Dictionary(descriptions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  public subscript(name: String) -> PluginDescription? { descriptions[name] }

  public var names: [String] { descriptions.keys.sorted() }

  public mutating func insert(_ description: PluginDescription) { descriptions[description.name] = description }

  public mutating func remove(_ name: String) { descriptions[name] = nil }
}

/// Reads the Lua text of a streamed plugin without running it in the gateway proper.
///
/// Implemented by `LuaRuntime`; declared here so that validation knows only the seam.
public protocol StreamedPluginInspector: Sendable {
  /// Compiles and inspects both chunks in the sandbox, within a time limit.
  ///
  /// Safe to call from any thread; blocks for at most the time limit.
  /// - Throws: `SchemaViolations` with `name`, `schema` or `handler` set to a sentence that names the Lua line.
  func inspect(name: String, schema: String, handler: String) throws(SchemaViolations) -> StreamedPluginInspection
}

/// What inspection found.
public struct StreamedPluginInspection: Sendable {
  public var schema: PluginSchema
  public var priority: Int
  public var version: String
  /// Kong's names of the phases that the handler has a function for.
  public var phases: [String]

  public init(schema: PluginSchema, priority: Int, version: String, phases: [String]) {
    self.schema = schema
    self.priority = priority
    self.version = version
    self.phases = phases
  }
}
