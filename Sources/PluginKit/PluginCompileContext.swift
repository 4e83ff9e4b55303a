import Logging

/// What a plugin may know of the snapshot it is compiled for.
public struct PluginCompileContext: Sendable {
  public let consumers: ConsumerDirectory
  /// Where executors report what goes wrong while they run; its messages name the plugin.
  public var logger: Logger
  public let services: PluginServices
  /// PEM of the certificates that plugins refer to, by their ids.
  public let certificates: [String: CertificatePEM]

  public init(
    consumers: ConsumerDirectory, logger: Logger, services: PluginServices = .none,
    certificates: [String: CertificatePEM] = [:]
  ) {
    self.consumers = consumers
    self.logger = logger
    self.services = services
    self.certificates = certificates
  }

  /// A snapshot without consumers, whose messages go nowhere.
  public static let empty = PluginCompileContext(
    consumers: .empty, logger: Logger(label: "plugins", factory: { _ in SwiftLogNoOpLogHandler() }))
}

/// A certificate of the configuration with its private key, as PEM.
public struct CertificatePEM: Sendable, Hashable {
  public var certificate: String
  public var key: String

  public init(certificate: String, key: String) {
    self.certificate = certificate
    self.key = key
  }
}
