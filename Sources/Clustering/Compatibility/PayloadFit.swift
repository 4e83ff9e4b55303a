import EntityModel
import Storage
import Zlib

/// A configuration as the control plane publishes it.
public struct ControlPlanePayload: Sendable {
  /// The `config_table` of the protocol, whole. Tables of successive payloads share what did not change.
  public let table: ConfigTable
  public let hash: String
  public let hashes: [String: String]

  public init(table: ConfigTable, hash: String, hashes: [String: String]) {
    self.table = table
    self.hash = hash
    self.hashes = hashes
  }

  public init(configTable: JSONValue, hash: String, hashes: [String: String]) {
    self.init(table: ConfigTable(configTable), hash: hash, hashes: hashes)
  }

  /// The table as plain JSON, made anew.
  var configTable: JSONValue { table.value ?? .null }
}

/// A kind of plugin definition that a data plane does not get, with its instances.
public struct WithheldDefinitions: Sendable, Hashable {
  /// `custom_plugins` or `cloned_plugins`.
  public let entity: String
  /// Names of the definitions that are left out.
  public let names: [String]
  public let reason: String

  public init(entity: String, names: [String], reason: String) {
    self.entity = entity
    self.names = names
    self.reason = reason
  }

  var json: JSONValue {
    ["entity": .string(entity), "names": .array(names.map { .string($0) }), "reason": .string(reason)]
  }
}

/// A payload with what the control plane asks of it again and again. Made on the thread that publishes.
struct Publication: Sendable {
  let number: UInt64
  let payload: ControlPlanePayload
  let customPluginNames: Set<String>
  let clonedPluginNames: Set<String>
  /// Names of plugins with instances, those of definitions in the payload left out: they travel with it.
  let configuredBundledPlugins: Set<String>

  init(number: UInt64, payload: ControlPlanePayload) {
    self.number = number
    self.payload = payload
    func names(_ entity: String) -> Set<String> {
      (payload.table.lists[entity] ?? []).reduce(into: []) { $0.formUnion($1.names) }
    }
    customPluginNames = names("custom_plugins")
    clonedPluginNames = names("cloned_plugins")
    configuredBundledPlugins = names("plugins").subtracting(customPluginNames).subtracting(clonedPluginNames)
  }

  /// What a node does not get: streamed plugins where streaming is off or the node is older than 3.9, clones where it
  /// is older than 3.15 (Kong fact, hybrid §8). Kong compatibility: the instances are left out as well, so that the
  /// node can serve the rest.
  func withheld(version: String, takesStreamedPlugins: Bool) -> [WithheldDefinitions] {
    let number = NodeVersion(version)
    func isOlder(than text: String) -> Bool {
      guard let number, let other = NodeVersion(text) else { return true }
      return number < other
    }
    var withheld: [WithheldDefinitions] = []
    if !customPluginNames.isEmpty {
      let reason: String? =
        isOlder(than: "3.9.0.0")
        ? "streamed plugins need a data plane of version 3.9.0.0 or later"
        : takesStreamedPlugins ? nil : "custom_plugin_streaming_enabled is off on the data plane"
      if let reason {
        withheld.append(.init(entity: "custom_plugins", names: customPluginNames.sorted(), reason: reason))
      }
    }
    if !clonedPluginNames.isEmpty, isOlder(than: "3.15.0.0") {
      withheld.append(
        .init(
          entity: "cloned_plugins", names: clonedPluginNames.sorted(),
          reason: "cloned plugins need a data plane of version 3.15.0.0 or later"))
    }
    return withheld
  }

  /// The message without the withheld definitions and their instances; the hash stays that of the whole
  /// (Kong fact, hybrid §6).
  func message(
    withheld: [WithheldDefinitions], timestamp: Double, encoder: SegmentedEncoder
  ) throws(GzipError) -> SegmentedMessage {
    var table = payload.table
    for kind in withheld {
      let names = Set(kind.names)
      table.lists[kind.entity] = []
      table.lists["plugins"] = table.lists["plugins"]?.compactMap { part in
        if part.names.isDisjoint(with: names) { return part }
        let rows = (part.rows ?? []).filter { plugin in plugin["name"]?.string.map { !names.contains($0) } ?? true }
        return rows.isEmpty ? nil : TablePart(rows: rows)
      }
    }
    return try Reconfigure.segmented(
      table, hash: payload.hash, hashes: payload.hashes, withheld: withheld.map(\.entity),
      timestamp: timestamp, encoder: encoder)
  }
}
