import EntityModel
import Storage

/// The endpoints of every entity, derived from its declaration: collection, single entity, and both directions of each
/// foreign field. Source: Kong fact, admin-api §1.
enum EntityEndpoints {
  static func all(of kinds: [EntityDefinition]) -> [AdminEndpoint] {
    kinds.flatMap { kind in
      (kind.adminPath.map { own(kind, $0) } ?? []) + nested(kind, among: kinds)
    }
  }

  /// `/services` and `/services/{services}`.
  private static func own(_ kind: EntityDefinition, _ path: String) -> [AdminEndpoint] {
    [
      AdminEndpoint(
        "/\(path)", "Lists the \(kind.name), or creates one.",
        [
          .get: { request, services in try await list(kind, at: "/\(path)", request, services) },
          .post: { request, services in
            .created(try await services.repository.insert(try await request.fields(of: kind, services), into: kind))
          },
        ]),
      AdminEndpoint(
        "/\(path)/{\(kind.name)}",
        "Reads, replaces or creates, changes, or deletes one of the \(kind.name)\(kind.addressing).",
        [
          .get: { request, services in
            try shown(await services.repository.select(EntityKey(parsing: request.parameters[0], of: kind), from: kind))
          },
          .put: { request, services in
            let key = try EntityKey(parsing: request.parameters[0], of: kind)
            return .ok(try await services.repository.upsert(key, with: request.fields(of: kind, services), in: kind))
          },
          .patch: { request, services in try await change(kind, request, services) },
          .delete: { request, services in
            try await services.repository.delete(EntityKey(parsing: request.parameters[0], of: kind), from: kind)
            return .noContent
          },
        ]),
    ]
  }

  /// For each foreign field: the children below their parent, and the parent below a child.
  private static func nested(_ kind: EntityDefinition, among kinds: [EntityDefinition]) -> [AdminEndpoint] {
    kind.foreignFields.flatMap { field -> [AdminEndpoint] in
      guard let parent = kinds.first(where: { $0.name == field.reference }),
        let relation = EntityRelation(child: kind, field: field.name, parent: parent)
      else { return [] }
      return relation.childEndpoints + (kind.adminPath.map { relation.parentEndpoints(childPath: $0) } ?? [])
    }
  }

  // MARK: Shared by own and nested endpoints

  /// A page with `data`, `next` and, where there is more, `offset`. Source: Kong fact, admin-api §3.
  static func list(
    _ kind: EntityDefinition, at path: String, _ request: AdminRequest, _ services: AdminServices
  ) async throws -> AdminResponse {
    var asked = try request.page()
    for field in kind.filterFields {
      if let value = request.query[field] { asked.equals[field] = value }
    }
    let page = try await services.repository.page(asked, of: kind)
    return .ok(page.document(path: path, repeating: request.query))
  }

  static func change(
    _ kind: EntityDefinition, _ request: AdminRequest, _ services: AdminServices
  ) async throws -> AdminResponse {
    let key = try EntityKey(parsing: request.parameters[0], of: kind)
    return .ok(try await change(key, kind, request, services))
  }

  /// Changes an entity. Where the body does not say which schema it follows, the stored entity does, and if there is
  /// none the answer is the plain one. Source: Kong fact, admin-api §1.
  static func change(
    _ key: EntityKey, _ kind: EntityDefinition, _ request: AdminRequest, _ services: AdminServices
  ) async throws -> EntityFields {
    var stored: EntityFields?
    if let subschemaKey = kind.subschemaKey, request.body.text(of: subschemaKey) == nil {
      stored = try await services.repository.select(key, from: kind)
      guard stored != nil else { throw AdminRefusal.notFound }
    }
    let changes = try await request.fields(of: kind, services, stored: stored)
    return try await services.repository.update(key, with: changes, in: kind)
  }

  static func shown(_ entity: EntityFields?) throws -> AdminResponse {
    guard let entity else { throw AdminRefusal.notFound }
    return .ok(entity)
  }
}

extension EntityDefinition {
  /// Fields by whose value a list can be filtered: those that are unique without being the endpoint key
  /// (`/consumers?custom_id=x`).
  var filterFields: [String] {
    schema.fields.filter { field in
      guard case .string = field.schema.kind else { return false }
      return field.schema.isUnique && field.name != endpointKey && field.name != "id"
    }.map(\.name)
  }

  /// How the summary says by what an entity is addressed.
  var addressing: String { endpointKey.map { ", by id or \($0)" } ?? ", by id" }

  /// As `addressing`, below a parent.
  var nestedAddressing: String { (endpointKey ?? nestedKey).map { ", by id or \($0)" } ?? ", by id" }
}

extension AdminRequest {
  /// The members of the body for an entity; a form's types are inferred from the entity's schema, and for plugins from
  /// that of the plugin.
  func fields(
    of kind: EntityDefinition, _ services: AdminServices, stored: EntityFields? = nil
  ) async throws -> EntityFields {
    guard case .form = body else { return try body.fields(FormInference()) }
    var inference = FormInference(schema: kind.schema)
    if let subschemaKey = kind.subschemaKey,
      let name = body.text(of: subschemaKey) ?? stored?[subschemaKey]?.string
    {
      inference.abstractSchema = await services.repository.pluginCatalogue[name]?.schema["config"]
    }
    return try body.fields(inference)
  }

  /// `size`, `offset` and `tags` of the query.
  func page() throws(EntityError) -> PageRequest {
    var request = PageRequest()
    if let size = query["size"] { request.size = try PageRequest.size(parsing: size) }
    request.offset = query["offset"]
    if let tags = query["tags"] { request.tags = try TagFilter(parsing: tags) }
    return request
  }
}

extension EntityPage {
  /// - Parameters:
  ///   - path: of the list, for `next`.
  ///   - query: whose `tags` and `size` are repeated in `next`; nil for nested lists, which do not repeat them.
  func document(path: String, repeating query: QueryArguments?) -> [String: JSONValue] {
    var document: [String: JSONValue] = ["data": .array(entities.map(JSONValue.object)), "next": .null]
    if let nextOffset {
      var next = "\(path)?offset=\(PercentCoding.encode(nextOffset))"
      for name in ["tags", "size"] {
        if let value = query?[name] { next += "&\(name)=\(PercentCoding.encode(value))" }
      }
      document["next"] = .string(next)
      document["offset"] = .string(nextOffset)
    }
    return document
  }
}
