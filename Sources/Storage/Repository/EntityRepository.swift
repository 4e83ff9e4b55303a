import EntityModel

/// Everything the Admin API, the router builder and the cluster need from a store of entities.
///
/// Implementations: `EntityStore` (a database) and `MemoryStore` (a declarative file; read-only). All methods may be
/// called from any task at any time; each write is one transaction. Errors are Kong's, ready for the Admin API.
public protocol EntityRepository: Sendable {
  /// Stores a new entity: defaults and automatic values filled, references by name resolved.
  ///
  /// - Returns: the complete entity as the Admin API shows it.
  func insert(_ input: EntityFields, into kind: EntityDefinition) async throws(EntityError) -> EntityFields

  /// Creates several entities, or none of them.
  func insert(_ inputs: [EntityFields], into kind: EntityDefinition) async throws(EntityError) -> [EntityFields]

  func select(_ key: EntityKey, from kind: EntityDefinition) async throws(EntityError) -> EntityFields?

  /// One page in the order of primary keys.
  func page(_ request: PageRequest, of kind: EntityDefinition) async throws(EntityError) -> EntityPage

  /// One page of the entities that rows of `link` connect with another one: the consumers of a group, the groups of a
  /// consumer.
  ///
  /// - Parameter request: its `parent` is the link's field that refers to the other one, and that one's id.
  func page(
    _ request: PageRequest, of kind: EntityDefinition, linkedBy link: EntityDefinition
  ) async throws(EntityError) -> EntityPage

  /// Merges the changes into the stored entity and validates the whole.
  ///
  /// - Throws: `.notFound` when there is no such entity.
  func update(
    _ key: EntityKey, with changes: EntityFields, in kind: EntityDefinition
  ) async throws(EntityError) -> EntityFields

  /// Creates or replaces: absent fields go to their defaults. The key wins over an id or name in the input.
  func upsert(
    _ key: EntityKey, with input: EntityFields, in kind: EntityDefinition
  ) async throws(EntityError) -> EntityFields

  /// Removes the entity and what hangs on it; deleting what does not exist is no error.
  func delete(_ key: EntityKey, from kind: EntityDefinition) async throws(EntityError)

  /// Removes every entity whose fields have these values (the id for a foreign field), in one transaction.
  ///
  /// - Returns: how many there were.
  @discardableResult
  func deleteAll(where fields: [String: String], from kind: EntityDefinition) async throws(EntityError) -> Int

  /// Checks an input as `insert` would, but neither references nor uniqueness.
  func validate(_ input: EntityFields, as kind: EntityDefinition) async throws(EntityError)

  /// Rows `{entity_name, entity_id, tag}`, all of them or those of one tag.
  func tags(_ request: PageRequest, matching tag: String?) async throws(EntityError) -> EntityPage

  /// Every plugin that instances may name now; cheap.
  var pluginCatalogue: PluginCatalogue { get async }

  /// The whole configuration at one moment.
  func snapshot() async throws(EntityError) -> ConfigSnapshot

  /// False when every write is refused (`database=off`).
  var isWritable: Bool { get }

  /// Fires after each committed change of what `snapshot` returns.
  var changes: ChangeFeed { get }
}

/// How a caller addresses one entity.
public enum EntityKey: Sendable, Hashable {
  /// A UUID in lower case.
  case id(String)
  /// The value of the kind's endpoint key; for certificates the name of one of their SNIs.
  case endpointKey(String)
  /// An endpoint key that is unique only within a parent: a target (`host:port`) of an upstream.
  case keyInParent(String, field: String, parent: String)
}

extension EntityKey {
  /// Decides as Kong does: a UUID is an id, anything else an endpoint key. Source: Kong fact, admin-api §1.
  ///
  /// - Parameter text: a path segment, percent-decoded.
  /// - Throws: `.invalidPrimaryKey` for a text that is no UUID when the kind has no endpoint key.
  public init(parsing text: String, of kind: EntityDefinition) throws(EntityError) {
    if UUIDText.isUUID(text) {
      self = .id(text.lowercased())
    } else if kind.endpointKey != nil || kind.name == "certificates" {
      self = .endpointKey(text)
    } else {
      throw .invalidPrimaryKey()
    }
  }
}

/// What a list asks for.
public struct PageRequest: Sendable {
  public var size: Int
  /// The opaque token of the page before.
  public var offset: String?
  public var tags: TagFilter?
  /// Only entities whose foreign field refers to this id.
  public var parent: (field: String, id: String)?
  /// Only entities whose fields have these values, for example `custom_id`.
  public var equals: [String: String]

  public init(
    size: Int = Self.defaultSize, offset: String? = nil, tags: TagFilter? = nil,
    parent: (field: String, id: String)? = nil, equals: [String: String] = [:]
  ) {
    self.size = size
    self.offset = offset
    self.tags = tags
    self.parent = parent
    self.equals = equals
  }

  public static let defaultSize = 100
  /// What a client of the Admin API may ask for; callers within the process may ask for more.
  public static let sizes = 1...1000

  /// At least one and small enough to count with.
  var boundedSize: Int { min(max(size, 1), 1_000_000) }

  /// The `size` argument of a query.
  ///
  /// - Throws: `.invalidSize` with Kong's texts.
  public static func size(parsing text: String) throws(EntityError) -> Int {
    guard let number = Double(text) else {
      throw .invalidSize(isNumber: false)
    }
    guard let size = Int(exactly: number), sizes.contains(size) else {
      throw .invalidSize(isNumber: true)
    }
    return size
  }
}

/// One page of a list.
public struct EntityPage: Sendable {
  public var entities: [EntityFields]
  /// Token of the next page, nil on the last one.
  public var nextOffset: String?

  public init(entities: [EntityFields], nextOffset: String? = nil) {
    self.entities = entities
    self.nextOffset = nextOffset
  }
}

/// The `tags` argument of a list: all of them (`a,b`) or any of them (`a/b`).
public enum TagFilter: Sendable, Hashable {
  case all([String])
  case any([String])

  public static let maximumCount = 5

  /// Source: Kong fact, admin-api §3 (texts included).
  ///
  /// - Throws: `.invalidOptions`.
  public init(parsing text: String) throws(EntityError) {
    guard !text.isEmpty else { throw Self.invalid("cannot be null") }
    let hasComma = text.contains(",")
    let hasSlash = text.contains("/")
    guard !(hasComma && hasSlash) else { throw Self.invalid("invalid filter syntax") }
    let separator: Character = hasSlash ? "/" : ","
    let parts = text.split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    guard parts.allSatisfy({ !$0.isEmpty }) else { throw Self.invalid("invalid filter syntax") }
    guard parts.count <= Self.maximumCount else {
      throw Self.invalid("cannot query more than \(Self.maximumCount) tags")
    }
    self = hasSlash ? .any(parts) : .all(parts)
  }

  /// Whether an entity carries the tags that are asked for.
  func matches(_ entity: EntityFields) -> Bool {
    let tags = Set((entity["tags"]?.array ?? []).compactMap(\.string))
    return switch self {
    case .all(let wanted): wanted.allSatisfy(tags.contains)
    case .any(let wanted): wanted.contains(where: tags.contains)
    }
  }

  private static func invalid(_ reason: String) -> EntityError {
    .invalidOptions(["tags": reason])
  }
}
