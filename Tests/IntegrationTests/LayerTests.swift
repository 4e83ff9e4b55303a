import EntityModel
import Foundation
import GatewayTesting
import Testing

extension LiveProcessTests {
  /// The table of layers in docs/architecture.md against the package manifest.
  @Suite struct LayerTests {
    @Test("a target imports only lower layers, and targets of layer 3 never import one another")
    func layers() throws {
      let page = try String(contentsOfFile: Program.packageFolder + "/docs/architecture.md", encoding: .utf8)
      var layers: [String: Int] = [:]
      for line in page.split(separator: "\n") {
        let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        guard cells.count == 3, let layer = Int(cells[0]), cells[1].hasPrefix("`") else { continue }
        layers[cells[1].trimmingCharacters(in: CharacterSet(charactersIn: "`"))] = layer
      }
      let scratch = try LiveGateway.makePrefix()
      defer { try? FileManager.default.removeItem(atPath: scratch) }
      let dump = try Program.run(
        "/usr/bin/env",
        ["swift", "package", "--package-path", Program.packageFolder, "--scratch-path", scratch, "dump-package"])
      try dump.requireSuccess()
      let manifest = try JSONValue(parsing: dump.output)
      let targets = manifest["targets"]?.array ?? []
      let names = Set(targets.compactMap { $0["name"]?.string })
      var checked = 0
      for target in targets {
        guard let name = target["name"]?.string, let type = target["type"]?.string, type != "test",
          name != "GatewayTesting"
        else { continue }
        let layer = try #require(layers[name], "\(name) is missing from the table in docs/architecture.md")
        for dependency in target["dependencies"]?.array ?? [] {
          guard let other = dependency["byName"]?.array?.first?.string, names.contains(other) else { continue }
          let otherLayer = try #require(layers[other], "\(other) is missing from the table in docs/architecture.md")
          #expect(otherLayer < layer || (layer < 3 && otherLayer == layer), "\(name) imports \(other)")
          checked += 1
        }
      }
      #expect(checked > 15)
      #expect(Set(layers.keys).isSubset(of: names), "the table names targets that do not exist")
    }
  }
}
