import EntityModel
import Storage

/// Consumer groups with their members. Source: Kong fact, clients; the bodies follow Kong's OpenAPI document.
enum ConsumerGroupEndpoints {
  /// The endpoints of entities, where reading a consumer group is wrapped, and those of memberships.
  static func adding(to endpoints: [AdminEndpoint], of kinds: [EntityDefinition]) -> [AdminEndpoint] {
    guard kinds.contains(where: { $0.name == EntityDefinition.consumerGroupMembers.name }),
      let groups = ConsumerGroupSide(.consumerGroups, member: .consumers, parameter: "consumer"),
      let consumers = ConsumerGroupSide(.consumers, member: .consumerGroups, parameter: "group")
    else { return endpoints }
    let single = "/\(groups.path)/{\(groups.kind.name)}"
    return endpoints.map { endpoint in
      endpoint.path == single ? endpoint.replacing(.get) { try await read($0, $1, groups) } : endpoint
    } + groups.endpoints + consumers.endpoints + [
      AdminEndpoint(
        absent: "\(single)/overrides/plugins/rate-limiting-advanced",
        because: "Not found: the plugin rate-limiting-advanced is not available, so groups have nothing to override; "
          + "scope instances of other plugins to a group with /consumer_groups/{group}/plugins")
    ]
  }

  /// A group with what belongs to it; `?list_consumers=false` leaves the members out.
  private static func read(
    _ request: AdminRequest, _ services: AdminServices, _ side: ConsumerGroupSide
  ) async throws -> AdminResponse {
    let (group, id) = try await side.owner(request, services)
    let members = request.query["list_consumers"] == "false" ? [] : try await side.everyMember(of: id, services)
    let instances = try await services.repository.page(
      PageRequest(size: PageRequest.sizes.upperBound, parent: ("consumer_group", id)), of: .plugins)
    return .ok([
      "consumer_group": .object(group), "consumers": .array(members.map(JSONValue.object)),
      "plugins": .array(instances.entities.map(JSONValue.object)),
    ])
  }
}

/// Memberships seen from one side: the consumers of a group, or the groups of a consumer.
struct ConsumerGroupSide: Sendable {
  let kind: EntityDefinition
  let path: String
  let member: EntityDefinition
  let memberPath: String
  /// Name of the member of a body that says who is added.
  let parameter: String
  private let link = EntityDefinition.consumerGroupMembers
  private let ownField: String
  private let memberField: String

  /// Nil where the declarations do not make it a side.
  init?(_ kind: EntityDefinition, member: EntityDefinition, parameter: String) {
    func field(to other: EntityDefinition) -> String? {
      EntityDefinition.consumerGroupMembers.foreignFields.first { $0.reference == other.name }?.name
    }
    guard let path = kind.adminPath, let memberPath = member.adminPath, let ownField = field(to: kind),
      let memberField = field(to: member)
    else { return nil }
    self.kind = kind
    self.path = path
    self.member = member
    self.memberPath = memberPath
    self.parameter = parameter
    self.ownField = ownField
    self.memberField = memberField
  }

  var endpoints: [AdminEndpoint] {
    let collection = "/\(path)/{\(kind.name)}/\(memberPath)"
    let isGroup = kind.name == EntityDefinition.consumerGroups.name
    return [
      AdminEndpoint(
        collection,
        isGroup
          ? "Lists the consumers of a group, adds one (`consumer`, by id or username), or removes all."
          : "Lists the groups of a consumer, puts it into one (`group`, by id or name), or takes it out of all.",
        [.get: { try await list($0, $1) }, .post: { try await add($0, $1) }, .delete: { try await removeAll($0, $1) }]),
      AdminEndpoint(
        "\(collection)/{\(member.name)}", "Takes a consumer out of a group.",
        [.delete: { try await remove($0, $1) }]),
    ]
  }

  /// The entity in the path.
  func owner(_ request: AdminRequest, _ services: AdminServices) async throws -> (entity: EntityFields, id: String) {
    let key = try EntityKey(parsing: request.parameters[0], of: kind)
    guard let entity = try await services.repository.select(key, from: kind), let id = entity["id"]?.string else {
      throw AdminRefusal.notFound
    }
    return (entity, id)
  }

  func everyMember(of id: String, _ services: AdminServices) async throws -> [EntityFields] {
    var asked = PageRequest(size: PageRequest.sizes.upperBound, parent: (ownField, id))
    var members: [EntityFields] = []
    repeat {
      let page = try await services.repository.page(asked, of: member, linkedBy: link)
      members += page.entities
      asked.offset = page.nextOffset
    } while asked.offset != nil
    return members
  }

  private func list(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let (_, id) = try await owner(request, services)
    var asked = try request.page()
    asked.parent = (ownField, id)
    let page = try await services.repository.page(asked, of: member, linkedBy: link)
    return .ok(page.document(path: "/\(path)/\(id)/\(memberPath)", repeating: nil))
  }

  /// Adds one member, or several given as a list. Answers with the owner and those that were added.
  private func add(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let (entity, id) = try await owner(request, services)
    let names = try names(in: try request.body.fields(FormInference()))
    var added: [(entity: EntityFields, id: String)] = []
    for name in names {
      let key = try EntityKey(parsing: name, of: member)
      guard let other = try await services.repository.select(key, from: member), let otherID = other["id"]?.string
      else { throw AdminRefusal.message(404, "Not found: there is no \(parameter) '\(name)'") }
      if added.contains(where: { $0.id == otherID }) { continue }
      added.append((other, otherID))
    }
    let memberships = added.map { ["id": .string($0.id)] as JSONValue }
    do {
      _ = try await services.repository.insert(
        memberships.map { [ownField: ["id": .string(id)], memberField: $0] }, into: link)
    } catch {
      guard error.code == .uniqueViolation, let consumer = error.fields["consumer"]?["id"]?.string,
        let group = error.fields["consumer_group"]?["id"]?.string
      else { throw error }
      throw AdminRefusal.message(409, "Consumer '\(consumer)' already in group '\(group)'")
    }
    return .created([
      memberField == "consumer" ? "consumer_group" : "consumer": .object(entity),
      memberField == "consumer" ? "consumers" : "consumer_groups": .array(added.map { .object($0.entity) }),
    ])
  }

  private func names(in fields: EntityFields) throws -> [String] {
    if let unknown = fields.keys.sorted().first(where: { $0 != parameter }) {
      throw EntityError.schemaViolation(SchemaViolations(fields: [unknown: "unknown field"]))
    }
    switch fields[parameter] {
    case nil, .null: throw AdminRefusal.message(400, "must provide \(parameter)")
    case .string(let name): return [name]
    case .array(let elements) where !elements.isEmpty && elements.allSatisfy { $0.string != nil }:
      return elements.compactMap(\.string)
    default:
      throw EntityError.schemaViolation(
        SchemaViolations(fields: [parameter: "expected an id or a name, or a list of them"]))
    }
  }

  private func remove(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let (_, id) = try await owner(request, services)
    let key = try EntityKey(parsing: request.parameters[1], of: member)
    guard let other = try await services.repository.select(key, from: member)?["id"]?.string else {
      throw AdminRefusal.notFound
    }
    try await services.repository.deleteAll(where: [ownField: id, memberField: other], from: link)
    return .noContent
  }

  /// Source: Kong's OpenAPI document, which answers 404 for a group without members and 204 for a consumer without
  /// groups.
  private func removeAll(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let (_, id) = try await owner(request, services)
    let count = try await services.repository.deleteAll(where: [ownField: id], from: link)
    guard count > 0 || kind.name == EntityDefinition.consumers.name else {
      throw AdminRefusal.message(404, "Not found: the consumer group has no consumers")
    }
    return .noContent
  }
}
