import EntityModel
import Foundation

/// What a source of configuration must know besides the declarations: the plugins of this node and its settings.
public struct StoreRules: Sendable {
  /// Plugins compiled into the gateway.
  public var bundled: [PluginDescription]
  /// Reads streamed plugins; nil on a node that has no Lua, where none can be stored.
  public var inspector: (any StreamedPluginInspector)?
  /// `custom_plugin_streaming_enabled`.
  public var isStreamingEnabled: Bool
  /// Checks a plugin's `condition`; returns position and reason of an error.
  public var checkCondition: (@Sendable (String) -> String?)?
  /// Seconds since the epoch.
  public var now: @Sendable () -> Double

  public init(
    bundled: [PluginDescription], inspector: (any StreamedPluginInspector)? = nil,
    isStreamingEnabled: Bool = false,
    checkCondition: (@Sendable (String) -> String?)? = nil,
    now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
  ) {
    self.bundled = bundled
    self.inspector = inspector
    self.isStreamingEnabled = isStreamingEnabled
    self.checkCondition = checkCondition
    self.now = now
  }
}
