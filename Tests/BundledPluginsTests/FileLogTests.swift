import EntityModel
import Foundation
import Testing

@testable import BundledPlugins
@testable import PluginKit

@Suite("file-log")
struct FileLogTests {
  private let path = NSTemporaryDirectory() + "file-log-\(UUID().uuidString).log"

  private func lines(_ path: String) throws -> [JSONValue] {
    FileLogFile.file(at: path).flush()
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    defer { unlink(path) }
    return try data.split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: $0) }
  }

  private func log(_ config: JSONValue, requests: Int = 1) throws {
    let executor = try PluginTestBed.executor(FileLog.definition, config)
    for _ in 0..<requests {
      let bed = PluginTestBed(target: "/logged?a=1")
      bed.context.response.status = 201
      _ = executor.run(.log, bed.context)
    }
  }

  @Test("each request is a line of JSON with the custom fields")
  func entry() throws {
    try log(
      [
        "path": .string(path),
        "custom_fields_by_lua": ["extra.deep": "return 'v' .. 1", "client_ip": "return nil", "bad": "return nil .. 1"],
      ])
    let entry = try #require(try lines(path).first)
    #expect(entry["response"]?["status"] == 201)
    #expect(entry["extra"]?["deep"] == "v1")
    #expect(entry["client_ip"] == nil)
    #expect(entry["bad"] == nil)
  }

  @Test("instances that share a file, from several threads, never mix their lines")
  func concurrentWriters() async throws {
    let path = self.path
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask { try self.log(["path": .string(path)], requests: 50) }
      }
      try await group.waitForAll()
    }
    #expect(try lines(path).count == 200)
  }

  @Test("a file that is moved away gets no more lines with reopen, and all of them without")
  func reopening() throws {
    for reopens in [true, false] {
      let path = "\(self.path).\(reopens)"
      let config: JSONValue = ["path": .string(path), "reopen": .bool(reopens)]
      try log(config)
      FileLogFile.file(at: path).flush()
      rename(path, path + ".old")
      try log(config)
      FileLogFile.file(at: path).flush()
      #expect(FileManager.default.fileExists(atPath: path) == reopens)
      unlink(path)
      unlink(path + ".old")
    }
  }

  @Test("names that no file should have and Lua that cannot be run are refused")
  func refusals() {
    for config: JSONValue in [
      ["path": "a b*"], ["path": "a "], [:], ["path": "/tmp/a", "custom_fields_by_lua": ["a": "return ("]],
    ] {
      #expect(throws: SchemaViolations.self) { try PluginTestBed.validated(FileLog.definition, config) }
    }
  }
}
