import EntityModel
import Foundation
import NIOSSL
import Testing
import Zlib

@testable import Clustering

@Suite("Clustering: parts")
struct ClusterPartsTests {
  private func mode(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  @Test("the cluster certificate is self-signed for kong_clustering and makes a usable identity")
  func certificate() throws {
    let pair = try ClusterCertificate.generate(days: 2)
    let certificate = try #require(try NIOSSLCertificate.fromPEMBytes(Array(pair.certificatePEM.utf8)).first)
    #expect(certificate.description.contains("kong_clustering"))
    let identity = try ClusterFixtures.identity(pair)
    #expect(abs(identity.expiry.timeIntervalSinceNow - 2 * 86400) < 60)
    let other = try ClusterCertificate.generate()
    #expect(throws: ClusterIdentityError.self) {
      try ClusterIdentity(certificatePEM: pair.certificatePEM, keyPEM: other.keyPEM)
    }
    #expect(throws: ClusterIdentityError.self) { try ClusterIdentity(certificatePEM: "", keyPEM: pair.keyPEM) }
    let server = try SelfSignedCertificate.generate(commonName: "localhost")
    #expect(try NIOSSLCertificate.fromPEMBytes(Array(server.certificatePEM.utf8)).count == 1)
    #expect(server.keyPEM.contains("PRIVATE KEY"))
  }

  @Test("the pair is written with its modes and never over another one")
  func certificateFiles() throws {
    let folder = try ClusterFixtures.temporaryDirectory()
    let pair = ClusterFixtures.pair
    let (certificate, key) = (folder + "/cluster.crt", folder + "/cluster.key")
    try ClusterCertificate.writePair(pair, certificatePath: certificate, keyPath: key)
    #expect(try mode(certificate) == 0o644)
    #expect(try mode(key) == 0o600)
    #expect(try String(contentsOfFile: key, encoding: .utf8) == pair.keyPEM)
    let other = try ClusterCertificate.generate()
    #expect(throws: FileFailure.self) {
      try ClusterCertificate.writePair(other, certificatePath: certificate, keyPath: folder + "/new.key")
    }
    #expect(throws: FileFailure.self) {
      try ClusterCertificate.writePair(other, certificatePath: folder + "/new.crt", keyPath: key)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["cluster.crt", "cluster.key"])
    #expect(try String(contentsOfFile: certificate, encoding: .utf8) == pair.certificatePEM)
  }

  @Test("gzip gives back what it took, and refuses more than it may make")
  func gzip() throws {
    for count in [0, 1, 1000, 3_000_000] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 7) }
      #expect(try Gzip.inflate(Gzip.compress(bytes), limit: count) == bytes)
    }
    #expect(throws: GzipError.self) { try Gzip.inflate(Gzip.compress([1, 2, 3]), limit: 2) }
  }

  @Test("versions are read as Kong writes them")
  func versions() throws {
    #expect(NodeVersion("3.15.0.0-enterprise-edition") == NodeVersion("3.15.0"))
    #expect(try #require(NodeVersion("3.8.0.0")) < #require(NodeVersion("3.15.0.0")))
    for text in ["3", "3.x.1", "", "-1.0.0", "99999999999999999999.1.1"] {
      #expect(NodeVersion(text) == nil, "\(text)")
    }
  }

  @Test(
    "versions of nodes are accepted or refused as Kong does",
    arguments: [
      ("3.15.0.0", SyncStatus.normal), ("3.15.9.1", .normal), ("3.4.0.0", .normal),
      ("3.16.0.0", .kongVersionIncompatible), ("4.0.0.0", .kongVersionIncompatible),
      ("2.8.1", .kongVersionIncompatible), ("latest", .kongVersionIncompatible),
    ])
  func nodeVersions(version: String, status: SyncStatus) {
    let verdict = CompatibilityCheck.version(ofDataPlane: version, controlPlane: "3.15.0.0")
    #expect(verdict.status == status)
    #expect((verdict.reason == nil) == (status == .normal))
  }

  @Test("plugins must be there with the same major version and no newer minor one")
  func pluginVersions() {
    func status(_ theirs: [String: String]) -> SyncStatus {
      CompatibilityCheck.plugins(configured: ["cors"], ours: ["cors": "3.15.0", "acl": "3.15.0"], theirs: theirs).status
    }
    #expect(status(["cors": "3.15.2"]) == .normal)
    #expect(status(["cors": "3.14.0", "acl": "1.0.0"]) == .normal)
    #expect(status(["cors": "3.16.0"]) == .pluginVersionIncompatible)
    #expect(status(["cors": "2.15.0"]) == .pluginVersionIncompatible)
    #expect(status(["acl": "3.15.0"]) == .pluginSetIncompatible)
  }

  @Test("rows that were not seen for long are purged")
  func purge() {
    let directory = InMemoryDataPlaneDirectory()
    for (id, seen) in [("old", 100), ("new", 200)] {
      directory.save(
        DataPlaneRecord(
          id: id, ip: "", hostname: "", version: "", configHash: "", lastSeen: Int64(seen), updatedAt: 0,
          syncStatus: .normal))
    }
    directory.purge(lastSeenBefore: 150)
    #expect(directory.records().map(\.id) == ["new"])
  }
}

@Suite("Clustering: the last-good copy", .timeLimit(.minutes(1)))
struct LastGoodCopyTests {
  private func message(_ letter: Character) throws -> [UInt8] {
    let payload = ClusterFixtures.payload(letter)
    return try Reconfigure.message(
      configTable: payload.configTable, hash: payload.hash, hashes: payload.hashes, withheld: [], timestamp: 1)
  }

  @Test("a data plane serves its last configuration after a restart without its control plane")
  func restart() async throws {
    let folder = try ClusterFixtures.temporaryDirectory()
    let copy = LastGoodCopy(path: folder + "/config.last-good")
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let node = try TestDataPlane(port: plane.port, copy: copy)
    #expect(await node.client.restoreLastGoodCopy() == false)
    node.client.start()
    await plane.directory.saves.first { $0.configHash == ClusterFixtures.hash("a") }
    await node.client.shutdown()
    await plane.server.shutdown()
    let mode = try FileManager.default.attributesOfItem(atPath: copy.path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["config.last-good"])

    let restarted = try TestDataPlane(port: plane.port, copy: copy)
    #expect(await restarted.client.restoreLastGoodCopy())
    #expect(restarted.applied.elements.first?.configTable == ClusterFixtures.payload("a").configTable)
    #expect(restarted.client.configHash == ClusterFixtures.hash("a"))
  }

  @Test("a node whose streaming was off gets the whole after it is on, though the hash is the same")
  func changedFit() async throws {
    let copy = LastGoodCopy(path: try ClusterFixtures.temporaryDirectory() + "/config.last-good")
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let node = try TestDataPlane(port: plane.port, streaming: false, copy: copy)
    node.client.start()
    await plane.directory.saves.first { $0.configHash == ClusterFixtures.hash("a") }
    await node.client.shutdown()
    let restarted = try TestDataPlane(port: plane.port, copy: copy)
    #expect(await restarted.client.restoreLastGoodCopy())
    restarted.client.start()
    let whole = await restarted.applied.first { $0.withheld.isEmpty }
    #expect(whole.configTable["custom_plugins"]?.array?.count == 1)
    await restarted.client.shutdown()
    await plane.server.shutdown()
  }

  @Test("a later copy replaces the earlier one as a whole")
  func replace() throws {
    let copy = LastGoodCopy(path: try ClusterFixtures.temporaryDirectory() + "/copy")
    try copy.save(message("a"))
    try copy.save(message("b"))
    #expect(copy.load(logger: ClusterFixtures.logger(Recorder()))?.hash == ClusterFixtures.hash("b"))
  }

  @Test("a damaged copy is logged, ignored and moved aside", arguments: [0, 10, 60, 99, 120, -1, -200])
  func damaged(position: Int) throws {
    let copy = LastGoodCopy(path: try ClusterFixtures.temporaryDirectory() + "/copy")
    try copy.save(message("a"))
    var contents = try Data(contentsOf: URL(fileURLWithPath: copy.path))
    if position == -200 {
      contents = contents.prefix(40)
    } else {
      let index = position < 0 ? contents.count + position : position
      contents[index] ^= 0x41
    }
    try contents.write(to: URL(fileURLWithPath: copy.path))
    let log = Recorder<String>()
    #expect(copy.load(logger: ClusterFixtures.logger(log)) == nil)
    #expect(log.elements.count == 1)
    #expect(!FileManager.default.fileExists(atPath: copy.path))
    #expect(FileManager.default.fileExists(atPath: copy.path + ".corrupt"))
  }

  @Test("a copy that cannot be written is logged, and the configuration runs all the same")
  func unwritable() async throws {
    let plane = try await TestControlPlane()
    plane.server.publish(ClusterFixtures.payload("a"))
    let node = try TestDataPlane(port: plane.port, copy: LastGoodCopy(path: "/proc/nowhere/copy"))
    node.client.start()
    await plane.directory.saves.first { $0.configHash == ClusterFixtures.hash("a") }
    await node.log.first { $0.hasPrefix("the last-good configuration cannot be kept") }
    await node.client.shutdown()
    await plane.server.shutdown()
  }
}
