import EntityModel
import Foundation
import GatewayTesting
import Synchronization
import Testing

extension LiveProcessTests {
  /// A write that was answered 2xx survives the sudden death of the process.
  @Suite struct DurabilityTests {
    @Test("a process killed a hundred times in the middle of writes keeps every acknowledged entity")
    func killedWhileWriting() async throws {
      let prefix = try LiveGateway.makePrefix()
      defer { try? FileManager.default.removeItem(atPath: prefix) }
      let settings = ["proxy_listen": "off", "status_listen": "off"]
      var acknowledged: Set<String> = []
      var deleted: Set<String> = []
      var uncertain: Set<String> = []
      var random = SystemRandomNumberGenerator()
      for round in 0..<100 {
        let gateway = try LiveGateway(settings, prefix: prefix)
        let port = gateway.port("admin")
        let processID = gateway.processID
        let kept = Acknowledgements()
        await withTaskGroup(of: Void.self) { group in
          for writer in 0..<2 {
            group.addTask {
              await onThread {
                guard let connection = try? SocketConnection(port: port, timeout: 5) else { return }
                var last: String?
                for number in 0..<10_000 {
                  let name = "c-\(round)-\(writer)-\(number)"
                  do {
                    let answer = try connection.exchange(
                      "POST", "/consumers", headers: [("Content-Type", "application/json")],
                      body: Array("{\"username\":\"\(name)\"}".utf8))
                    guard answer.status == 201 else { return }
                    kept.state.withLock { _ = $0.created.insert(name) }
                    // Every third one goes again: an acknowledged deletion must survive as well.
                    if number % 3 == 2, let gone = last {
                      kept.state.withLock { _ = $0.deleting.insert(gone) }
                      guard try connection.exchange("DELETE", "/consumers/\(gone)").status == 204 else { return }
                      kept.state.withLock { _ = $0.deleted.insert(gone) }
                    }
                    last = name
                  } catch {
                    return
                  }
                }
              }
            }
          }
          let microseconds = UInt32.random(in: 0...30_000, using: &random)
          group.addTask {
            await onThread {
              // Not before the first answer of the round, so that every round has something to lose.
              let deadline = Date().addingTimeInterval(10)
              while kept.state.withLock({ $0.created.isEmpty }), Date() < deadline { usleep(200) }
              usleep(microseconds)
              kill(processID, SIGKILL)
            }
          }
        }
        gateway.kill()
        let result = kept.state.withLock { $0 }
        acknowledged.formUnion(result.created)
        // A deletion that was sent but not answered may or may not have happened.
        uncertain.formUnion(result.deleting.subtracting(result.deleted))
        deleted.formUnion(result.deleted)
      }
      #expect(acknowledged.count > 100)

      let gateway = try LiveGateway(settings, prefix: prefix)
      var found: Set<String> = []
      var path: String? = "/consumers?size=1000"
      while let next = path {
        let page = try gateway.admin.get(next)
        try #require(page.status == 200, "\(page.text)")
        found.formUnion(page.json["data"]?.array?.compactMap { $0["username"]?.string } ?? [])
        path = page.json["next"]?.string.map { $0.contains("size=") ? $0 : $0 + "&size=1000" }
      }
      #expect(acknowledged.subtracting(deleted).subtracting(uncertain).isSubset(of: found))
      #expect(found.isDisjoint(with: deleted))
    }
  }
}

/// What the writers of one round sent and what was answered.
private final class Acknowledgements: Sendable {
  let state = Mutex<(created: Set<String>, deleting: Set<String>, deleted: Set<String>)>(([], [], []))
}
