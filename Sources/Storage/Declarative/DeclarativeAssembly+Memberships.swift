import EntityModel

/// Members of consumer groups as files name them: by their group below a consumer, or by their consumer below a group.
///
/// Source: Kong fact, declarative §1; `groups` below consumers is how decK writes them.
extension DeclarativeAssembly {
  /// A list of names below one entity, each of which stands for a membership.
  struct MembershipList {
    /// As it is called in the file.
    let key: String
    /// The field of the membership that refers to the named ones.
    let field: String
    let value: JSONValue
  }

  /// Takes the lists of an entity's memberships out of it.
  func takeMemberships(from members: inout EntityFields, of kind: EntityDefinition) -> [MembershipList] {
    let keys: [(key: String, field: String)]
    switch kind.name {
    case EntityDefinition.consumers.name: keys = [("groups", "consumer_group"), ("consumer_groups", "consumer_group")]
    case EntityDefinition.consumerGroups.name: keys = [("consumers", "consumer")]
    default: return []
    }
    return keys.compactMap { key, field in
      members.removeValue(forKey: key).map { MembershipList(key: key, field: field, value: $0) }
    }
  }

  /// Turns the names of a list into memberships of the entity at `owner`.
  mutating func collectMemberships(_ list: MembershipList, of owner: Int, at path: [DeclaredEntity.Step]) {
    let links = EntityDefinition.consumerGroupMembers
    guard let ownField = links.foreignFields.first(where: { $0.reference == entities[owner].kind.name })?.name else {
      return
    }
    let names: JSONValue
    switch list.value {
    case .array(let elements): names = .array(elements.map { Self.membership(naming: $0, by: list.field) })
    default: names = list.value
    }
    collect(names, of: links, at: path + [.key(list.key)], parent: (owner, ownField))
  }

  /// The membership for an element: an id or name as text, or a record that has one.
  ///
  /// Other members of the record become the membership's, so that validation says that they are unknown.
  private static func membership(naming element: JSONValue, by field: String) -> JSONValue {
    guard case .object(let members) = element else { return .object([field: element]) }
    let names: Set<String> = ["id", "name", "username"]
    var membership = members.filter { !names.contains($0.key) }
    membership[field] = .object(members.filter { names.contains($0.key) })
    return .object(membership)
  }
}
