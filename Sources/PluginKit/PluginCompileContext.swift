import Logging

/// What a plugin may know of the snapshot it is compiled for.
public struct PluginCompileContext: Sendable {
  public let consumers: ConsumerDirectory
  /// Where executors report what goes wrong while they run; its messages name the plugin.
  public var logger: Logger
  public let services: PluginServices

  public init(consumers: ConsumerDirectory, logger: Logger, services: PluginServices = .none) {
    self.consumers = consumers
    self.logger = logger
    self.services = services
  }

  /// A snapshot without consumers, whose messages go nowhere.
  public static let empty = PluginCompileContext(
    consumers: .empty, logger: Logger(label: "plugins", factory: { _ in SwiftLogNoOpLogHandler() }))
}
