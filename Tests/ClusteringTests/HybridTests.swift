import EntityModel
import Foundation
import NIOCore
import Testing

@testable import Clustering

@Suite("Hybrid mode: both ends over TLS", .timeLimit(.minutes(1)))
struct HybridTests {
  @Test("a data plane gets the configuration at once and its hash is shown at once")
  func pushAndReport() async throws {
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let node = try TestDataPlane(port: plane.port)
    #expect(node.client.configHash == Reconfigure.emptyHash)
    node.client.start()
    let received = await node.applied.first { _ in true }
    #expect(received.configTable == ClusterFixtures.payload("a").configTable)
    #expect(received.hash == ClusterFixtures.hash("a"))
    #expect(received.hashes["routes"] == ClusterFixtures.hash("0"))
    let row = await plane.directory.saves.first { $0.configHash == ClusterFixtures.hash("a") }
    #expect(row.syncStatus == .normal && row.withheld.isEmpty)
    #expect(row.id == "dp-1" && row.hostname == "host of dp-1" && row.version == "3.15.0.0")
    #expect(row.ip == "127.0.0.1" && row.labels == ["region": "eu"])
    #expect((row.certificateExpiry ?? 0) > row.lastSeen)
    let json = row.json(now: row.lastSeen + 10, purgeDelay: 100)
    #expect(json["ttl"] == 90 && json["sync_status"] == "normal" && json["withheld"] == nil)
    #expect(plane.server.dataPlanes().count == 1)
    await node.client.shutdown()
    await plane.server.shutdown()
  }

  @Test("a change reaches a connected data plane, and a burst ends with its last state")
  func changes() async throws {
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let node = try TestDataPlane(port: plane.port)
    node.client.start()
    await plane.directory.saves.first { $0.configHash == ClusterFixtures.hash("a") }
    plane.server.publish(ClusterFixtures.payload("b"))
    await plane.directory.saves.first { $0.configHash == ClusterFixtures.hash("b") }
    for letter in "cdefghijklmnopqrstuvwxyz" { plane.server.publish(ClusterFixtures.payload(letter)) }
    await plane.directory.saves.first { $0.configHash == ClusterFixtures.hash("z") }
    #expect(node.client.configHash == ClusterFixtures.hash("z"))
    #expect(node.applied.elements.count < 20)
    await node.client.shutdown()
    await plane.server.shutdown()
  }

  @Test("the same configuration again is not applied a second time")
  func sameHash() async throws {
    let plane = try await TestControlPlane()
    let node = try TestDataPlane(port: plane.port)
    node.client.start()
    plane.server.publish(ClusterFixtures.payload("a"))
    await node.applied.first { $0.hash == ClusterFixtures.hash("a") }
    await plane.directory.saves.first { $0.configHash == ClusterFixtures.hash("a") }
    plane.server.publish(ClusterFixtures.payload("a"))
    plane.server.publish(ClusterFixtures.payload("b"))
    await node.applied.first { $0.hash == ClusterFixtures.hash("b") }
    #expect(node.applied.elements.map(\.hash) == [ClusterFixtures.hash("a"), ClusterFixtures.hash("b")])
    await node.client.shutdown()
    await plane.server.shutdown()
  }

  @Test("a configuration that cannot be applied leaves the old one and the old hash")
  func refusedConfiguration() async throws {
    let plane = try await TestControlPlane()
    let node = try TestDataPlane(port: plane.port, refusing: [ClusterFixtures.hash("b")])
    plane.server.publish(ClusterFixtures.payload("a"))
    node.client.start()
    await plane.directory.saves.first { $0.configHash == ClusterFixtures.hash("a") }
    plane.server.publish(ClusterFixtures.payload("b"))
    let complaint = await node.log.first { $0.hasPrefix("unable to update running config") }
    #expect(
      complaint == "unable to update running config: bad config received from control plane route r1: no path")
    #expect(node.client.configHash == ClusterFixtures.hash("a"))
    plane.server.publish(ClusterFixtures.payload("c"))
    await plane.directory.saves.first { $0.configHash == ClusterFixtures.hash("c") }
    #expect(!plane.directory.saves.elements.contains { $0.configHash == ClusterFixtures.hash("b") })
    await node.client.shutdown()
    await plane.server.shutdown()
  }

  @Test("a data plane finds its control plane again after a restart")
  func reconnect() async throws {
    let first = try await TestControlPlane()
    first.server.publish(ClusterFixtures.payload("a"))
    let node = try TestDataPlane(port: first.port)
    node.client.start()
    await first.directory.saves.first { $0.configHash == ClusterFixtures.hash("a") }
    await first.server.shutdown()
    await node.log.first { $0.contains("closed") || $0.contains("failed") }
    #expect(node.client.configHash == ClusterFixtures.hash("a"))
    let second = try await TestControlPlane(port: first.port)
    second.server.publish(ClusterFixtures.payload("b"))
    await second.directory.saves.first { $0.configHash == ClusterFixtures.hash("b") }
    #expect(second.directory.saves.elements.contains { $0.configHash == ClusterFixtures.hash("a") })
    await node.client.shutdown()
    await second.server.shutdown()
  }

  @Test("a node with streaming off gets neither definitions nor instances, serves the rest and is shown so")
  func streamingOff() async throws {
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let node = try TestDataPlane(port: plane.port, streaming: false)
    node.client.start()
    let received = await node.applied.first { _ in true }
    #expect(received.configTable["custom_plugins"] == [])
    #expect(received.configTable["cloned_plugins"]?.array?.count == 1)
    #expect(received.configTable["plugins"]?.array?.compactMap { $0["name"] } == ["key-auth", "key-auth-two"])
    #expect(received.configTable["services"]?.array?.count == 1)
    #expect(received.withheld == ["custom_plugins"])
    #expect(received.hash == ClusterFixtures.hash("a"))
    let row = await plane.directory.saves.first { $0.configHash == ClusterFixtures.hash("a") }
    #expect(row.syncStatus == .pluginSetIncompatible)
    #expect(row.withheld.map(\.names) == [["replaceme"]])
    #expect(row.syncReason?.contains("custom_plugin_streaming_enabled is off") == true)
    let other = try TestDataPlane(port: plane.port, id: "dp-2")
    other.client.start()
    let whole = await other.applied.first { _ in true }
    #expect(whole.configTable == ClusterFixtures.payload("a").configTable)
    plane.server.publish(ClusterFixtures.payload("b", extra: ["custom_plugins": [], "plugins": []]))
    let healed = await plane.directory.saves.first { $0.id == "dp-1" && $0.configHash == ClusterFixtures.hash("b") }
    #expect(healed.syncStatus == .normal && healed.withheld.isEmpty && healed.syncReason == nil)
    await node.client.shutdown()
    await other.client.shutdown()
    await plane.server.shutdown()
  }

  @Test("a node too old for clones, or for streamed plugins, gets the rest")
  func olderNodes() async throws {
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let node = try TestDataPlane(port: plane.port, version: "3.14.2.0")
    node.client.start()
    let received = await node.applied.first { _ in true }
    #expect(received.withheld == ["cloned_plugins"])
    #expect(received.configTable["plugins"]?.array?.compactMap { $0["name"] } == ["key-auth", "replaceme"])
    let oldest = try TestDataPlane(port: plane.port, id: "dp-2", version: "3.8.0.0")
    oldest.client.start()
    let rest = await oldest.applied.first { _ in true }
    #expect(rest.withheld == ["custom_plugins", "cloned_plugins"])
    #expect(rest.configTable["plugins"]?.array?.compactMap { $0["name"] } == ["key-auth"])
    let row = await plane.directory.saves.first { $0.id == "dp-2" && $0.configHash == ClusterFixtures.hash("a") }
    #expect(row.withheld.first?.reason.contains("3.9.0.0") == true)
    await node.client.shutdown()
    await oldest.client.shutdown()
    await plane.server.shutdown()
  }

  @Test("a node of a newer version is refused, and its row says so")
  func newerNode() async throws {
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let node = try TestDataPlane(port: plane.port, version: "3.16.0.0")
    node.client.start()
    let row = await plane.directory.saves.first { $0.syncStatus == .kongVersionIncompatible }
    #expect(
      row.syncReason
        == "data plane version 3.16.0.0 is incompatible with older control plane version 3.15.0.0")
    #expect(node.applied.elements.isEmpty)
    await node.client.shutdown()
    await plane.server.shutdown()
  }

  @Test("a node without a configured plugin gets nothing, but stays connected")
  func missingPlugin() async throws {
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let node = try TestDataPlane(port: plane.port, plugins: ["cors": "3.15.0"])
    node.client.start()
    let row = await plane.directory.saves.first { $0.syncStatus == .pluginSetIncompatible }
    #expect(row.syncReason == "configured key-auth plugin 3.15.0 is missing from data plane")
    plane.server.publish(ClusterFixtures.payload("b", extra: ["plugins": [["id": "p9", "name": "cors"]]]))
    let received = await node.applied.first { _ in true }
    #expect(received.hash == ClusterFixtures.hash("b"))
    await node.client.shutdown()
    await plane.server.shutdown()
  }

  @Test("a configuration beyond cluster_max_payload is not sent, and the row says why")
  func oversizedPayload() async throws {
    let plane = try await TestControlPlane(maxPayload: 4096)
    let noise = (0..<8192).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 36) }.joined()
    plane.server.publish(ClusterFixtures.payload("a", extra: ["noise": .string(noise)]))
    let node = try TestDataPlane(port: plane.port)
    node.client.start()
    let row = await plane.directory.saves.first { $0.syncReason?.contains("cluster_max_payload") == true }
    #expect(row.configHash == Reconfigure.emptyHash)
    plane.server.publish(ClusterFixtures.payload("b"))
    let received = await node.applied.first { _ in true }
    #expect(received.hash == ClusterFixtures.hash("b"))
    await node.client.shutdown()
    await plane.server.shutdown()
  }

  @Test("a silent data plane is dropped, and a silent control plane is left")
  func liveness() async throws {
    var timings = ClusterTimings()
    timings.liveness = .milliseconds(100)
    let plane = try await TestControlPlane(timings: timings)
    let peer = try #require(try await RawPeer.connect(port: plane.port))
    peer.send(.binary, BasicInfo(plugins: [:]).serialized())
    try await peer.channel.closeFuture.get()
    #expect(plane.log.elements.contains { $0.hasPrefix("did not receive PING frame from data plane") })
    await plane.server.shutdown()

    let silent = try await RawControlPlane()
    let node = try TestDataPlane(port: silent.port, timings: timings)
    node.client.start()
    await node.log.first { $0.hasPrefix("did not receive any frame from the control plane") }
    await node.client.shutdown()
    try await silent.listener.close()
  }
}
