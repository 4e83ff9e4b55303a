import EntityModel

/// What only some requests have: made when the first of it is set. Confined to the request's event loop.
final class RareValues {
  @exclusivity(unchecked) var clientIP: String?
  @exclusivity(unchecked) var clientCertificateVerification: String?
  /// Made when somebody asks, or set by a plugin.
  @exclusivity(unchecked) var requestID: String?
  @exclusivity(unchecked) var hostBeforeChange: String?
  @exclusivity(unchecked) var query: [UInt8]?
  @exclusivity(unchecked) var body = RequestBody.unread
  @exclusivity(unchecked) var uriCaptures: URICaptures?
  @exclusivity(unchecked) var willRetry: ((RequestContext) -> Void)?
  @exclusivity(unchecked) var earlyResponse: EarlyResponse?
  @exclusivity(unchecked) var credential: JSONValue?
  @exclusivity(unchecked) var consumerGroups: [JSONValue] = []
  @exclusivity(unchecked) var authenticatedGroups: [String]?
  @exclusivity(unchecked) var serializeValues: [SerializeValue] = []
  @exclusivity(unchecked) var sharedValues: [String: JSONValue] = [:]
  @exclusivity(unchecked) var pluginStates = PluginStates()

  // Instead of what the request's configuration says.
  @exclusivity(unchecked) var upstreamExists: ((_ name: String) -> Bool)?
  @exclusivity(unchecked) var findConsumer: ((_ key: String, _ byUsername: Bool) -> ConsumerInfo?)?
  @exclusivity(unchecked) var findConsumerGroups: ((_ consumerID: String) -> [JSONValue])?

  init() {}
}
