import EntityModel
import Foundation

/// A running `sluice start` with a prefix of its own, on ports that the system chose.
public final class LiveGateway {
  public let prefix: String
  private let process = Process()
  private let ownsPrefix: Bool
  public private(set) var listeners: JSONValue = .null

  /// The program built beside the test bundle.
  public static var program: String {
    let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return (bundle as NSString).deletingLastPathComponent + "/sluice"
  }

  /// A fresh folder for one test.
  public static func makePrefix() throws -> String {
    let path = NSTemporaryDirectory() + "sluice-test-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }

  /// Starts the program and waits until it listens.
  ///
  /// - Parameters:
  ///   - settings: by setting name; listeners default to port 0 on the loopback interface.
  ///   - prefix: kept after the test when given; else a temporary one is made and removed.
  public init(_ settings: [String: String] = [:], prefix: String? = nil) throws {
    self.prefix = try prefix ?? Self.makePrefix()
    ownsPrefix = prefix == nil
    var environment = ProcessInfo.processInfo.environment.filter { name, _ in
      !name.hasPrefix("KONG_") && !name.hasPrefix("SLUICE_")
    }
    let defaults = [
      "prefix": self.prefix, "proxy_listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0",
      "status_listen": "127.0.0.1:0", "cluster_listen": "127.0.0.1:0", "nginx_worker_processes": "1",
      "log_level": "info",
    ]
    for (name, value) in defaults.merging(settings, uniquingKeysWith: { _, given in given }) {
      environment["SLUICE_" + name.uppercased()] = value
    }
    let output = self.prefix + "/start.log"
    _ = FileManager.default.createFile(atPath: output, contents: nil)
    try? FileManager.default.removeItem(atPath: self.prefix + "/listeners.json")
    process.executableURL = URL(fileURLWithPath: Self.program)
    process.arguments = ["start"]
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle(forWritingAtPath: output) ?? FileHandle.nullDevice
    try process.run()
    let deadline = Date().addingTimeInterval(30)
    while Date() < deadline {
      if let data = FileManager.default.contents(atPath: self.prefix + "/listeners.json"),
        let value = try? JSONValue(parsing: Array(data))
      {
        listeners = value
        return
      }
      guard process.isRunning else { break }
      usleep(10_000)
    }
    throw LiveGatewayError(log: log)
  }

  deinit {
    if process.isRunning { kill() }
    if ownsPrefix { try? FileManager.default.removeItem(atPath: prefix) }
  }

  public var processID: Int32 { process.processIdentifier }

  public var isRunning: Bool { process.isRunning }

  /// First port of a kind of listener: `proxy`, `proxy_ssl`, `admin`, `status`, `cluster`.
  public func port(_ kind: String) -> Int { Int(listeners[kind]?.array?.first?["port"]?.integer ?? 0) }

  public var proxy: TestClient { TestClient(port: port("proxy")) }
  public var admin: TestClient { TestClient(port: port("admin")) }
  public var status: TestClient { TestClient(port: port("status")) }

  /// What the process said: standard error and the error log.
  public var log: String {
    ["/start.log", "/logs/error.log"].map { name in
      String(decoding: FileManager.default.contents(atPath: prefix + name) ?? Data(), as: UTF8.self)
    }.joined()
  }

  /// Asks for a graceful end and waits for it; the exit status.
  @discardableResult
  public func stop() -> Int32 {
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
    return process.terminationStatus
  }

  /// Ends the process at once, as a power cut would.
  public func kill() {
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}

public struct LiveGatewayError: Error, CustomStringConvertible {
  public let log: String
  public var description: String { "the gateway did not start:\n\(log)" }
}
