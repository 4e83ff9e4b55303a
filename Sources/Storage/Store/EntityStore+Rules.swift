import EntityModel

extension EntityDefinition {
  /// Streamed and cloned plugins: their names are one name space with the bundled ones, and instances hang on them.
  var isPluginDefinition: Bool {
    name == EntityDefinition.customPlugins.name || name == EntityDefinition.clonedPlugins.name
  }
}

/// Rules between entities that no declaration says.
extension EntityStore {
  /// A definition that an instance uses keeps all but its tags. Source: the project's decisions on streamed and cloned
  /// plugins; Kong fact, plugin-entity §8 and §9.
  func checkDefinition(
    _ row: EntityFields, replacing current: EntityFields?, _ kind: EntityDefinition,
    in transaction: any StorageTransaction
  ) throws(EntityError) {
    guard kind.isPluginDefinition, let name = row["name"]?.string else { return }
    if let current {
      let freeToChange: Set<String> = ["tags", "created_at", "updated_at"]
      let isChanged = kind.schema.fields.contains { field in
        !freeToChange.contains(field.name) && (row[field.name] ?? .null) != (current[field.name] ?? .null)
      }
      guard isChanged else { return }
      try requireUnused(current, of: kind, in: transaction)
    }
    if current?["name"]?.string != name {
      let other = kind.name == EntityDefinition.customPlugins.name ? EntityDefinition.clonedPlugins : .customPlugins
      let isTakenByOther = try transaction.count(where: ["name": name], of: other) > 0
      if let reason = definitions.nameViolation(name, isTakenByOtherKind: isTakenByOther) {
        throw .schemaViolation(SchemaViolations(fields: ["name": .string(reason)]))
      }
    }
    guard kind.name == EntityDefinition.clonedPlugins.name, let ref = row["ref"]?.string else { return }
    if let reason = definitions.referenceViolation(ref) {
      throw .schemaViolation(SchemaViolations(fields: ["ref": .string(reason)]))
    }
    let clones = try transaction.rows(RowQuery(fields: ["ref": ref]), of: kind)
    if clones.count(where: { $0["id"] != row["id"] }) >= KongPlugins.maximumClones {
      throw .schemaViolation(
        SchemaViolations(fields: ["ref": .string(PluginDefinitions.tooManyClonesText(ref))]))
    }
  }

  /// - Throws: code 4 if an instance of the definition exists.
  func requireUnused(
    _ row: EntityFields, of kind: EntityDefinition, in reader: any StorageReader
  ) throws(EntityError) {
    guard kind.isPluginDefinition, let name = row["name"]?.string else { return }
    if try reader.count(where: ["name": name], of: .plugins) > 0 {
      throw .referencedBy(EntityDefinition.plugins.name, collection: kind.name)
    }
  }

  /// Services name the CA certificates that they trust in a list, which no foreign field guards. Source: Kong fact,
  /// admin-api §4, code 19.
  func requireUntrusted(
    _ id: String, _ kind: EntityDefinition, in reader: any StorageReader
  ) throws(EntityError) {
    guard kind.name == EntityDefinition.caCertificates.name else { return }
    let services = try reader.rows(RowQuery(), of: .services)
    guard let service = services.first(where: { $0["ca_certificates"]?.array?.contains(.string(id)) == true }) else {
      return
    }
    throw .caCertificateInUse(
      id: id, by: EntityDefinition.services.name, referrerID: service["id"]?.string ?? "")
  }

  /// An instance must share a protocol with its route, or with a route of its service. Source: Kong fact,
  /// plugin-entity §1.
  func checkProtocols(
    _ row: EntityFields, _ kind: EntityDefinition, in reader: any StorageReader
  ) throws(EntityError) {
    guard kind.name == EntityDefinition.plugins.name else { return }
    let protocols = Set(row["protocols"]?.array ?? [])
    func sharesProtocol(_ route: EntityFields) -> Bool {
      (route["protocols"]?.array ?? []).contains(where: protocols.contains)
    }
    if let id = row["route"]?["id"]?.string {
      guard let route = try reader.row(id: id, of: .routes), !sharesProtocol(route) else { return }
      throw .schemaViolation(SchemaViolations(fields: ["protocols": "must match the associated route's protocols"]))
    } else if let id = row["service"]?["id"]?.string {
      let routes = try reader.rows(where: ["service": id], of: .routes, limit: nil)
      guard !routes.isEmpty, !routes.contains(where: sharesProtocol) else { return }
      throw .schemaViolation(
        SchemaViolations(
          fields: ["protocols": "must match the protocols of at least one route pointing to this Plugin's service"]))
    }
  }

  /// Makes the SNIs of a certificate those of the transient list; no list changes nothing.
  func replaceSNIs(
    with list: JSONValue?, ofCertificate id: String, _ intake: EntityIntake,
    in transaction: any StorageTransaction
  ) throws(EntityError) {
    guard let names = list?.array?.compactMap(\.string) else { return }
    func refuse(_ reason: String) -> EntityError {
      .schemaViolation(SchemaViolations(fields: ["snis": .string(reason)]))
    }
    var wanted: Set<String> = []
    for name in names {
      guard wanted.insert(name).inserted else { throw refuse("'\(name)' is duplicated") }
      let sni = try transaction.rows(where: ["name": name], of: .snis, limit: 1).first
      if let owner = sni?["certificate"]?["id"]?.string {
        guard owner == id else { throw refuse("'\(name)' already associated with existing certificate '\(owner)'") }
      }
    }
    let present = try transaction.rows(where: ["certificate": id], of: .snis, limit: nil)
    for sni in present {
      guard let name = sni["name"]?.string, let sniID = sni["id"]?.string else { continue }
      if wanted.remove(name) == nil { try transaction.delete(id: sniID, from: .snis) }
    }
    for name in wanted.sorted() {
      let sni: EntityFields
      do {
        sni = try intake.inserting(["name": .string(name), "certificate": ["id": .string(id)]], of: .snis)
      } catch {
        throw refuse(error.fields["name"]?.string ?? "'\(name)' is not a server name")
      }
      try transaction.insert(sni, into: .snis)
    }
  }
}

extension PluginDefinitions {
  /// Why a definition may not have the name, nil if it may. Names of its own kind are unique fields.
  func nameViolation(_ name: String, isTakenByOtherKind: Bool) -> String? {
    if KongPlugins.isReserved(name) || isBundled(name) {
      return "the name '\(name)' belongs to a bundled plugin; choose another one"
    }
    if isTakenByOtherKind { return "the name '\(name)' belongs to another plugin definition; choose another one" }
    return nil
  }

  /// Why a clone may not refer to the plugin, nil if it may.
  func referenceViolation(_ ref: String) -> String? {
    isBundled(ref) ? nil : "plugin '\(ref)' is not available on this node, so it cannot be cloned"
  }

  static func tooManyClonesText(_ ref: String) -> String {
    "plugin '\(ref)' has \(KongPlugins.maximumClones) clones already, which is the most there can be"
  }
}
