import EntityModel
import Storage

/// The endpoints of one foreign field: `/services/{services}/routes` and what is below it, and
/// `/routes/{routes}/service`. Source: Kong fact, admin-api §1.
struct EntityRelation: Sendable {
  let child: EntityDefinition
  /// The foreign field of the child.
  let field: String
  let parent: EntityDefinition
  let parentPath: String
  let childPath: String

  /// Nil where parent or child has no path.
  init?(child: EntityDefinition, field: String, parent: EntityDefinition) {
    guard let parentPath = parent.adminPath, let childPath = child.nestedAdminPath else { return nil }
    self.child = child
    self.field = field
    self.parent = parent
    self.parentPath = parentPath
    self.childPath = childPath
  }

  // MARK: Children below their parent

  var childEndpoints: [AdminEndpoint] {
    let collection = "/\(parentPath)/{\(parent.name)}/\(childPath)"
    return [
      AdminEndpoint(
        collection, "Lists the \(child.name) whose \(field) it is, or creates one.",
        [.get: { try await list($0, $1) }, .post: { try await create($0, $1) }]),
      AdminEndpoint(
        "\(collection)/{\(child.name)}",
        "Reads, replaces or creates, changes, or deletes one of these \(child.name)\(child.nestedAddressing).",
        [
          .get: { try await read($0, $1) }, .put: { try await replace($0, $1) },
          .patch: { try await change($0, $1) }, .delete: { try await delete($0, $1) },
        ]),
    ]
  }

  func list(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let parentID = try await parentID(request, services)
    var asked = try request.page()
    asked.parent = (field, parentID)
    let page = try await services.repository.page(asked, of: child)
    return .ok(page.document(path: "/\(parentPath)/\(parentID)/\(childPath)", repeating: nil))
  }

  private func create(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let parentID = try await parentID(request, services)
    var fields = try await request.fields(of: child, services)
    fields[field] = ["id": .string(parentID)]
    return .created(try await services.repository.insert(fields, into: child))
  }

  private func read(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let parentID = try await parentID(request, services)
    return try EntityEndpoints.shown(await stored(request, services, parentID: parentID).entity)
  }

  private func replace(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let parentID = try await parentID(request, services)
    let (key, _) = try await stored(request, services, parentID: parentID)
    var fields = try await request.fields(of: child, services)
    fields[field] = ["id": .string(parentID)]
    return .ok(try await services.repository.upsert(key, with: fields, in: child))
  }

  private func change(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let parentID = try await parentID(request, services)
    let (key, entity) = try await stored(request, services, parentID: parentID)
    guard entity != nil else { throw AdminRefusal.notFound }
    return .ok(try await EntityEndpoints.change(key, child, request, services))
  }

  private func delete(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let parentID = try await parentID(request, services)
    let (key, entity) = try await stored(request, services, parentID: parentID)
    if entity != nil { try await services.repository.delete(key, from: child) }
    return .noContent
  }

  func parentID(_ request: AdminRequest, _ services: AdminServices) async throws -> String {
    let key = try EntityKey(parsing: request.parameters[0], of: parent)
    guard let id = try await services.repository.select(key, from: parent)?["id"]?.string else {
      throw AdminRefusal.notFound
    }
    return id
  }

  /// The key of the child in the path, and the child if it exists.
  ///
  /// - Throws: 404 if it exists and belongs to another parent.
  private func stored(
    _ request: AdminRequest, _ services: AdminServices, parentID: String
  ) async throws -> (key: EntityKey, entity: EntityFields?) {
    let key = try childKey(parsing: request.parameters[1], parentID: parentID)
    guard let entity = try await services.repository.select(key, from: child) else { return (key, nil) }
    guard entity[field]?["id"]?.string == parentID else { throw AdminRefusal.notFound }
    return (key, entity)
  }

  private func childKey(parsing text: String, parentID: String) throws(EntityError) -> EntityKey {
    if child.nestedKey != nil, !UUIDText.isUUID(text) { return .keyInParent(text, field: field, parent: parentID) }
    let key = try EntityKey(parsing: text, of: child)
    if case .endpointKey(let value) = key, let name = child.endpointKey, child.schema[name]?.isUnique == false {
      return .keyInParent(value, field: field, parent: parentID)
    }
    return key
  }

  // MARK: The parent below a child

  func parentEndpoints(childPath: String) -> [AdminEndpoint] {
    [
      AdminEndpoint(
        "/\(childPath)/{\(child.name)}/\(field)",
        "Reads, replaces or creates, or changes what the \(field) of one of the \(child.name) refers to.",
        [
          .get: { try await readParent($0, $1) }, .put: { try await replaceParent($0, $1) },
          .patch: { try await changeParent($0, $1) },
        ])
    ]
  }

  private func readParent(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let (_, parentID) = try await linked(request, services)
    guard let parentID else { throw AdminRefusal.notFound }
    return try EntityEndpoints.shown(await services.repository.select(.id(parentID), from: parent))
  }

  private func changeParent(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let (_, parentID) = try await linked(request, services)
    guard let parentID else { throw AdminRefusal.notFound }
    return .ok(try await EntityEndpoints.change(.id(parentID), parent, request, services))
  }

  private func replaceParent(_ request: AdminRequest, _ services: AdminServices) async throws -> AdminResponse {
    let (childID, parentID) = try await linked(request, services)
    let fields = try await request.fields(of: parent, services)
    if let parentID { return .ok(try await services.repository.upsert(.id(parentID), with: fields, in: parent)) }
    let created = try await services.repository.insert(fields, into: parent)
    do {
      let link: EntityFields = [field: ["id": created["id"] ?? .null]]
      _ = try await services.repository.update(.id(childID), with: link, in: child)
    } catch {
      // The entity was made for this link alone: without the link it must not stay.
      if let id = created["id"]?.string { try await services.repository.delete(.id(id), from: parent) }
      throw error
    }
    return .ok(created)
  }

  /// Ids of the child in the path and of what its field refers to.
  private func linked(
    _ request: AdminRequest, _ services: AdminServices
  ) async throws -> (childID: String, parentID: String?) {
    let key = try EntityKey(parsing: request.parameters[0], of: child)
    guard let entity = try await services.repository.select(key, from: child), let id = entity["id"]?.string else {
      throw AdminRefusal.notFound
    }
    return (id, entity[field]?["id"]?.string)
  }
}
