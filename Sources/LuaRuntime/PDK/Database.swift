import EntityModel
import PluginKit

/// `kong.db`: reading the entities of the running configuration. Source: Kong fact, pdk §8 (lax).
///
/// Kong compatibility: entities are those of the data plane's configuration, and there is nothing to wait for.
enum DatabaseNamespace {
  /// Collections with the fields that one entity each can be selected by, besides its id.
  static let collections: [(name: String, keys: [String])] = [
    ("certificates", []), ("consumers", ["username", "custom_id"]), ("keys", ["name"]), ("plugins", ["instance_name"]),
    ("routes", ["name"]), ("services", ["name"]), ("snis", ["name"]), ("targets", []), ("upstreams", ["name"]),
  ]

  static let functions: [PDKFunction] = [
    PDKFunction("db.select", .any, level: .internal, "An entity of a collection by the value of a field.") {
      (call) throws(LuaFault) in
      guard let entities = call.host.running.entities else {
        return call.returnsFailure("there is no configuration yet")
      }
      let collection = call.string(0) ?? ""
      let field = call.string(1) ?? ""
      let value = call.string(2) ?? ""
      if let entity = entities.entity(in: collection, where: field, is: value) {
        call.returns(.object(entity))
      } else {
        call.returnNil()
      }
    },
    PDKFunction("db.select_by_cache_key", .any, level: .internal, "An instance of a plugin by its name and scope.") {
      (call) throws(LuaFault) in
      guard let entities = call.host.running.entities else {
        return call.returnsFailure("there is no configuration yet")
      }
      let parts = (call.string(0) ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 7, parts[0] == "plugins" else { return call.returnNil() }
      let scope = zip(["route", "service", "consumer", "consumer_group"], parts[2...5])
      let found = entities.entity(in: "plugins") { entity in
        entity["name"]?.string == parts[1]
          && scope.allSatisfy { name, id in (entity[name]?["id"]?.string ?? "") == id }
      }
      if let found { call.returns(.object(found)) } else { call.returnNil() }
    },
  ]

  static let declarations: [PreludeFunction] = collections.flatMap { collection in
    [
      PreludeFunction(
        "kong.db.\(collection.name).select", level: .lax, arguments: "key", "The entity with the id in a table."),
      PreludeFunction(
        "kong.db.\(collection.name).cache_key", level: .lax, arguments: "key, ...",
        "The key under which Kong keeps the entity in its cache."),
    ]
      + collection.keys.map { key in
        PreludeFunction(
          "kong.db.\(collection.name).select_by_\(key)", level: .lax, arguments: key, "The entity by its \(key).")
      }
      + (collection.name == "plugins"
        ? [
          PreludeFunction(
            "kong.db.plugins.select_by_cache_key", level: .lax, arguments: "cache_key",
            "The instance that `cache_key` names.")
        ] : [])
  }
}
