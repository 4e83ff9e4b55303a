import EntityModel

/// The consumers of a snapshot with their credentials and groups, as tables to look things up in.
///
/// Built once per snapshot, off the event loops, and shared by all executors of it.
public final class ConsumerDirectory: Sendable {
  private let byID: [String: ConsumerInfo]
  private let byUsername: [String: ConsumerInfo]
  private let byCustomID: [String: ConsumerInfo]
  private let keys: [String: KeyCredential]
  private let accessGroups: [String: AccessGroups]
  private let groups: [String: [JSONValue]]
  private let groupsByName: [String: JSONValue]

  public static let empty = ConsumerDirectory(.empty)

  public init(_ snapshot: ConfigSnapshot) {
    var byID: [String: ConsumerInfo] = [:]
    var byUsername: [String: ConsumerInfo] = [:]
    var byCustomID: [String: ConsumerInfo] = [:]
    for entity in snapshot["consumers"] {
      let consumer = ConsumerInfo(entity: .object(entity))
      byID[consumer.id] = consumer
      if let username = consumer.username { byUsername[username] = consumer }
      if let customID = consumer.customID { byCustomID[customID] = consumer }
    }
    var keys: [String: KeyCredential] = [:]
    for entity in snapshot["keyauth_credentials"] {
      guard let key = entity["key"]?.string, let consumer = entity["consumer"]?["id"]?.string.flatMap({ byID[$0] })
      else { continue }
      keys[key] = KeyCredential(entity: .object(entity), consumer: consumer)
    }
    var names: [String: [String]] = [:]
    for entity in snapshot["acls"] {
      guard let consumer = entity["consumer"]?["id"]?.string, let group = entity["group"]?.string else { continue }
      names[consumer, default: []].append(group)
    }
    let groupEntities = Dictionary(
      snapshot["consumer_groups"].compactMap { entity in entity["id"]?.string.map { ($0, JSONValue.object(entity)) } },
      uniquingKeysWith: { first, _ in first })
    var groups: [String: [JSONValue]] = [:]
    for entity in snapshot["consumer_group_consumers"] {
      guard let consumer = entity["consumer"]?["id"]?.string,
        let group = entity["consumer_group"]?["id"]?.string.flatMap({ groupEntities[$0] })
      else { continue }
      groups[consumer, default: []].append(group)
    }
    groupsByName = Dictionary(
      groupEntities.values.compactMap { group in group["name"]?.string.map { ($0, group) } },
      uniquingKeysWith: { first, _ in first })
    self.byID = byID
    self.byUsername = byUsername
    self.byCustomID = byCustomID
    self.keys = keys
    // Consumers of the same groups share them.
    var lists: [[String]: AccessGroups] = [:]
    self.accessGroups = names.mapValues { names in
      if let known = lists[names] { return known }
      let made = AccessGroups(names)
      lists[names] = made
      return made
    }
    self.groups = groups.mapValues { members in
      members.sorted { ($0["name"]?.string ?? "") < ($1["name"]?.string ?? "") }
    }
  }

  /// Every consumer, in no order.
  public var all: some Collection<ConsumerInfo> { byID.values }

  public func consumer(id: String) -> ConsumerInfo? { byID[id] }

  public func consumer(username: String) -> ConsumerInfo? { byUsername[username] }

  public func consumer(customID: String) -> ConsumerInfo? { byCustomID[customID] }

  /// The consumer that the `anonymous` setting of an authentication plugin names, by id or by username.
  public func consumer(idOrUsername text: String) -> ConsumerInfo? { byID[text] ?? byUsername[text] }

  public func keyCredential(_ key: String) -> KeyCredential? { keys[key] }

  /// The groups of `acls` that a consumer is in; nil for none.
  public func accessGroups(ofConsumer id: String) -> AccessGroups? { accessGroups[id] }

  /// A consumer group as an entity.
  public func consumerGroup(name: String) -> JSONValue? { groupsByName[name] }

  /// The consumer groups that a consumer is a member of, as entities, by name.
  public func consumerGroups(ofConsumer id: String) -> [JSONValue] { groups[id] ?? [] }
}

/// A key of the key-auth plugin and its clones.
public final class KeyCredential: Sendable {
  public let id: String
  public let consumer: ConsumerInfo
  public let entity: JSONValue
  /// Seconds since the epoch; nil for a key that does not expire.
  private let expiresAt: Int64?

  public init(entity: JSONValue, consumer: ConsumerInfo) {
    self.entity = entity
    self.consumer = consumer
    id = entity["id"]?.string ?? ""
    expiresAt = entity.object.flatMap(Lifetime.expiry)
  }

  /// - Parameter milliseconds: since the epoch.
  public func isValid(atMilliseconds milliseconds: Int64) -> Bool {
    guard let expiresAt else { return true }
    return milliseconds / 1000 < expiresAt
  }
}

/// The groups that the acl plugin compares, with the text that the upstream is shown.
public struct AccessGroups: Sendable {
  public let names: [String]
  /// Joined with `, `.
  public let headerText: String

  public init(_ names: [String]) {
    self.names = names
    headerText = names.joined(separator: ", ")
  }

  public static let none = AccessGroups([])
}
