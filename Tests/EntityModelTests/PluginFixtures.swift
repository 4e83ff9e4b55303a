@testable import EntityModel

/// Schemas of a few plugins, enough to exercise validation; the real ones live with the plugins.
enum PluginFixtures {
  static let http: [RecordSchema.NamedField] = [.init("protocols", CommonFields.httpOnlyProtocols)]
  static let any: [RecordSchema.NamedField] = [.init("protocols", CommonFields.protocols)]
  static let auth: [RecordSchema.NamedField] = [.init("consumer", CommonFields.noConsumer)] + http

  static func plugin(
    _ name: String, _ fields: [RecordSchema.NamedField], _ config: RecordSchema, checks: [EntityCheck] = [],
    allowsCondition: Bool = true
  ) -> PluginDescription {
    PluginDescription(
      name: name, origin: .bundled, priority: 1, version: "1.0",
      schema: PluginSchema(
        name: name, fields: fields + [.init("config", .record(config).asRequired())], entityChecks: checks),
      allowsCondition: allowsCondition)
  }

  static let catalogue: PluginCatalogue = {
    let lists = FieldSchema.array(of: CommonFields.ipOrCIDR)
    let pair = FieldSchema.string.checked(by: .match("^[^:]+:.*$"))
    func strings(_ element: FieldSchema = .string) -> FieldSchema {
      .array(of: element).asRequired().defaulting(to: [])
    }
    func section(_ headers: FieldSchema) -> FieldSchema {
      .record(RecordSchema(["body": strings(), "headers": strings(headers), "querystring": strings()])).asRequired()
    }
    let noHost = FieldSchema.string.checked(
      by: .matchNone([.init(pattern: "^[Hh][Oo][Ss][Tt]$", error: "cannot contain 'Host' header")]))
    let code = strings(.string)
    let phases = ["certificate", "rewrite", "access", "header_filter", "body_filter", "log"]
    return PluginCatalogue([
      plugin(
        "acl", auth,
        RecordSchema([
          "allow": .array(of: .string), "deny": .array(of: .string),
          "hide_groups_header": .boolean.asRequired().defaulting(to: false),
          "always_use_authenticated_groups": .boolean.asRequired().defaulting(to: false),
        ]),
        checks: [.onlyOneOf(["config.allow", "config.deny"]), .atLeastOneOf(["config.allow", "config.deny"])]),
      plugin(
        "ip-restriction", http,
        RecordSchema(["allow": lists, "deny": lists, "status": .number, "message": .string]),
        checks: [.atLeastOneOf(["config.allow", "config.deny"])]),
      plugin(
        "correlation-id", http,
        RecordSchema([
          "header_name": .string.defaulting(to: "Kong-Request-ID"),
          "generator": .string.asRequired().defaulting(to: "uuid#counter").checked(
            by: .oneOf(["uuid", "uuid#counter", "tracker"])),
          "echo_downstream": .boolean.asRequired().defaulting(to: false),
        ])),
      plugin(
        "key-auth", auth,
        RecordSchema([
          "key_names": .array(of: CommonFields.headerName).asRequired().defaulting(to: ["apikey"]),
          "hide_credentials": .boolean.asRequired().defaulting(to: false), "anonymous": .string,
          "key_in_header": .boolean.asRequired().defaulting(to: true),
          "key_in_query": .boolean.asRequired().defaulting(to: true),
          "key_in_body": .boolean.asRequired().defaulting(to: false),
          "run_on_preflight": .boolean.asRequired().defaulting(to: true), "realm": .string,
        ])),
      plugin(
        "request-transformer", any,
        RecordSchema([
          "http_method": CommonFields.httpMethod, "remove": section(.string), "rename": section(pair),
          "replace": .record(
            RecordSchema([
              "body": strings(), "headers": strings(pair), "querystring": strings(), "uri": .string,
            ])
          ).asRequired(), "add": section(pair), "append": section(pair),
        ])),
      plugin(
        "http-log", any,
        RecordSchema(
          [
            "http_endpoint": CommonFields.url.asRequired().asReferenceable().asEncrypted(),
            "method": .string.defaulting(to: "POST").checked(by: .oneOf(["POST", "PUT", "PATCH"])),
            "headers": .map(noHost, .string), "queue": CommonFields.queue,
          ],
          shorthandFields: [
            ShorthandField(
              name: "queue_size",
              schema: .integer.deprecated(
                Deprecation(
                  message: "use config.queue.max_batch_size", removalInVersion: "4.0",
                  replacedWith: [["queue", "max_batch_size"]])),
              expand: { ["queue": ["max_batch_size": $0]] })
          ])),
      plugin(
        "pre-function", http,
        RecordSchema([
          "certificate": code, "rewrite": code, "access": code, "header_filter": code, "body_filter": code, "log": code,
        ]),
        checks: [.atLeastOneOf(phases.map { "config.\($0)" })], allowsCondition: false),
    ])
  }()

  static func validator(now: Double = 1_700_000_000.25) -> EntityValidator {
    EntityValidator(catalogue: catalogue, now: { now }, uuid: { "00000000-0000-4000-8000-000000000001" })
  }
}
