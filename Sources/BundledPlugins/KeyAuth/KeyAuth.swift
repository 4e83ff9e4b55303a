import EntityModel
import PluginKit

/// `key-auth`: authenticates consumers by a key in a header, the query or the body. Source: Kong fact, bundled-16 §2.
enum KeyAuth {
  static let definition = PluginDefinition.bundled(schema, phases: [.access], Implementation())

  static let schema = PluginSchema(
    "key-auth", protocols: PluginFields.protocolsHTTPAndWebSocket,
    without: [PluginScope.consumer, PluginScope.consumerGroup],
    config: PluginFields.config([
      "key_names": .array(of: CommonFields.headerName).asRequired().defaulting(to: ["apikey"])
        .described("Names of the headers, arguments and fields that may hold a key."),
      "hide_credentials": PluginFields.flag(true, "Whether the key is kept from the upstream."),
      "anonymous": .string.described("Consumer, by id or username, that stands for requests without a good key."),
      "key_in_header": PluginFields.flag(true, "Whether keys are looked for in headers."),
      "key_in_query": PluginFields.flag(true, "Whether keys are looked for in the query."),
      "key_in_body": PluginFields.flag(false, "Whether keys are looked for in the body."),
      "run_on_preflight": PluginFields.flag(true, "Whether OPTIONS requests need a key as well."),
      "realm": .string.described("Realm that refused clients are told."),
      "identity_realms": .array(
        of: .record(
          RecordSchema([
            "scope": .string.defaulting(to: "cp").checked(by: .oneOf(["cp", "realm"]), .custom("unavailable", ownScope))
              .described("Where consumers come from."),
            "id": .string.checked(by: .uuid).described("Id of the realm."),
            "region": .string.described("Region of the realm."),
          ]))
      ).described("Sources of consumers, in the order in which they are asked."),
      "principals": .record(
        RecordSchema([
          "enabled": FieldSchema.boolean.defaulting(to: false).checked(by: .custom("unavailable", noPrincipals))
            .described("Whether keys belong to principals."),
          "directory": FieldSchema.string.defaulting(to: "default").described("Directory of the principals."),
          "error_on_miss": FieldSchema.boolean.defaulting(to: true)
            .described("Whether a key without principal is refused."),
        ])
      ).asRequired().described("Principals in place of consumers."),
    ]))

  private static func ownScope(_ value: JSONValue) -> String? {
    guard value.string == "realm" else { return nil }
    return "consumers of other realms are not available; use 'cp', the consumers of this gateway"
  }

  private static func noPrincipals(_ value: JSONValue) -> String? {
    value.bool == true ? "principals are not available; keys belong to the consumers of this gateway" : nil
  }

  struct Implementation: SnapshotAwarePluginImplementation {
    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      let config = instance.config
      return KeyAuthExecutor(
        names: config.strings("key_names"), hidesKeys: config.flag("hide_credentials"),
        searchesHeaders: config.flag("key_in_header"), searchesQuery: config.flag("key_in_query"),
        searchesBody: config.flag("key_in_body"), runsOnPreflight: config["run_on_preflight"]?.bool ?? true,
        challenge: config.text("realm").map { "Key realm=\"\($0)\"" } ?? "Key",
        anonymous: config.text("anonymous").map { ($0, context.consumers.consumer(idOrUsername: $0)) },
        consumers: context.consumers)
    }
  }
}
