import EntityModel
import Synchronization

/// The configuration of a gateway without a database: what a declarative file or a control plane gave, read-only.
///
/// Safe to use from any task. A reader sees one configuration whole, never half of the next.
public final class MemoryStore: EntityRepository {
  private struct Content: Sendable {
    var reader: SnapshotReader
    var catalogue: PluginCatalogue
    var text: StoredText?
  }

  public let changes = ChangeFeed()
  public var isWritable: Bool { false }

  private let rules: StoreRules
  private let definitions: PluginDefinitions
  private let content: Mutex<Content>

  public init(rules: StoreRules) {
    self.rules = rules
    definitions = PluginDefinitions(rules: rules)
    content = Mutex(
      Content(reader: SnapshotReader(.empty), catalogue: PluginCatalogue(rules.bundled), text: nil))
  }

  // MARK: Configuration

  /// Puts a whole configuration in place of the present one and gives it the next number.
  ///
  /// - Parameter text: the declarative text that it came from, which `configurationText` returns.
  /// - Returns: the snapshot with its number.
  @discardableResult
  public func replace(with snapshot: ConfigSnapshot, text: String? = nil) -> ConfigSnapshot {
    let catalogue = definitions.catalogue(
      custom: rules.isStreamingEnabled ? snapshot[EntityDefinition.customPlugins.name] : [],
      cloned: snapshot[EntityDefinition.clonedPlugins.name])
    let reader = SnapshotReader(snapshot)
    let text = text.map { StoredText($0) }
    let numbered = content.withLock { content in
      let number = content.reader.snapshot.number + 1
      content = Content(reader: reader.numbered(number), catalogue: catalogue, text: text)
      return content.reader.snapshot
    }
    changes.publish()
    return numbered
  }

  /// What `GET /config` answers: the text that was loaded, or the configuration written as one; nil when there is none.
  public var configurationText: String? {
    let (text, snapshot) = content.withLock { ($0.text, $0.reader.snapshot) }
    if let text { return text.text }
    return snapshot.hash == ConfigSnapshot.emptyHash ? nil : DeclarativeExport.text(of: snapshot)
  }

  /// `configuration_hash` of `GET /status`: all zeros for no configuration.
  public var configurationHash: String { content.withLock { $0.reader.snapshot.hash } }

  /// Whether a text is the configuration that runs (`check_hash=1`).
  public func isCurrent(_ text: String) -> Bool {
    configurationHash == ConfigHash.md5(ofText: text.utf8)
  }

  /// The configuration now.
  public var current: ConfigSnapshot { content.withLock { $0.reader.snapshot } }

  // MARK: Reading

  public func select(_ key: EntityKey, from kind: EntityDefinition) async throws(EntityError) -> EntityFields? {
    let (reader, intake) = view
    try intake.check(key, of: kind)
    guard rules.allows(kind), let row = try reader.row(key, of: kind), !intake.isOver(row, of: kind) else { return nil }
    return try reader.presented(row, of: kind, intake)
  }

  public func page(_ request: PageRequest, of kind: EntityDefinition) async throws(EntityError) -> EntityPage {
    guard rules.allows(kind) else { return EntityPage(entities: []) }
    let (reader, intake) = view
    return try reader.presented(try reader.page(request, of: kind), of: kind, intake)
  }

  public func page(
    _ request: PageRequest, of kind: EntityDefinition, linkedBy link: EntityDefinition
  ) async throws(EntityError) -> EntityPage {
    let (reader, intake) = view
    return try reader.presented(try reader.page(request, of: kind, linkedBy: link), of: kind, intake)
  }

  public func tags(_ request: PageRequest, matching tag: String?) async throws(EntityError) -> EntityPage {
    try view.reader.tagPage(request, matching: tag)
  }

  public func validate(_ input: EntityFields, as kind: EntityDefinition) async throws(EntityError) {
    do {
      _ = try view.intake.inserting(input, of: kind)
    } catch {
      throw .schemaViolation(error)
    }
  }

  public var pluginCatalogue: PluginCatalogue {
    get async { content.withLock { $0.catalogue } }
  }

  public func snapshot() async throws(EntityError) -> ConfigSnapshot { current }

  private var view: (reader: SnapshotReader, intake: EntityIntake) {
    let content = content.withLock { $0 }
    return (content.reader, EntityIntake(definitions: definitions, catalogue: content.catalogue))
  }

  // MARK: Writing is refused

  public func insert(_ input: EntityFields, into kind: EntityDefinition) async throws(EntityError) -> EntityFields {
    throw .operationUnsupported(verb: "create", collection: kind.name)
  }

  public func insert(
    _ inputs: [EntityFields], into kind: EntityDefinition
  ) async throws(EntityError) -> [EntityFields] {
    throw .operationUnsupported(verb: "create", collection: kind.name)
  }

  public func update(
    _ key: EntityKey, with changes: EntityFields, in kind: EntityDefinition
  ) async throws(EntityError) -> EntityFields {
    throw .operationUnsupported(verb: "update", collection: kind.name)
  }

  public func upsert(
    _ key: EntityKey, with input: EntityFields, in kind: EntityDefinition
  ) async throws(EntityError) -> EntityFields {
    throw .operationUnsupported(verb: "create or update", collection: kind.name)
  }

  public func delete(_ key: EntityKey, from kind: EntityDefinition) async throws(EntityError) {
    throw .operationUnsupported(verb: "remove", collection: kind.name)
  }

  public func deleteAll(
    where fields: [String: String], from kind: EntityDefinition
  ) async throws(EntityError) -> Int {
    throw .operationUnsupported(verb: "remove", collection: kind.name)
  }
}
