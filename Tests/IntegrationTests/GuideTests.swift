import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  /// The guides of the README and of docs/plugin-updates.md, run with curl as they stand there.
  @Suite struct GuideTests {
    static let curl = "/usr/bin/curl"

    @Test(
      "the demo runs every guide against a fresh pair and gets the answers that they promise",
      .enabled(if: FileManager.default.isExecutableFile(atPath: curl)))
    func demo() throws {
      let run = try Program.run(
        "/usr/bin/env", ["bash", Program.packageFolder + "/scripts/demo", LiveGateway.program])
      #expect(run.status == 0, "\(run.output)\(run.errors)")
      #expect(run.output.contains("0 failed") && !run.output.contains("FAIL"))
    }
  }
}
