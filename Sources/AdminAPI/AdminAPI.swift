import EntityModel
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import ServiceLifecycle
import Storage

/// The Admin API: an HTTP server over a repository of entities.
///
/// A value; everything it needs is given once. `run` is the life of the service.
public struct AdminAPI: Sendable {
  private let configuration: AdminAPIConfiguration
  private let responder: AdminResponder
  private let onServerRunning: @Sendable (AdminAPIConfiguration.ListenAddress) async -> Void
  private let logger: Logger

  /// Longest wait for running requests when the service stops, in seconds.
  private static let shutdownSeconds: Int64 = 10

  /// - Parameter onServerRunning: called once for each address when it accepts connections, with the port it got.
  public init(
    repository: any EntityRepository, node: any AdminNodeSource, configuration: AdminAPIConfiguration, logger: Logger,
    onServerRunning: @escaping @Sendable (AdminAPIConfiguration.ListenAddress) async -> Void = { _ in }
  ) {
    self.configuration = configuration
    self.logger = logger
    self.onServerRunning = onServerRunning
    responder = AdminResponder(
      endpoints: AdminEndpoints.of(configuration.surface, isOn: configuration.isOn), repository: repository, node: node,
      configuration: configuration, logger: logger)
  }

  /// The server for one address.
  ///
  /// - Throws: when the address has TLS settings that cannot be used.
  public func makeApplication(
    at address: AdminAPIConfiguration.ListenAddress
  ) throws -> some ApplicationProtocol {
    Application(
      responder: responder,
      server: try server(for: address),
      configuration: ApplicationConfiguration(address: .hostname(address.host, port: address.port)),
      onServerRunning: { [onServerRunning] channel in
        let port = channel.localAddress?.port ?? address.port
        await onServerRunning(AdminAPIConfiguration.ListenAddress(host: address.host, port: port, tls: address.tls))
      },
      logger: logger)
  }

  private func server(for address: AdminAPIConfiguration.ListenAddress) throws -> HTTPServerBuilder {
    let plain = HTTPServerBuilder.http1(configuration: .init(idleTimeout: .seconds(configuration.idleSeconds)))
    guard let tls = address.tls else { return plain }
    return try .tls(plain, tlsConfiguration: tls)
  }

  /// Serves every address until the task is cancelled, then refuses new connections, finishes running requests and
  /// returns.
  ///
  /// - Throws: if an address cannot be bound.
  public func run() async throws {
    guard !configuration.addresses.isEmpty else { return }
    var group = ServiceGroupConfiguration(
      services: try configuration.addresses.map { try makeApplication(at: $0) as any Service }, logger: logger)
    group.maximumGracefulShutdownDuration = .seconds(Self.shutdownSeconds)
    let services = ServiceGroup(configuration: group)
    // The servers run in a task of their own, so that cancellation becomes a graceful shutdown.
    let servers = Task { try await services.run() }
    try await withTaskCancellationHandler {
      try await servers.value
    } onCancel: {
      Task { await services.triggerGracefulShutdown() }
    }
  }
}
