import EntityModel
import PluginKit

/// `openid-connect`: makes the gateway the relying party of an OpenID provider. Source: Kong fact, bundled-16 §5.
enum OpenIDConnect {
  static let definition = PluginDefinition.bundled(schema, phases: [.access], Implementation())

  static let schema = PluginSchema(
    "openid-connect", protocols: PluginFields.protocolsHTTPAndWebSocketByChoice,
    without: [PluginScope.consumer, PluginScope.consumerGroup],
    config: FieldSchema.record(
      RecordSchema(fields, entityChecks: [], shorthandFields: [consumerClaim])
    ).asRequired())

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
      OpenIDConnectExecutor()
    }
  }
}

struct OpenIDConnectExecutor: PluginExecutor {
  let phases = PhaseSet(.access)
  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome { .failed }
}
