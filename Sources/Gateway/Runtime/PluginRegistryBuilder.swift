import BundledPlugins
import EntityModel
import LuaRuntime
import PluginKit

/// Makes the registry of a configuration from its three lists: bundled, streamed and cloned plugins.
struct PluginRegistryBuilder: Sendable {
  let inspector: any StreamedPluginInspector
  let luaSettings: LuaRuntime.LuaSettings
  let isStreamingEnabled: Bool
  private let bundled: [PluginDefinition]

  init(inspector: any StreamedPluginInspector, luaSettings: LuaRuntime.LuaSettings, isStreamingEnabled: Bool) {
    self.inspector = inspector
    self.luaSettings = luaSettings
    self.isStreamingEnabled = isStreamingEnabled
    bundled = BundledPlugins.all + LuaBundledPlugins.all(settings: luaSettings)
  }

  /// What is wrong with a definition, so that the configuration cannot run.
  struct Problem: Error, CustomStringConvertible {
    let definition: String
    let reason: String

    var description: String { "plugin definition '\(definition)': \(reason)" }
  }

  /// - Parameter known: the streamed plugins of the configuration before; becomes those of this one. A definition that
  ///   did not change stays the same one.
  func registry(
    for snapshot: ConfigSnapshot, remembering known: inout StreamedDefinitions
  ) throws(Problem) -> PluginRegistry {
    var definitions = bundled
    var made = StreamedDefinitions()
    if isStreamingEnabled {
      for entity in snapshot["custom_plugins"] {
        let definition: PluginDefinition
        if let same = known.definition(of: entity) { definition = same } else { definition = try streamed(entity) }
        made.insert(definition, of: entity)
        definitions.append(definition)
      }
    }
    known = made
    let sources = Dictionary(definitions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for entity in snapshot["cloned_plugins"] {
      guard let name = entity["name"]?.string, let ref = entity["ref"]?.string else { continue }
      // A clone of a plugin that this node does not have yet is only a definition; an instance of it is refused when
      // the snapshot is compiled.
      guard let source = sources[ref] else { continue }
      var clone = source
      clone.description.name = name
      clone.description.origin = .cloned(of: ref)
      clone.description.schema.name = name
      if let priority = entity["priority"]?.integer { clone.description.priority = Int(priority) }
      definitions.append(clone)
    }
    return PluginRegistry(definitions)
  }

  private func streamed(_ entity: EntityFields) throws(Problem) -> PluginDefinition {
    let name = entity["name"]?.string ?? ""
    let handler = entity["handler"]?.string ?? ""
    let inspection: StreamedPluginInspection
    do {
      inspection = try inspector.inspect(name: name, schema: entity["schema"]?.string ?? "", handler: handler)
    } catch {
      throw Problem(definition: name, reason: JSONValue.object(error.document).serializedString)
    }
    let phases = PhaseSet(inspection.phases.compactMap { Phase(name: $0) })
    return PluginDefinition(
      description: PluginDescription(
        name: name, origin: .streamed, priority: inspection.priority, version: inspection.version,
        schema: inspection.schema),
      phases: phases,
      implementation: LuaPlugin(
        name: name, version: inspection.version, source: handler, phases: phases, settings: luaSettings,
        schema: inspection.schema))
  }
}

/// Streamed plugins with the entities they were made of.
struct StreamedDefinitions {
  private var byName: [String: (entity: EntityFields, definition: PluginDefinition)] = [:]

  func definition(of entity: EntityFields) -> PluginDefinition? {
    guard let known = byName[entity["name"]?.string ?? ""], known.entity == entity else { return nil }
    return known.definition
  }

  mutating func insert(_ definition: PluginDefinition, of entity: EntityFields) {
    byName[definition.name] = (entity, definition)
  }
}
