import EntityModel

/// The settings of a node, read once at start and never changed.
///
/// Each setting is a typed member named after its declaration: `settings.proxyListen`, `settings.role`.
@dynamicMemberLookup
public struct GatewaySettings: Sendable {
  /// Shown in place of a secret.
  static let redaction = "******"

  private var values: [String: any StoredSetting]

  init(values: [String: any StoredSetting]) { self.values = values }

  /// Every setting at its default, for a role that needs nothing more.
  public static let defaults: GatewaySettings = {
    var values: [String: any StoredSetting] = [:]
    for setting in SettingCatalogue.settings {
      do throws(SettingValueError) {
        values[setting.declaration.name] = try setting.stored(setting.declaration.defaultText, from: .defaultValue)
      } catch {
        preconditionFailure("the default of \(setting.declaration.name) \(error.reason)")
      }
    }
    return GatewaySettings(values: values)
  }()

  /// The value of a declared setting.
  public subscript<Value>(setting: Setting<Value>) -> Value {
    guard let stored = values[setting.declaration.name] as? StoredValue<Value> else {
      preconditionFailure("\(setting.declaration.name) is missing from SettingCatalogue.sections")
    }
    return stored.value
  }

  public subscript<Value>(dynamicMember path: KeyPath<GeneralSettings, Setting<Value>>) -> Value {
    self[GeneralSettings()[keyPath: path]]
  }

  public subscript<Value>(dynamicMember path: KeyPath<HybridSettings, Setting<Value>>) -> Value {
    self[HybridSettings()[keyPath: path]]
  }

  public subscript<Value>(dynamicMember path: KeyPath<ListenerSettings, Setting<Value>>) -> Value {
    self[ListenerSettings()[keyPath: path]]
  }

  public subscript<Value>(dynamicMember path: KeyPath<ProxySettings, Setting<Value>>) -> Value {
    self[ProxySettings()[keyPath: path]]
  }

  public subscript<Value>(dynamicMember path: KeyPath<DatastoreSettings, Setting<Value>>) -> Value {
    self[DatastoreSettings()[keyPath: path]]
  }

  public subscript<Value>(dynamicMember path: KeyPath<ResolverSettings, Setting<Value>>) -> Value {
    self[ResolverSettings()[keyPath: path]]
  }

  public subscript<Value>(dynamicMember path: KeyPath<LuaSettings, Setting<Value>>) -> Value {
    self[LuaSettings()[keyPath: path]]
  }

  /// Where the value of a setting came from.
  public func origin(of name: String) -> SettingOrigin? { values[name]?.origin }

  /// Replaces a value that follows from another setting.
  mutating func derive<Value>(_ setting: Setting<Value>, _ value: Value) {
    values[setting.declaration.name] = StoredValue(value: value, origin: .defaultValue, json: setting.kind.json(value))
  }

  mutating func overlay(_ others: [String: any StoredSetting]) {
    values.merge(others) { _, other in other }
  }

  /// A path of a setting with relative ones placed under `prefix`.
  public func resolve(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    let root = self.prefix
    return root.hasSuffix("/") ? root + path : root + "/" + path
  }

  /// Where the embedded database lies, `database` being `sqlite`.
  public var resolvedSQLitePath: String { resolve(self.sqlitePath) }

  /// The settings by name as `GET /` and `kong.configuration` show them: unset ones absent, secrets hidden. Besides the
  /// names of the settings there are `proxy_listeners`, `admin_listeners`, `status_listeners`, `cluster_listeners` and
  /// `stream_listeners`, arrays of objects (Kong fact, clients).
  public func redacted() -> [String: JSONValue] {
    var shown: [String: JSONValue] = [:]
    for declaration in SettingCatalogue.declarations {
      guard let json = values[declaration.name]?.json else { continue }
      guard declaration.isSecret else {
        shown[declaration.name] = json
        continue
      }
      if case .array(let items) = json {
        shown[declaration.name] = .array(items.map { _ in .string(Self.redaction) })
      } else {
        shown[declaration.name] = .string(Self.redaction)
      }
    }
    shown["proxy_listeners"] = .array(self.proxyListen.map(\.json))
    shown["admin_listeners"] = .array(self.adminListen.map(\.json))
    shown["status_listeners"] = .array(self.statusListen.map(\.json))
    shown["cluster_listeners"] = .array(self.clusterListen.map(\.json))
    shown["stream_listeners"] = .array([])
    return shown
  }
}
