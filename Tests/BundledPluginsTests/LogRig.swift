import EntityModel
import NIOCore
import NIOPosix
import NIOSSL

@testable import BundledPlugins
@testable import Outbound
@testable import PluginKit

/// One event loop that logs requests over the real clients.
final class LogRig: Sendable {
  let loop: any EventLoop
  let log = RecordingLog()
  let services: PluginServices
  private let http: SharedHTTPClient
  private let tcp: SharedTCPClient
  private let loopServices: NIOLoopBoundBox<LoopServices?>

  init(trusted: NIOSSLTrustRoots = .default) {
    loop = MultiThreadedEventLoopGroup.singleton.next()
    http = SharedHTTPClient(group: MultiThreadedEventLoopGroup.singleton, trustRoots: trusted)
    tcp = SharedTCPClient(group: MultiThreadedEventLoopGroup.singleton, trustRoots: trusted)
    services = PluginServices(
      outbound: http, tcp: tcp, scripts: PluginTestBed.services.scripts)
    loopServices = .makeEmptyBox(valueType: LoopServices.self, eventLoop: loop)
  }

  func executor(
    _ definition: PluginDefinition, _ config: JSONValue, certificates: [String: CertificatePEM] = [:]
  ) throws -> any PluginExecutor {
    try PluginTestBed.executor(
      definition, config, services: services, certificates: certificates, logger: log.logger)
  }

  /// Logs requests for these targets, one after the other, in one turn of the loop.
  func log(_ executor: any PluginExecutor, _ targets: [String]) async throws {
    try await loop.submit { [self] in
      for target in targets {
        let bed = PluginTestBed(target: target, on: loop, loop: kept())
        bed.context.phase = .log
        bed.context.response.status = 200
        _ = executor.run(.log, bed.context)
      }
    }.get()
  }

  private func kept() -> LoopServices {
    if let services = loopServices.value { return services }
    let services = PluginTestBed.loopServices()
    loopServices.value = services
    return services
  }

  /// Entries that wait.
  func waiting() async throws -> Int {
    try await loop.submit { [self] in
      let bed = PluginTestBed(on: loop, loop: kept())
      return LogQueues.of(bed.context, services).count
    }.get()
  }

  /// Waits until nothing waits, or seconds have passed.
  func isEmpty(within seconds: Double = 60) async throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
      if try await waiting() == 0 { return true }
      try await Task.sleep(for: .milliseconds(5))
    }
    return false
  }

  var hasIdleConnections: Bool { tcp.idleCount > 0 }

  func end() async {
    await services.lifetime.end(by: .now() + .seconds(5))
    await http.shutDown()
  }
}
