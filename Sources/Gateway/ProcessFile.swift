import Foundation

/// The file in the prefix that names the running process.
public struct ProcessFile: Sendable {
  public let path: String

  public init(prefix: String) { path = prefix + "/pids/sluice.pid" }

  /// Number of the process that runs with this prefix, nil if none does.
  public func runningProcess() -> Int32? {
    guard let data = FileManager.default.contents(atPath: path),
      let processID = Int32(String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)),
      processID > 0, kill(processID, 0) == 0 || errno == EPERM
    else { return nil }
    return processID
  }

  /// Claims the prefix for this process.
  ///
  /// - Throws: `GatewayError` if another process runs with it, or the folder cannot be written.
  public func claim() throws(GatewayError) {
    if let other = runningProcess(), other != getpid() {
      throw GatewayError(
        "another gateway (process \(other)) runs with this prefix (\(path)); stop it or use another prefix")
    }
    do {
      try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try Data("\(getpid())\n".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw GatewayError("cannot write \(path): \(error.localizedDescription); check the setting prefix")
    }
  }

  public func release() { unlink(path) }
}

/// Why the gateway cannot start or go on.
public struct GatewayError: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// The program file of this process.
public enum RunningProgram {
  public static func path() throws(GatewayError) -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    guard length > 0 else { throw GatewayError("cannot find the program's own file") }
    return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
