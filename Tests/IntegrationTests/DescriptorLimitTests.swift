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
      try setLimit(of: gateway, to: "\(limitLeaving(3, to: gateway))")
      let others = try (0..<20).map { _ in try SocketConnection(port: port) }
      #expect(await eventually { gateway.log.contains("no connection can be accepted") })
      #expect(try first.exchange("GET", "/").status == 404)
      try setLimit(of: gateway, to: before)
      for connection in others { #expect(try connection.exchange("GET", "/").status == 404) }
      // Said once, not at each attempt.
      #expect(gateway.log.components(separatedBy: "no connection can be accepted").count == 2)
      #expect(gateway.stop() == 0)
    }

    /// The limit under which so many descriptors are free; new ones take the lowest numbers.
    private func limitLeaving(_ free: Int, to gateway: LiveGateway) throws -> Int {
      let names = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(gateway.processID)/fd")
      let taken = Set(names.compactMap { Int($0) })
      var left = free
      var number = 0
      while left > 0 {
        if !taken.contains(number) { left -= 1 }
        number += 1
      }
      return number
    }

    /// The soft limit, as the system's table has it.
    private func limit(of gateway: LiveGateway) throws -> String {
      let table = try String(contentsOfFile: "/proc/\(gateway.processID)/limits", encoding: .utf8)
      let line = try #require(table.split(separator: "\n").first { $0.hasPrefix("Max open files") })
      return String(try #require(line.dropFirst("Max open files".count).split(separator: " ").first))
    }

    private func setLimit(of gateway: LiveGateway, to most: String) throws {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/prlimit")
      process.arguments = ["--pid", "\(gateway.processID)", "--nofile=\(most):"]
      try process.run()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
    }
  }
}
