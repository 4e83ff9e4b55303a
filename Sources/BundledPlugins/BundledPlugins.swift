import EntityModel
import PluginKit

/// The plugins that come with the gateway. A new one is a folder and a line here.
public enum BundledPlugins {
  /// Version of every bundled plugin: the core version that is spoken. Source: Kong fact, plugin-entity §7.
  public static let version = "3.15.0"

  public static let all: [PluginDefinition] = [
    ACL.definition,
    BotDetection.definition,
    CORS.definition,
    CorrelationID.definition,
    Datakit.definition,
    FileLog.definition,
    HTTPLog.definition,
    IPRestriction.definition,
    KeyAuth.definition,
    OPA.definition,
    OpenIDConnect.definition,
    RequestSizeLimiting.definition,
    RequestTermination.definition,
    RequestTransformer.definition,
    RequestTransformer.advancedDefinition,
    ResponseTransformer.definition,
    ResponseTransformer.advancedDefinition,
    RouteByHeader.definition,
    TCPLog.definition,
  ]
}
