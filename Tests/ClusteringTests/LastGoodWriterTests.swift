import Logging
import Testing

@testable import Clustering

@Suite("Clustering: writing the last-good copy", .timeLimit(.minutes(1)))
struct LastGoodWriterTests {
  private func message(_ letter: Character) throws -> ReceivedMessage {
    let payload = ClusterFixtures.payload(letter)
    return ReceivedMessage(
      try Reconfigure.message(
        configTable: payload.configTable, hash: payload.hash, hashes: payload.hashes, withheld: [], timestamp: 1))
  }

  private func hash(_ copy: LastGoodCopy) -> String? {
    copy.load(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })?.hash
  }

  @Test("the first copy is written without waiting, later ones when it is quiet or at the end")
  func order() async throws {
    let copy = LastGoodCopy(path: try ClusterFixtures.temporaryDirectory() + "/copy")
    let log = Recorder<String>()
    let writer = LastGoodWriter(
      copy: copy, quiet: .seconds(3600), longest: .seconds(3600), logger: ClusterFixtures.logger(log))
    writer.keep(try message("a"))
    await writer.flush()
    #expect(hash(copy) == ClusterFixtures.hash("a"))
    writer.keep(try message("b"))
    writer.keep(try message("c"))
    #expect(hash(copy) == ClusterFixtures.hash("a"))
    await writer.flush()
    #expect(hash(copy) == ClusterFixtures.hash("c"))
    await writer.flush()
    #expect(log.elements.count == 2)
  }

  @Test("what came is written after the quiet time, and after the longest time though more comes")
  func waiting() async throws {
    for (quiet, longest) in [(1, 3_600_000), (3_600_000, 1)] {
      let copy = LastGoodCopy(path: try ClusterFixtures.temporaryDirectory() + "/copy")
      try copy.save(message("a").bytes)
      let log = Recorder<String>()
      let writer = LastGoodWriter(
        copy: copy, quiet: .milliseconds(quiet), longest: .milliseconds(longest), logger: ClusterFixtures.logger(log))
      writer.keep(try message("b"))
      await log.first { $0 == "the last-good configuration is written" }
      #expect(hash(copy) == ClusterFixtures.hash("b"))
    }
  }
}
