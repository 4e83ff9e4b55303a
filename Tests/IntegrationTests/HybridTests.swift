import EntityModel
import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  /// Control plane and data planes as processes.
  @Suite struct HybridTests {
    @Test("a data plane serves from its last-good copy after a restart without its control plane, then reconnects")
    func lastGoodCopy() async throws {
      let cluster = try Cluster()
      try cluster.makeExampleRoute(upstreamPort: 9)
      try cluster.stream("replaceme")
      try cluster.stream("reflector")
      let id = try cluster.configureGuide()
      let expected = "She sells pelican shells by the pelican shore."
      #expect(await eventually { try cluster.reflected("/anything") == expected })

      cluster.controlPlane.kill()
      try cluster.restartDataPlane()
      #expect(await eventually { try cluster.reflected("/anything") == expected })
      let copies = try FileManager.default.subpathsOfDirectory(atPath: cluster.dataPlane.prefix).filter {
        $0.contains("last-good")
      }
      #expect(!copies.isEmpty)
      for copy in copies {
        let path = cluster.dataPlane.prefix + "/" + copy
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
          continue
        }
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600, "\(copy)")
      }

      try cluster.restartControlPlane()
      let change = try cluster.controlPlane.admin.send(
        "PATCH", "/plugins/\(id)", json: ["config": ["replacement_word": "gull"]])
      #expect(change.status == 200)
      #expect(await eventually(within: 30) { try cluster.reflected("/anything").contains("gull") })
    }

    @Test("the control plane shows what its data planes run")
    func dataPlaneRows() async throws {
      let cluster = try Cluster()
      try cluster.makeExampleRoute(upstreamPort: 9)
      #expect(
        await eventually {
          let rows = try cluster.controlPlane.admin.get("/clustering/data-planes").json["data"]?.array ?? []
          let hash = try cluster.dataPlane.status.get("/status").json["configuration_hash"]?.string
          return rows.count == 1 && rows[0]["sync_status"] == "normal" && hash != ConfigSnapshot.emptyHash
            && rows[0]["config_hash"]?.string == hash
        })
      #expect(await eventually { try cluster.dataPlane.status.get("/status/ready").status == 200 })
      let row = try cluster.controlPlane.admin.get("/clustering/data-planes").json["data"]?.array?.first
      #expect(row?["version"]?.string?.hasPrefix("3.15") == true)
    }

    @Test("a data plane with streaming off gets neither definitions nor their instances and serves the rest")
    func streamingOff() async throws {
      let cluster = try Cluster(dataPlaneSettings: ["custom_plugin_streaming_enabled": "off"])
      try cluster.makeExampleRoute(upstreamPort: 9)
      try cluster.stream("reflector")
      let instance = try cluster.controlPlane.admin.send("POST", "/plugins", json: ["name": "reflector"])
      try #require(instance.status == 201, "\(instance.text)")
      let correlation = try cluster.controlPlane.admin.send(
        "POST", "/plugins", json: ["name": "correlation-id", "config": ["echo_downstream": true]])
      try #require(correlation.status == 201, "\(correlation.text)")

      // Nothing listens behind the route: the request gets as far as the upstream, the reflector does not answer it.
      #expect(
        await eventually {
          let answer = try cluster.dataPlane.proxy.get("/anything")
          return answer.status == 502 && answer.header("Kong-Request-ID") != nil
        })
      let row = try cluster.controlPlane.admin.get("/clustering/data-planes").json["data"]?.array?.first
      #expect(row?["sync_status"]?.string != "normal")
    }

    @Test("a data plane with another certificate gets nothing")
    func stranger() async throws {
      let cluster = try Cluster()
      try cluster.makeExampleRoute(upstreamPort: 9)
      let folder = try LiveGateway.makePrefix()
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try Program.run(["hybrid", "gen_cert", folder + "/c.crt", folder + "/c.key"]).requireSuccess()
      let stranger = try LiveGateway([
        "role": "data_plane", "database": "off", "admin_listen": "off", "cluster_listen": "off",
        "cluster_control_plane": "127.0.0.1:\(cluster.controlPlane.port("cluster"))", "cluster_cert": folder + "/c.crt",
        "cluster_cert_key": folder + "/c.key",
      ])
      #expect(await eventually { try cluster.dataPlane.status.get("/status/ready").status == 200 })
      // The stranger has had as much time and more to be refused; its log says so and it has no route.
      #expect(await eventually { stranger.log.contains("control plane") })
      #expect(try stranger.proxy.get("/anything").status == 404)
      #expect(try stranger.status.get("/status/ready").status == 503)
      let rows = try cluster.controlPlane.admin.get("/clustering/data-planes").json["data"]?.array ?? []
      #expect(rows.count == 1)
    }
  }
}
