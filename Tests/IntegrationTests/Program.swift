import Foundation
import GatewayTesting

/// One run of the command line to its end.
struct Program {
  let status: Int32
  let output: String
  let errors: String

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Folder of the package.
  static var packageFolder: String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .path
  }

  /// Runs the program with no settings but those given.
  static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Program {
    try run(LiveGateway.program, arguments, environment: environment)
  }

  static func run(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws -> Program {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.filter { name, _ in
      !name.hasPrefix("KONG_") && !name.hasPrefix("SLUICE_")
    }.merging(environment) { $1 }
    // Files instead of pipes: output of any length cannot block the program.
    let folder = try LiveGateway.makePrefix()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for name in ["output", "errors"] { _ = FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: nil) }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: folder + "/output")
    process.standardError = FileHandle(forWritingAtPath: folder + "/errors")
    try process.run()
    process.waitUntilExit()
    return Program(
      status: process.terminationStatus, output: try String(contentsOfFile: folder + "/output", encoding: .utf8),
      errors: try String(contentsOfFile: folder + "/errors", encoding: .utf8))
  }

  func requireSuccess() throws {
    if status != 0 { throw Failure(description: "exit status \(status): \(output)\(errors)") }
  }
}
