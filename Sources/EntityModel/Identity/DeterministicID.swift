import Crypto

/// Ids of entities that a declarative file gives none: the same file makes the same ids on every node.
///
/// Source: Kong fact, declarative §2.
public enum DeterministicID {
  /// Root of all name spaces of generated ids.
  public static let rootNamespace = "fd02801f-0957-4a15-a55a-c8d9606f30b5"

  /// Id of the default workspace where none is given.
  public static let defaultWorkspace = "0dc6f45b-8f8d-40d2-a504-473544ee190b"

  /// The version 5 UUID of a name within a name space (RFC 9562 §5.5); nil if the name space is no UUID.
  public static func uuid5(namespace: String, name: String) -> String? {
    guard let prefix = UUIDText.bytes(of: namespace) else { return nil }
    var hash = Insecure.SHA1()
    hash.update(data: prefix)
    hash.update(data: Array(name.utf8))
    return UUIDText.text(Array(hash.finalize()), version: 5)
  }

  /// The id of an entity by the key that makes it unique.
  public static func id(of collection: String, key: String) -> String {
    guard let namespace = uuid5(namespace: rootNamespace, name: collection),
      let id = uuid5(namespace: namespace, name: key)
    else { preconditionFailure("the root name space of generated ids is a UUID") }
    return id
  }

  /// The id of an entity that has none; nil when nothing makes it unique, in which case a random one is in order.
  ///
  /// Foreign fields must already hold `{"id": …}`.
  public static func id(
    of entity: EntityFields, in definition: EntityDefinition, workspace: String = defaultWorkspace
  ) -> String? {
    if let endpointKey = definition.endpointKey, let value = entity[endpointKey]?.string {
      if definition.schema[endpointKey]?.isUnique == true { return id(of: definition.name, key: value) }
      // A key that is unique only below its parent carries the parent's id.
      var parts = [value]
      for field in definition.foreignFields where field.onDelete == .cascade {
        guard let parent = entity[field.name]?["id"]?.string else { return nil }
        parts.append(parent)
      }
      return id(of: definition.name, key: parts.joined(separator: ":"))
    }
    guard !definition.compositeUnique.isEmpty else { return nil }
    let scope = definition.isWorkspaced ? workspace : "*"
    var key = "\(definition.name):\(scope):"
    for name in definition.compositeUnique {
      guard let schema = definition.schema[name], schema.auto == nil else { return nil }
      let part = entity[name]?.string ?? entity[name]?["id"]?.string
      if part == nil, schema.required { return nil }
      key += (part ?? "") + ":"
    }
    return id(of: definition.name, key: key)
  }
}
