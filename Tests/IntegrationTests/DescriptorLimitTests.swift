import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  /// A gateway that runs out of file descriptors.
  @Suite struct DescriptorLimitTests {
    @Test("connections beyond the limit wait, those there are go on, and all are served once there is room")
    func exhaustion() async throws {
      let gateway = try LiveGateway(["database": "off"])
      let port = gateway.port("proxy")
      let first = try SocketConnection(port: port)
      #expect(try first.exchange("GET", "/").status == 404)
      let before = try limit(of: gateway)
      try setLimit(of: gateway, to: rlim_t(descriptors(of: gateway) + 3))
      let others = try (0..<20).map { _ in try SocketConnection(port: port) }
      #expect(await eventually { gateway.log.contains("no connection can be accepted") })
      #expect(try first.exchange("GET", "/").status == 404)
      try setLimit(of: gateway, to: before)
      for connection in others { #expect(try connection.exchange("GET", "/").status == 404) }
      // Said once, not at each attempt.
      #expect(gateway.log.components(separatedBy: "no connection can be accepted").count == 2)
      #expect(gateway.stop() == 0)
    }

    private func descriptors(of gateway: LiveGateway) throws -> Int {
      let names = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(gateway.processID)/fd")
      return (names.compactMap { Int($0) }.max() ?? 0) + 1
    }

    private func limit(of gateway: LiveGateway) throws -> rlim_t {
      var limit = rlimit()
      guard prlimit(gateway.processID, RLIMIT_NOFILE, nil, &limit) == 0 else { throw SocketError.failed("prlimit", errno) }
      return limit.rlim_cur
    }

    private func setLimit(of gateway: LiveGateway, to most: rlim_t) throws {
      var limit = rlimit()
      guard prlimit(gateway.processID, RLIMIT_NOFILE, nil, &limit) == 0 else { throw SocketError.failed("prlimit", errno) }
      limit.rlim_cur = most
      guard prlimit(gateway.processID, RLIMIT_NOFILE, &limit, nil) == 0 else { throw SocketError.failed("prlimit", errno) }
    }
  }
}
