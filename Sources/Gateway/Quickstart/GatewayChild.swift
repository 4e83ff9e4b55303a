import Foundation

/// One `sluice start` as a child process.
final class GatewayChild: Sendable {
  let role: String
  let errorLog: String
  private let process = Process()

  /// - Parameter settings: by setting name; given to the child as `SLUICE_*` variables. Settings of the parent's own
  ///   environment are not passed on.
  init(role: String, program: String, prefix: String, settings: [String: String]) throws {
    self.role = role
    errorLog = prefix + "/logs/error.log"
    try FileManager.default.createDirectory(atPath: prefix, withIntermediateDirectories: true)
    var environment = ProcessInfo.processInfo.environment.filter { name, _ in
      !name.hasPrefix("KONG_") && !name.hasPrefix("SLUICE_")
    }
    for (name, value) in settings { environment["SLUICE_" + name.uppercased()] = value }
    environment["SLUICE_PREFIX"] = prefix
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["start"]
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    let output = prefix + "/start.log"
    _ = FileManager.default.createFile(atPath: output, contents: nil)
    process.standardError = FileHandle(forWritingAtPath: output) ?? FileHandle.nullDevice
  }

  var isRunning: Bool { process.isRunning }

  func start() throws { try process.run() }

  /// Asks the child to finish its requests and waits until it is gone.
  func stop() {
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
  }

  /// The end of what the child said, for an error message.
  func lastWords(prefix: String) -> String {
    var lines: [Substring] = []
    var texts: [String] = []
    for file in [prefix + "/start.log", errorLog] {
      if let data = FileManager.default.contents(atPath: file) {
        texts.append(String(decoding: data.suffix(4096), as: UTF8.self))
      }
    }
    for text in texts { lines += text.split(separator: "\n").suffix(8) }
    return lines.joined(separator: "\n")
  }
}
