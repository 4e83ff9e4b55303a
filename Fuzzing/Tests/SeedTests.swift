import Foundation
import Testing

/// What the fuzzers begin with, and what they have found, runs through every target without their instrumentation.
@Suite struct SeedTests {
  @Test("every seed of a target passes", arguments: FuzzTarget.allCases)
  func seeds(target: FuzzTarget) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../corpus/\(target.rawValue)").standardized
    let seeds = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    #expect(seeds.count >= 3, "\(folder.path) has \(seeds.count) seeds")
    let run = target.start()
    for seed in seeds {
      // A target stops the process when what it holds for true is not.
      try Data(contentsOf: seed).withUnsafeBytes { run($0) }
    }
  }

  @Test("a message reads the same however it is cut")
  func cuts() {
    let message = "POST /a?b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nrest"
    Array(message.utf8).withUnsafeBytes { bytes in
      let whole = HTTPTarget.readRequest(bytes, cuts: [])
      #expect(whole.fields == ["Host: x", "Transfer-Encoding: chunked"])
      #expect(whole.body == Array("abc".utf8))
      #expect(whole.end == "finished")
      #expect(whole.rest == 4)
      for first in 0..<bytes.count { #expect(HTTPTarget.readRequest(bytes, cuts: [first, bytes.count - 1]) == whole) }
    }
  }
}
