import EntityModel
import Logging
import PluginKit

/// `openid-connect`: makes the gateway the relying party of an OpenID provider. Source: Kong fact, bundled-16 §5.
enum OpenIDConnect {
  static let definition = PluginDefinition.bundled(schema, phases: [.access], Implementation())

  static let schema = PluginSchema(
    "openid-connect", protocols: PluginFields.protocolsHTTPAndWebSocketByChoice,
    without: [PluginScope.consumer, PluginScope.consumerGroup],
    config: FieldSchema.record(RecordSchema(fields, shorthandFields: [consumerClaim])).asRequired(),
    checks: [
      .custom(
        fieldSources: ["config.client_auth", "config.client_jwk", "config.http_proxy", "config.https_proxy"],
        violations)
    ])

  /// What is wrong with an instance whose fields are good one by one.
  @Sendable private static func violations(_ entity: [String: JSONValue]) -> SchemaViolations? {
    do {
      _ = try OpenIDConnectSettings(entity["config"] ?? .null)
      return nil
    } catch {
      return SchemaViolations(fields: ["config.\(error.field)": .string(error.sentence)])
    }
  }

  private static let fields: [RecordSchema.NamedField] =
    OpenIDConnectFields.provider + OpenIDConnectFields.client + OpenIDConnectFields.credentials
    + OpenIDConnectFields.verification + OpenIDConnectFields.authorization + OpenIDConnectFields.identity
    + OpenIDConnectFields.tokenRequests + OpenIDConnectFields.introspection + OpenIDConnectFields.userInfo
    + OpenIDConnectFields.headers + OpenIDConnectFields.refusals + OpenIDConnectFields.authorizationCode
    + OpenIDConnectFields.login + OpenIDConnectFields.logout + OpenIDConnectFields.session
    + OpenIDConnectFields.caching + OpenIDConnectFields.transport

  /// The single path that `consumer_claims` replaces.
  private static let consumerClaim = ShorthandField(
    name: "consumer_claim",
    schema: .array(of: .string).described("Path of the claim that names the consumer.").deprecated(
      Deprecation(
        message: "openid-connect: config.consumer_claim is deprecated, please use config.consumer_claims instead",
        removalInVersion: "4.0", replacedWith: [["consumer_claims"]])),
    expand: { ["consumer_claims": .array([$0])] })

  struct Implementation: SnapshotAwarePluginImplementation {
    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      let settings: OpenIDConnectSettings
      do {
        settings = try OpenIDConnectSettings(instance.config)
      } catch {
        throw PluginCompileError(plugin: instance.pluginName, reason: "\(error.field): \(error.sentence)")
      }
      return OpenIDConnectExecutor(
        settings: settings, consumers: context.consumers,
        consumersByLowercasedName: settings.ignoresCaseOfUsernames
          ? Dictionary(
            context.consumers.all.compactMap { consumer in consumer.username.map { ($0.lowercased(), consumer) } },
            uniquingKeysWith: { first, _ in first }) : nil,
        services: context.services, logger: context.logger)
    }
  }
}

struct OpenIDConnectExecutor: PluginExecutor {
  let phases = PhaseSet(.access)
  let settings: OpenIDConnectSettings
  let consumers: ConsumerDirectory
  /// Nil where the case of user names matters.
  let consumersByLowercasedName: [String: ConsumerInfo]?
  let services: PluginServices
  let logger: Logger

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    if !settings.runsOnPreflight, context.method == .options { return .finished }
    // Another plugin has authenticated the request already.
    if settings.anonymous != nil, context.credential != nil { return .finished }
    return OpenIDConnectFlow(self, context).run()
  }
}
