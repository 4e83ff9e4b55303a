import Foundation
import Testing

extension LiveProcessTests {
  /// The references under docs/ against the declarations in the program.
  @Suite struct ReferenceTests {
    @Test(
      "the references under docs/ are those of the program",
      arguments: ["configuration", "pdk", "plugins", "admin-api"])
    func current(_ page: String) throws {
      let file = try String(contentsOfFile: Program.packageFolder + "/docs/\(page).md", encoding: .utf8)
      let program = try Program.run(["reference", page])
      #expect(program.output == file, "docs/\(page).md is old: run `make docs`")
    }
  }
}
