import EntityModel
import PluginKit

/// The fields that most plugin schemas share.
enum PluginFields {
  /// A plugin for HTTP only.
  static var protocolsHTTP: FieldSchema { protocols(httpNames, default: httpNames) }

  /// An authentication plugin: also for WebSocket.
  static var protocolsHTTPAndWebSocket: FieldSchema {
    protocols(httpNames + ["ws", "wss"], default: httpNames + ["ws", "wss"])
  }

  /// A plugin for HTTP that may be bound to WebSocket.
  static var protocolsHTTPAndWebSocketByChoice: FieldSchema {
    protocols(httpNames + ["ws", "wss"], default: httpNames)
  }

  /// A plugin that instances may bind to any protocol.
  static func protocolsAny(default names: [JSONValue] = httpNames) -> FieldSchema {
    protocols(CommonFields.coreProtocols, default: names)
  }

  static let httpNames: [JSONValue] = ["grpc", "grpcs", "http", "https"]

  static func protocols(_ names: [JSONValue], default defaultNames: [JSONValue]) -> FieldSchema {
    FieldSchema.set(of: .string.checked(by: .oneOf(names))).asRequired().defaulting(to: .array(defaultNames))
      .described("Protocols of the requests that the plugin runs for.")
  }

  /// A scope that instances of the plugin may not have.
  static func noScope(_ collection: String) -> FieldSchema {
    FieldSchema.foreign(collection).checked(by: .equal(.null))
  }

  static func config(_ fields: [RecordSchema.NamedField], entityChecks: [EntityCheck] = []) -> FieldSchema {
    FieldSchema.record(RecordSchema(fields, entityChecks: entityChecks)).asRequired()
  }

  static func config(_ fields: KeyValuePairs<String, FieldSchema>) -> FieldSchema {
    FieldSchema.record(RecordSchema(fields)).asRequired()
  }

  /// A switch that always has a value.
  static func flag(_ value: Bool, _ description: String) -> FieldSchema {
    FieldSchema.boolean.asRequired().defaulting(to: .bool(value)).described(description)
  }

  /// A time in milliseconds, which may have a fraction.
  static func milliseconds(_ value: Int64, _ description: String) -> FieldSchema {
    FieldSchema.number.defaulting(to: .integer(value)).checked(
      by: .custom("time") { value in
        guard let time = value.double, !(0...maximumMilliseconds).contains(time) else { return nil }
        return "value should be between 0 and \(Int64(maximumMilliseconds))"
      }
    ).described(description)
  }

  private static let maximumMilliseconds = 2_147_483_646.0

  /// Whether the certificate of a server is verified.
  static func sslVerify(_ description: String) -> FieldSchema {
    FieldSchema.boolean.asRequired().defaulting(to: true).described(description)
  }

  /// Further fields of log entries, each by a chunk of Lua that returns its value.
  static var customFieldsByLua: FieldSchema {
    FieldSchema.map(
      FieldSchema.string.checked(by: .lengthAtLeast(1)),
      FieldSchema.string.checked(by: .lengthAtLeast(1), .custom("lua_code", CustomLogFields.violation))
    ).described("Fields to add to log entries, by the Lua that returns their values.")
  }
}

extension PluginSchema {
  /// The schema of a bundled plugin.
  init(_ name: String, protocols: FieldSchema, without scopes: [(String, String)] = [], config: FieldSchema,
    checks: [EntityCheck] = [])
  {
    self.init(
      name: name,
      fields: scopes.map { .init($0.0, PluginFields.noScope($0.1)) } + [
        .init("protocols", protocols), .init("config", config),
      ], entityChecks: checks)
  }
}

/// Scopes that instances of some plugins may not have.
enum PluginScope {
  static let consumer = ("consumer", "consumers")
  static let consumerGroup = ("consumer_group", "consumer_groups")
}

extension PluginDefinition {
  /// A bundled plugin with the version of the gateway that is spoken and the priority that its name has there.
  static func bundled(
    _ schema: PluginSchema, phases: [Phase], _ implementation: any PluginImplementation
  ) -> PluginDefinition {
    PluginDefinition(
      description: PluginDescription(
        name: schema.name, origin: .bundled, priority: KongPlugins.priorities[schema.name] ?? 0,
        version: BundledPlugins.version, schema: schema),
      phases: PhaseSet(phases), implementation: implementation)
  }
}
