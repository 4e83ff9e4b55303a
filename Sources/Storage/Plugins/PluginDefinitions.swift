import EntityModel
import Synchronization

/// Makes the catalogue of plugins from what is compiled in and what the configuration defines.
///
/// The catalogue is remembered until the definitions of the store change, and a streamed plugin is inspected once for
/// each of its texts, so asking for the catalogue costs next to nothing.
final class PluginDefinitions: Sendable {
  let rules: StoreRules
  /// The inspector of the rules with a memory; nil where streamed plugins cannot be stored.
  let inspector: RememberingInspector?

  private let bundled: PluginCatalogue
  private let remembered: Mutex<(revision: UInt64, catalogue: PluginCatalogue)?>

  init(rules: StoreRules) {
    self.rules = rules
    inspector = rules.inspector.map(RememberingInspector.init)
    bundled = PluginCatalogue(rules.bundled)
    remembered = Mutex(nil)
  }

  func isBundled(_ name: String) -> Bool { bundled[name] != nil }

  /// What can be said without asking the store.
  var lastKnown: PluginCatalogue { remembered.withLock { $0?.catalogue } ?? bundled }

  /// The catalogue as of the reader's view.
  ///
  /// In a transaction it must be asked for before any definition is written.
  func catalogue(in reader: some StorageReader) throws(EntityError) -> PluginCatalogue {
    let revision = try reader.revision(of: .definitions)
    if let known = remembered.withLock({ $0 }), known.revision == revision { return known.catalogue }
    let custom = rules.isStreamingEnabled ? try reader.rows(RowQuery(), of: .customPlugins) : []
    let cloned = try reader.rows(RowQuery(), of: .clonedPlugins)
    let catalogue = catalogue(custom: custom, cloned: cloned)
    remembered.withLock { known in
      if (known?.revision ?? 0) <= revision { known = (revision, catalogue) }
    }
    return catalogue
  }

  /// The catalogue with these definitions. A definition that this node cannot load is left out: its instances are then
  /// refused by name.
  func catalogue(custom: some Sequence<EntityFields>, cloned: some Sequence<EntityFields>) -> PluginCatalogue {
    var catalogue = bundled
    for definition in custom {
      if let description = description(ofStreamed: definition) { catalogue.insert(description) }
    }
    for definition in cloned {
      if let description = description(ofClone: definition, in: bundled) { catalogue.insert(description) }
    }
    return catalogue
  }

  private func description(ofStreamed definition: EntityFields) -> PluginDescription? {
    guard let inspector, let name = definition["name"]?.string, let schema = definition["schema"]?.string,
      let handler = definition["handler"]?.string,
      let inspection = try? inspector.inspect(name: name, schema: schema, handler: handler)
    else { return nil }
    return PluginDescription(
      name: name, origin: .streamed, priority: inspection.priority, version: inspection.version,
      schema: inspection.schema)
  }

  private func description(ofClone definition: EntityFields, in catalogue: PluginCatalogue) -> PluginDescription? {
    guard let name = definition["name"]?.string, let ref = definition["ref"]?.string, let source = catalogue[ref]
    else { return nil }
    var description = source
    description.name = name
    description.origin = .cloned(of: ref)
    description.schema.name = name
    if let priority = definition["priority"]?.integer { description.priority = Int(priority) }
    return description
  }
}

/// An inspector that answers the same texts from memory.
final class RememberingInspector: StreamedPluginInspector {
  private struct Texts: Hashable {
    let name: String
    let schema: String
    let handler: String
  }

  /// Definitions in use are few; what lies beyond is left from texts that were replaced.
  private static let capacity = 1024

  private let inspector: any StreamedPluginInspector
  private let known = Mutex<[Texts: StreamedPluginInspection]>([:])

  init(_ inspector: any StreamedPluginInspector) { self.inspector = inspector }

  func inspect(name: String, schema: String, handler: String) throws(SchemaViolations) -> StreamedPluginInspection {
    let texts = Texts(name: name, schema: schema, handler: handler)
    if let inspection = known.withLock({ $0[texts] }) { return inspection }
    let inspection = try inspector.inspect(name: name, schema: schema, handler: handler)
    known.withLock { known in
      if known.count >= Self.capacity { known.removeAll() }
      known[texts] = inspection
    }
    return inspection
  }
}
