import EntityModel
import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  /// The guide of the README in hybrid mode: plugins created on a control plane run on a data plane without a file.
  @Suite struct StreamedPluginGuideTests {
    static let sentence = "She sells sea shells by the sea shore."

    @Test("plugins streamed through the control plane change and answer requests on the data plane")
    func guide() async throws {
      let cluster = try Cluster()
      try cluster.makeExampleRoute(upstreamPort: 9)
      try cluster.stream("replaceme")
      try cluster.stream("reflector")
      try cluster.configureGuide()

      #expect(
        await eventually { try cluster.reflected("/anything") == "She sells pelican shells by the pelican shore." })
      #expect(try cluster.reflected("/anything/skip") == Self.sentence)
      let answer = try cluster.dataPlane.proxy.send(
        "POST", "/anything", headers: [("Content-Type", "text/x-verse")], body: Self.sentence)
      #expect(answer.status == 200)
      #expect(answer.header("Content-Type")?.hasPrefix("text/x-verse") == true)
    }

    @Test("a change on the control plane is in effect on a connected data plane well under a second")
    func speedOfChange() async throws {
      let cluster = try Cluster()
      try cluster.makeExampleRoute(upstreamPort: 9)
      try cluster.stream("replaceme")
      try cluster.stream("reflector")
      let id = try cluster.configureGuide()
      #expect(await eventually { try cluster.reflected("/anything").contains("pelican") })

      var slowest = Duration.zero
      for round in 0..<10 {
        let word = "bird\(round)"
        let start = ContinuousClock.now
        #expect(
          try cluster.controlPlane.admin.send(
            "PATCH", "/plugins/\(id)", json: ["config": ["replacement_word": .string(word)]]
          ).status == 200)
        #expect(await eventually { try cluster.reflected("/anything").contains(word) })
        slowest = max(slowest, ContinuousClock.now - start)
      }
      #expect(slowest < .seconds(1))
    }

    @Test("a definition in use can neither be deleted nor changed, but its tags can")
    func definitionInUse() async throws {
      let cluster = try Cluster()
      try cluster.makeExampleRoute(upstreamPort: 9)
      try cluster.stream("replaceme")
      try cluster.stream("reflector")
      try cluster.configureGuide()
      let admin = cluster.controlPlane.admin

      let deletion = try admin.send("DELETE", "/custom-plugins/replaceme")
      #expect(deletion.status == 400)
      #expect(deletion.json["code"] == 4)
      #expect(deletion.json["fields"]?["@referenced_by"] == "plugins")
      let change = try admin.send(
        "PATCH", "/custom-plugins/replaceme", json: ["handler": "return {PRIORITY = 1, VERSION = '2', access = print}"])
      #expect(change.status == 400)
      let tags = try admin.send("PATCH", "/custom-plugins/replaceme", json: ["tags": ["blue"]])
      #expect(tags.status == 200)
      #expect(tags.json["tags"] == ["blue"])
    }
  }
}
